import Ports
import Testing

@testable import SimCore

@Suite("Finding rows")
struct SearchTests {
    private static let table = Table(
        "things",
        columns: [
            .column("a", .int64), .column("b", .text), .column("c", .int64, nullable: true),
            .column("d", .timestamp, nullable: true), .column("e", .bool),
        ],
        primaryKey: ["a", "b"], unique: [["c"]], indexes: [["e", "d"], ["d"], ["b", "c"]])

    @Test("Whatever the access path, a statement finds what a look at every row finds", arguments: 1...20)
    func sameAsFullScan(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let columns = Self.table.columns
        func value(_ column: Column) -> Value {
            if column.isNullable && Int.random(in: 0..<6, using: &generator) == 0 { return .null }
            let number = Int64.random(in: 0..<12, using: &generator)
            return switch column.name {
            case "b": .text("key number \(number % 4)")
            case "c": .int64(Int64.random(in: 0..<400, using: &generator))
            case "d": .timestamp(Instant(nanosecondsSinceEpoch: number * 1_000))
            case "e": .bool(number % 2 == 0)
            default: .int64(number * 5)
            }
        }
        let host = ScriptedServer([Self.table])
        let (session, old) = (host.session(), host.session())
        for round in 0..<300 {
            let row = columns.map { value($0) }
            session.run(.insert(Insert(into: Self.table, rows: [row], onConflict: .doNothing(key: nil))))
            if round == 150 {
                // A snapshot in the middle, so that chains grow and entries of old versions stay.
                old.begin(.repeatableRead)
                old.run(.select(Select(from: Self.table)))
            }
            let column = columns[Int.random(in: 1..<5, using: &generator)]
            let target = columns[0] == value(columns[0])
            session.run(.update(Update(Self.table, set: [.set(column, value(column))], where: [target])))
            if round % 5 == 0 { session.run(.delete(Delete(from: Self.table, where: [target, columns[4] == true]))) }
        }
        for _ in 0..<200 {
            let condition = (0..<Int.random(in: 0..<4, using: &generator)).map { _ in
                let column = columns.randomElement(using: &generator)!
                let operators: [ComparisonOperator] = [
                    .equal, .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .isIn, .isNull,
                    .isNotNull,
                ]
                let chosen = operators.randomElement(using: &generator)!
                let count = chosen == .isIn ? Int.random(in: 0..<4, using: &generator) : 1
                return Comparison(column, chosen, (0..<count).map { _ in value(column) })
            }
            let sortKeys = (0..<Int.random(in: 0..<3, using: &generator)).map { _ in
                let column = columns.randomElement(using: &generator)!
                return Bool.random(using: &generator) ? SortKey.ascending(column) : .descending(column)
            }
            let limit = Bool.random(using: &generator) ? Int.random(in: 0..<9, using: &generator) : nil
            for reader in [session, old] { check(reader, condition, sortKeys, limit) }
        }
    }

    private func check(_ session: ScriptedSession, _ condition: [Comparison], _ sortKeys: [SortKey], _ limit: Int?) {
        let everything = session.run(.select(Select(from: Self.table)))?.rows ?? []
        let expected = everything.filter { RowCondition.isSatisfied(condition, by: $0.values) }
        let select = Select(from: Self.table, where: condition, orderedBy: sortKeys, limit: limit)
        let found = session.run(.select(select))?.rows ?? []
        #expect(found.count == min(expected.count, limit ?? .max), "\(condition)")
        #expect(Set(found).isSubset(of: expected) && Set(found).count == found.count)
        func key(_ row: Row) -> [Value] { sortKeys.map { row[$0.column] } }
        let sorted = expected.sorted { left, right in
            for sortKey in sortKeys {
                let order = ValueOrdering.compare(left[sortKey.column], right[sortKey.column])
                if order != 0 { return sortKey.isDescending ? order > 0 : order < 0 }
            }
            return false
        }
        #expect(found.map(key) == sorted.prefix(found.count).map(key), "\(condition) \(sortKeys)")
    }

    @Test("A key, a list of keys and the leading columns of an index are looked up, not scanned for")
    func paths() {
        let layout = TableLayout(Self.table)
        let (a, b, c) = (Self.table.column("a"), Self.table.column("b"), Self.table.column("c"))
        let (d, e) = (Self.table.column("d"), Self.table.column("e"))
        func plan(_ condition: [Comparison], _ sortKeys: [SortKey] = [], limit: Int? = nil) -> String {
            switch AccessPath.plan(layout, condition, sortKeys, limit: limit) {
            case .key(let key): "key \(key)"
            case .keys(let key): "keys \(key)"
            case .index(let scan): "index \(scan.number) \(scan.equalCount) \(scan.providesOrder)"
            case .everything: "everything"
            }
        }
        #expect(plan([b == "x", a == 1, e == true]) == "key 0")
        #expect(plan([c == 1]) == "key 1")
        #expect(plan([a.isIn([1, 2]), b == "x"]) == "keys 0")
        #expect(plan([e == true], [.ascending(d)], limit: 3) == "index 0 1 true")
        #expect(plan([e == true], [.descending(e), .descending(d)], limit: 3) == "index 0 1 true")
        #expect(plan([e == true], [.ascending(a)]) == "index 0 1 false")
        #expect(plan([a == 1]) == "index 3 1 true", "the order of the primary key")
        #expect(plan([], [.ascending(a), .ascending(b)], limit: 10) == "index 3 0 true")
        #expect(plan([e != true]) == "everything")
    }
}
