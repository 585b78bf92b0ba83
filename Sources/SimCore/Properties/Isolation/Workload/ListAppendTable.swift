import Ports

/// Lists in a table, one row for each, and the statements that read them and append to them.
///
/// An append is atomic at every level: it locks the list's row, then writes back what it found with the element added, as
/// `UPDATE ... SET elements = elements || x` does, which the port cannot say. Were the row read without a lock, appends
/// would vanish at READ COMMITTED, and with them what the method rests on: that a list tells who appended to it, in which
/// order. A lost update shows all the same, in transactions that read a list, are overtaken, and append to it.
///
/// The row is made by the first append, so that unique keys and reads of rows that are not there yet take part too.
struct ListAppendTable {
    static let table = Table(
        "append_lists", columns: [.column("list", .int64), .column("elements", .json)], primaryKey: ["list"])
    private static let list = table.column("list")
    private static let elements = table.column("elements")

    /// The list's elements; none when it has no row.
    static func read(_ key: Int64, _ session: any DatabaseSession) async throws -> [Int64] {
        let result = try await session.execute(.select(Select(from: table, where: [list == .int64(key)])))
        return try result.rows.first.map { try numbers($0, of: key) } ?? []
    }

    /// Appends an element: one round trip for the first of a list, two otherwise.
    static func append(_ element: Int64, to key: Int64, _ session: any DatabaseSession) async throws {
        let creation = Insert(
            into: table, rows: [[.int64(key), .json([.integer(element)])]],
            onConflict: .doNothing(key: table.primaryKey))
        let lockedRead = Select(from: table, where: [list == .int64(key)], lock: .forUpdate)
        let results = try await session.execute([.insert(creation), .select(lockedRead)])
        if results[0].affectedRowCount == 1 { return }
        guard let row = results[1].rows.first else { throw ListAppendError.rowVanished(key: key) }
        let extended = try numbers(row, of: key) + [element]
        let update = Update(
            table, set: [.set(elements, .json(.array(extended.map { .integer($0) })))], where: [list == .int64(key)])
        let result = try await session.execute(.update(update))
        guard result.affectedRowCount == 1 else { throw ListAppendError.rowVanished(key: key) }
    }

    private static func numbers(_ row: Row, of key: Int64) throws -> [Int64] {
        guard let values = row.json(elements).arrayValue else { throw ListAppendError.notAList(key: key) }
        return try values.map { value in
            guard let number = value.integerValue else { throw ListAppendError.notAList(key: key) }
            return number
        }
    }
}

/// The database answered what no isolation level explains.
public enum ListAppendError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A list's row was there and then was not, though nothing deletes rows.
    case rowVanished(key: Int64)
    /// A list's row holds something else.
    case notAList(key: Int64)

    /// Which list, and what was found.
    public var description: String {
        switch self {
        case .rowVanished(let key):
            "the row of list \(key) was there when it was inserted or locked, and then was not, though nothing deletes rows"
        case .notAList(let key): "the row of list \(key) holds something that is not an array of whole numbers"
        }
    }
}
