import Ports

/// The tables that PostgreSQL cases use.
enum Fixtures {
    /// Rows 1 and 2 with values 10 and 20, as in the Hermitage suite of isolation anomalies.
    static let test = Table(
        "test", columns: [.column("id", .int64), .column("value", .int64)], primaryKey: ["id"])
    static let id = test.column("id")
    static let value = test.column("value")

    /// A second key, a check, and a column that may be null.
    static let stock = Table(
        "stock",
        columns: [
            .column("id", .int64), .column("code", .text, nullable: true), .column("amount", .int64),
            .column("note", .text, nullable: true),
        ],
        primaryKey: ["id"], unique: [["code"]],
        checks: [("amount_not_negative", { columns in [columns[2] >= 0] })], indexes: [["amount"]])
    static let stockID = stock.column("id")
    static let code = stock.column("code")
    static let amount = stock.column("amount")
    static let note = stock.column("note")

    /// One column of each type.
    static let everyType = Table(
        "every_type",
        columns: [.column("id", .int64)]
            + [ColumnType.int64, .text, .bool, .uuid, .timestamp, .json, .bytes].map {
                .column("a_\($0.rawValue)", $0, nullable: true)
            },
        primaryKey: ["id"])

    static let schema = Schema(name: "contract", version: 1, tables: [test, stock, everyType])

    static func insert(_ id: Int64, _ value: Int64) -> Statement {
        .insert(Insert(into: test, rows: [[.int64(id), .int64(value)]]))
    }
    static func set(_ id: Int64, _ value: Int64) -> Statement {
        .update(Update(test, set: [.set(Fixtures.value, .int64(value))], where: [Fixtures.id == .int64(id)]))
    }
    static func add(_ amount: Int64, to id: Int64) -> Statement {
        .update(Update(test, set: [.increment(value, by: amount)], where: [Fixtures.id == .int64(id)]))
    }
    static func addToAll(_ amount: Int64) -> Statement {
        .update(Update(test, set: [.increment(value, by: amount)], where: []))
    }
    static func delete(_ id: Int64) -> Statement { .delete(Delete(from: test, where: [Fixtures.id == .int64(id)])) }
    static func read(_ id: Int64, lock: RowLock = .none) -> Statement {
        .select(Select(from: test, where: [Fixtures.id == .int64(id)], lock: lock))
    }
    static let readAll = Statement.select(Select(from: test, orderedBy: [.ascending(id)]))

    static func insertStock(_ id: Int64, _ code: Value, _ amount: Int64 = 0) -> Statement {
        .insert(Insert(into: stock, rows: [[.int64(id), code, .int64(amount), .null]]))
    }
}

extension StageSession {
    /// Value of a row of `test`, `nil` when it is not seen.
    func value(_ id: Int64, file: String = #fileID, line: UInt = #line) async throws -> Int64? {
        try await rows(Fixtures.read(id), file: file, line: line).first?.int64(Fixtures.value)
    }

    /// All rows of `test` as `id: value`.
    func all(file: String = #fileID, line: UInt = #line) async throws -> [Int64: Int64] {
        let rows = try await rows(Fixtures.readAll, file: file, line: line)
        return Dictionary(uniqueKeysWithValues: rows.map { ($0.int64(Fixtures.id), $0.int64(Fixtures.value)) })
    }
}

extension ContractCase {
    /// A case on a database with the fixtures' schema and rows (1, 10) and (2, 20) in `test`.
    static func postgres(
        _ id: String, _ rule: String, options: DatabaseOptions = DatabaseOptions(),
        _ body: @escaping @Sendable (Stage, any DatabaseServer) async throws -> Void
    ) -> ContractCase {
        ContractCase("postgres/\(id)", rule, area: .postgres) { world in
            let server = try await world.makeDatabase(options)
            do {
                try await server.administration.migrate(to: Fixtures.schema)
                _ = try await server.database.executeAtomically([
                    .insert(Insert(into: Fixtures.test, rows: [[1, 10], [2, 20]]))
                ])
                try await Stage.play(server.database, world.clock) { stage in try await body(stage, server) }
            } catch {
                await server.discard()
                throw error
            }
            await server.discard()
        }
    }
}
