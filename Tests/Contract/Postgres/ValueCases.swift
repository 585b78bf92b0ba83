import Ports

/// How values are kept, compared and sorted.
enum ValueCases {
    static let all: [ContractCase] = [
        roundTrip, nullComparisons, notEqualNull, textOrder, nullsSort, uuidOrder, bytesOrder, boolOrder,
        timestampRounding,
        jsonOrder, jsonDuplicates, jsonNumbers, jsonEquality, textWithZero, jsonWithZero, limits, isIn, returningOld,
        counts,
        sortStability, multiRowOrder,
    ]

    private static let table = Fixtures.everyType
    private static func column(_ type: ColumnType) -> Column { table.column("a_\(type.rawValue)") }

    /// A row of every_type with one value and the rest null.
    private static func row(_ id: Int64, _ value: Value) -> [Value] {
        table.columns.map { column in
            column.name == "id" ? .int64(id) : column.type == value.type ? value : .null
        }
    }
    private static func insert(_ values: [Value]) -> Statement {
        .insert(Insert(into: table, rows: values.enumerated().map { row(Int64($0.offset + 1), $0.element) }))
    }

    /// Inserts values under ids 1, 2, ... and returns the ids sorted by the value's column.
    private static func order(_ values: [Value], _ stage: Stage, descending: Bool = false) async throws -> [Int64] {
        guard let type = values.lazy.compactMap(\.type).first else { return [] }
        let a = try await stage.session("A")
        try await a.run(insert(values))
        let key = descending ? SortKey.descending(column(type)) : .ascending(column(type))
        let rows = try await a.rows(.select(Select(from: table, orderedBy: [key, .ascending(table.column("id"))])))
        return rows.map { $0.int64(table.column("id")) }
    }

    private static let roundTrip = ContractCase.postgres("values/round-trip", "Every type comes back as it was stored")
    {
        stage, _ in
        let values: [[Value]] = [
            [
                1, .int64(.min), "text with 'quotes', \\ and \u{1F600}", true, .uuid(UniqueID(high: 1, low: .max)),
                .timestamp(Instant(nanosecondsSinceEpoch: 1_795_361_297_622_123_000)),
                .json(.members(["a": [1, nil, "x"], "b": .decimal(unscaled: -150, scale: 2)])), .bytes([0, 1, 255]),
            ],
            [
                2, .int64(.max), "", false, .uuid(UniqueID(high: 0, low: 0)), .timestamp(.epoch), .json(.null),
                .bytes([]),
            ],
            [3, nil, nil, nil, nil, nil, nil, nil],
            [4, 0, "x", nil, nil, .timestamp(Instant(nanosecondsSinceEpoch: -1_000)), .json([]), nil],
        ]
        let a = try await stage.session("A")
        for rows in [[values[0]], Array(values[1...])] {
            try await a.run(.insert(Insert(into: table, rows: rows)))
        }
        let read = try await a.rows(.select(Select(from: table, orderedBy: [.ascending(table.column("id"))])))
        try expect(read.map(\.values), equals: values, "rows as read")
    }

    private static let nullComparisons = ContractCase.postgres(
        "values/null-comparisons", "A comparison with null is never true, not even of null with null"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(insert([nil, 5]))
        let number = column(.int64)
        for condition in [number == nil, number != nil, number < nil, number >= nil, number.isIn([nil])] {
            let rows = try await a.rows(.select(Select(from: table, where: [condition])))
            try expect(rows.count, equals: 0, "rows for \(condition.comparisonOperator) null")
        }
        try expect(try await a.rows(.select(Select(from: table, where: [number.isNull]))).count, equals: 1, "IS NULL")
        try expect(
            try await a.rows(.select(Select(from: table, where: [number.isNotNull]))).count, equals: 1, "IS NOT NULL")
    }

    private static let notEqualNull = ContractCase.postgres(
        "values/not-equal-skips-null", "A column that is null is not unequal to a value"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(insert([nil, 5, 6]))
        let rows = try await a.rows(.select(Select(from: table, where: [column(.int64) != 5])))
        try expect(rows.map { $0.int64(table.column("id")) }, equals: [3], "rows unequal to 5")
    }

    private static let textOrder = ContractCase.postgres(
        "values/text-order", "Text sorts by its bytes: Z before a before é"
    ) {
        stage, _ in
        try expect(
            try await order(["é", "a", "Z", "", "aa", "\u{1F600}", "~"], stage), equals: [4, 3, 2, 5, 7, 1, 6], "ids")
    }

    private static let nullsSort = ContractCase.postgres(
        "values/nulls-sort", "Nulls sort last ascending and first descending"
    ) {
        stage, _ in
        try expect(try await order([nil, 2, 1], stage), equals: [3, 2, 1], "ids ascending")
        let b = try await stage.session("B")
        let rows = try await b.rows(.select(Select(from: table, orderedBy: [.descending(column(.int64))])))
        try expect(rows.map { $0.int64(table.column("id")) }, equals: [1, 2, 3], "ids descending")
    }

    private static let uuidOrder = ContractCase.postgres("values/uuid-order", "UUIDs sort by their bytes, unsigned") {
        stage, _ in
        let ids = [
            UniqueID(high: 1 << 63, low: 0), UniqueID(high: 1, low: 0), UniqueID(high: 0, low: .max),
            UniqueID(high: 1, low: 1 << 63),
        ]
        try expect(try await order(ids.map { .uuid($0) }, stage), equals: [3, 2, 4, 1], "ids")
    }

    private static let bytesOrder = ContractCase.postgres(
        "values/bytes-order", "Byte strings sort by bytes, a prefix first"
    ) {
        stage, _ in
        try expect(
            try await order([.bytes([255]), .bytes([1, 0]), .bytes([1]), .bytes([])], stage), equals: [4, 3, 2, 1],
            "ids")
    }

    private static let boolOrder = ContractCase.postgres("values/bool-order", "False sorts before true") { stage, _ in
        try expect(try await order([true, false, nil], stage), equals: [2, 1, 3], "ids")
    }

    private static let timestampRounding = ContractCase.postgres(
        "values/timestamp-rounding",
        "A timestamp is kept to the microsecond, rounded to the nearest, halves away from the epoch"
    ) { stage, _ in
        let a = try await stage.session("A")
        let nanoseconds: [Int64] = [1_499, 1_500, 999, -1_499, -1_501]
        try await a.run(insert(nanoseconds.map { .timestamp(Instant(nanosecondsSinceEpoch: $0)) }))
        let rows = try await a.rows(.select(Select(from: table, orderedBy: [.ascending(table.column("id"))])))
        try expect(
            rows.map { $0.timestamp(column(.timestamp)).nanosecondsSinceEpoch },
            equals: [1_000, 2_000, 1_000, -1_000, -2_000],
            "nanoseconds as read")
    }

    private static let jsonOrder = ContractCase.postgres(
        "values/json-member-order", "jsonb keeps an object's members sorted by the length of their names, then by bytes"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(insert([.json(.members(["bb": 1, "a": 2, "ab": 3, "c": .members(["zz": 1, "y": 2])]))]))
        let read = try await a.rows(.select(Select(from: table))).first?.json(column(.json))
        try expect(
            read, equals: .members(["a": 2, "c": .members(["y": 2, "zz": 1]), "ab": 3, "bb": 1]), "document as read")
    }

    private static let jsonDuplicates = ContractCase.postgres(
        "values/json-duplicate-members", "Of members of one name jsonb keeps the last"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(insert([.json(.members(["a": 1, "b": 2, "a": 3]))]))
        let read = try await a.rows(.select(Select(from: table))).first?.json(column(.json))
        try expect(read, equals: .members(["a": 3, "b": 2]), "document as read")
    }

    private static let jsonNumbers = ContractCase.postgres(
        "values/json-numbers", "jsonb keeps numbers exactly, with their trailing zeros"
    ) { stage, _ in
        let a = try await stage.session("A")
        let numbers: [JSONValue] = [
            .decimal(unscaled: 150, scale: 2), .decimal(unscaled: 1, scale: 10), .integer(.max), .integer(.min),
            .decimal(unscaled: .max, scale: 5), .decimal(unscaled: 0, scale: 2),
        ]
        try await a.run(insert([.json(.array(numbers))]))
        let read = try await a.rows(.select(Select(from: table))).first?.json(column(.json))
        try expect(read, equals: .array(numbers), "numbers as read")
    }

    private static let jsonEquality = ContractCase.postgres(
        "values/json-equality", "jsonb values are equal whatever the order of members and the zeros of numbers"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(insert([.json(.members(["a": .decimal(unscaled: 10, scale: 1), "b": 2]))]))
        let same = column(.json) == .json(.members(["b": 2, "a": 1]))
        try expect(try await a.rows(.select(Select(from: table, where: [same]))).count, equals: 1, "rows found")
    }

    private static let textWithZero = ContractCase.postgres(
        "values/text-zero-byte", "Text cannot hold a zero byte: 22021"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.mustFail(SQLState(rawValue: "22021"), insert(["a\u{0}b"]))
    }

    private static let jsonWithZero = ContractCase.postgres(
        "values/json-zero-character", "jsonb cannot hold a zero character: 22P05"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.mustFail(SQLState(rawValue: "22P05"), insert([.json(["a\u{0}b"])]))
    }

    private static let limits = ContractCase.postgres(
        "values/limit", "LIMIT takes the first rows of the order, or none"
    ) {
        stage, _ in
        let a = try await stage.session("A")
        for (limit, expected) in [(0, []), (1, [2]), (5, [2, 1])] as [(Int, [Int64])] {
            let rows = try await a.rows(
                .select(Select(from: Fixtures.test, orderedBy: [.descending(Fixtures.id)], limit: limit)))
            try expect(rows.map { $0.int64(Fixtures.id) }, equals: expected, "ids with limit \(limit)")
        }
        try await a.mustFail(SQLState(rawValue: "2201W"), .select(Select(from: Fixtures.test, limit: -1)))
    }

    private static let isIn = ContractCase.postgres(
        "values/is-in", "IN an empty list is never true; doubles in it do no harm"
    ) {
        stage, _ in
        let a = try await stage.session("A")
        for (list, count) in [([], 0), ([1, 1, 7], 1), ([1, nil, 2], 2)] as [([Value], Int)] {
            let rows = try await a.rows(.select(Select(from: Fixtures.test, where: [Fixtures.id.isIn(list)])))
            try expect(rows.count, equals: count, "rows in \(list)")
        }
    }

    private static let returningOld = ContractCase.postgres(
        "values/returning", "UPDATE returns rows as they are, DELETE as they were"
    ) { stage, _ in
        let a = try await stage.session("A")
        let result = try await a.run(
            .update(
                Update(
                    Fixtures.test, set: [.increment(Fixtures.value, by: 1)], where: [Fixtures.id == 1], returning: true)
            ),
            .delete(Delete(from: Fixtures.test, where: [Fixtures.id == 1], returning: true)))
        try expect(result.map { $0.rows.map(\.values) }, equals: [[[1, 11]], [[1, 11]]], "rows returned")
    }

    private static let counts = ContractCase.postgres(
        "values/counts", "Counts are of rows found, also when nothing about them changed"
    ) { stage, _ in
        let a = try await stage.session("A")
        let result = try await a.run(Fixtures.set(1, 10), Fixtures.set(9, 0), Fixtures.delete(9), Fixtures.addToAll(0))
        try expect(result.map(\.affectedRowCount), equals: [1, 0, 0, 2], "counts")
    }

    private static let sortStability = ContractCase.postgres(
        "values/sort-keys", "Later sort keys decide among equals of earlier ones"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(
            .insert(Insert(into: Fixtures.stock, rows: [[1, "b", 1, nil], [2, "a", 1, nil], [3, "c", 0, nil]])))
        let rows = try await a.rows(
            .select(Select(from: Fixtures.stock, orderedBy: [.ascending(Fixtures.amount), .descending(Fixtures.code)])))
        try expect(rows.map { $0.int64(Fixtures.stockID) }, equals: [3, 1, 2], "ids")
    }

    private static let multiRowOrder = ContractCase.postgres(
        "values/insert-returning-order", "INSERT returns its rows in the order given"
    ) { stage, _ in
        let a = try await stage.session("A")
        let result = try await a.run(
            .insert(Insert(into: Fixtures.test, rows: [[9, 1], [3, 2], [7, 3]], returning: true)))
        try expect(result[0].rows.map { $0.int64(Fixtures.id) }, equals: [9, 3, 7], "ids returned")
    }
}
