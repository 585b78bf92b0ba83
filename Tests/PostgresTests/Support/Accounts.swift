import Ports
import SimCore

/// The table that most scenarios use: numbered accounts with an owner, a balance that may not be negative, and a state.
enum Accounts {
    static let table = Table(
        "accounts",
        columns: [
            .column("id", .int64), .column("owner", .text), .column("balance", .int64),
            .column("state", .text, nullable: true), .column("due", .timestamp, nullable: true),
        ],
        primaryKey: ["id"], unique: [["owner"]],
        checks: [(name: "balance", condition: { [$0[2] >= 0] })], indexes: [["state", "due"]])

    static let id = table.column("id")
    static let owner = table.column("owner")
    static let balance = table.column("balance")
    static let state = table.column("state")
    static let due = table.column("due")

    static func values(_ id: Int64, balance: Int64 = 100, owner: String? = nil, state: String? = "open") -> [Value] {
        [.int64(id), .text(owner ?? "owner \(id)"), .int64(balance), state.map { .text($0) } ?? .null, .null]
    }

    static func insert(_ id: Int64, balance: Int64 = 100, owner: String? = nil, state: String? = "open") -> Statement {
        .insert(Insert(into: table, rows: [values(id, balance: balance, owner: owner, state: state)]))
    }

    static func select(_ id: Int64, lock: RowLock = .none) -> Statement {
        .select(Select(from: table, where: [Self.id == .int64(id)], lock: lock))
    }

    static func selectAll(where condition: [Comparison] = [], lock: RowLock = .none, limit: Int? = nil) -> Statement {
        .select(Select(from: table, where: condition, orderedBy: [.ascending(id)], limit: limit, lock: lock))
    }

    static func add(_ amount: Int64, to id: Int64, if condition: [Comparison] = []) -> Statement {
        .update(
            Update(
                table, set: [.increment(balance, by: amount)], where: [Self.id == .int64(id)] + condition,
                returning: true))
    }

    static func set(_ column: Column, _ value: Value, where condition: [Comparison]) -> Statement {
        .update(Update(table, set: [.set(column, value)], where: condition, returning: true))
    }

    static func delete(_ id: Int64) -> Statement {
        .delete(Delete(from: table, where: [Self.id == .int64(id)], returning: true))
    }

    /// A server with accounts 1 to `count` of balance 100.
    static func server(_ count: Int64, settings: PostgresSettings = PostgresSettings()) -> ScriptedServer {
        let host = ScriptedServer([table], settings: settings)
        let session = host.session()
        for id in 1...max(count, 1) where id <= count { session.commit(insert(id)) }
        session.close()
        return host
    }
}

extension Row {
    var balance: Int64 { int64(Accounts.balance) }
    var id: Int64 { int64(Accounts.id) }
}
