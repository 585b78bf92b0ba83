import Ports

/// Schemas and their versions.
enum MigrationCases {
    static let all: [ContractCase] = [again, newer, older, concurrent, nothingHalf]

    private static let extra = Table("extra", columns: [.column("id", .int64)], primaryKey: ["id"])
    private static let wider = Table(
        "test",
        columns: [.column("id", .int64), .column("value", .int64), .column("remark", .text, nullable: true)],
        primaryKey: ["id"], indexes: [["remark"]])
    private static let second = Schema(
        name: "contract", version: 2, tables: [wider, Fixtures.stock, Fixtures.everyType, extra])

    private static let again = ContractCase.postgres(
        "migrations/again", "Migrating to the version that is there changes nothing"
    ) { stage, server in
        try await server.administration.migrate(to: Fixtures.schema)
        let a = try await stage.session("A")
        try expect(try await a.all(), equals: [1: 10, 2: 20], "rows")
    }

    private static let newer = ContractCase.postgres(
        "migrations/newer", "A newer version adds tables and nullable columns, and keeps the rows"
    ) { stage, server in
        try await server.administration.migrate(to: second)
        let a = try await stage.session("A")
        try await a.run(.insert(Insert(into: extra, rows: [[1]])))
        let rows = try await a.rows(.select(Select(from: wider, orderedBy: [.ascending(wider.column("id"))])))
        try expect(rows.map(\.values), equals: [[1, 10, nil], [2, 20, nil]], "rows with the new column")
        // A program of the older version still works beside it.
        try await a.run(Fixtures.insert(3, 30))
        try expect(try await a.value(3), equals: 30, "row 3 as the older program sees it")
    }

    private static let older = ContractCase.postgres(
        "migrations/older", "A schema older than the recorded one is refused"
    ) { _, server in
        try await server.administration.migrate(to: second)
        try await fails(.objectNotInPrerequisiteState) {
            try await server.administration.migrate(to: Fixtures.schema)
        }
    }

    private static let concurrent = ContractCase.postgres(
        "migrations/concurrent", "Several processes may migrate at once"
    ) { stage, server in
        let a = try await stage.session("A")
        let b = try await stage.session("B")
        let c = try await stage.session("C")
        let steps = [a, b, c].map { $0.start { _ in try await server.administration.migrate(to: second) } }
        for step in steps { try await step.value() }
        try await a.run(.insert(Insert(into: extra, rows: [[1]])))
    }

    private static let nothingHalf = ContractCase.postgres(
        "migrations/atomic", "A migration that fails leaves nothing of itself"
    ) { stage, server in
        let impossible = Table(
            "test", columns: [.column("id", .int64), .column("value", .int64), .column("wanted", .int64)],
            primaryKey: ["id"])
        let schema = Schema(name: "contract", version: 3, tables: [extra, impossible])
        try await fails(.notNullViolation) { try await server.administration.migrate(to: schema) }
        let a = try await stage.session("A")
        try await a.mustFail(.undefinedTable, .select(Select(from: extra)))
        try await server.administration.migrate(to: second)
    }
}
