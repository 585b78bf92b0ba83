public import Ports

/// A table whose rows are found by one `uuid` column with a unique key on it, and how to write them back whole.
public struct KeyedTable: Sendable {
    public let table: Table
    /// The column that names a row; it alone is a unique key of the table.
    public let keyColumn: Column
    let key: UniqueKey
    let assignments: [Assignment]
    private let sortKeys: [SortKey]

    /// - Precondition: the table has a unique key of that column alone.
    public init(_ table: Table, key keyColumn: Column) {
        guard let key = ([table.primaryKey] + table.uniqueKeys).first(where: { $0.columns == [keyColumn.ordinal] })
        else {
            preconditionFailure("table \(table.name) has no unique key of column \(keyColumn.name) alone")
        }
        self.table = table
        self.keyColumn = keyColumn
        self.key = key
        sortKeys = [.ascending(keyColumn)]
        assignments = table.columns.filter { $0.ordinal != keyColumn.ordinal }.map { .setExcluded($0) }
    }

    /// Reads the rows of these ids, locked in the order of the key so that two transactions cannot deadlock on them.
    public func selectForUpdate(_ ids: [UniqueID]) -> Statement {
        select(ids, lock: .forUpdate)
    }

    /// Reads the rows of these ids in the order of the key.
    public func select(_ ids: [UniqueID], lock: RowLock = .none) -> Statement {
        if ids.count == 1 { return .select(Select(from: table, where: [keyColumn == .uuid(ids[0])], lock: lock)) }
        let condition = keyColumn.isIn(ids.map { .uuid($0) })
        return .select(Select(from: table, where: [condition], orderedBy: sortKeys, lock: lock))
    }

    /// Writes back rows that were read ``selectForUpdate(_:)`` in the same transaction, every column of them.
    public func overwrite(_ rows: [[Value]]) -> Statement {
        .insert(
            Insert(
                into: table, rows: rows,
                onConflict: .doUpdate(key: key, assignments: assignments, condition: [])))
    }
}

/// Rows of one table held by this transaction's locks: changed in memory, carried from one event of a batch to the next,
/// and written once.
///
/// Writing back whole rows overwrites every column, which is right only because the rows were read `FOR UPDATE` in the
/// same transaction. New rows are plain inserts: a rival that inserted the same key meanwhile makes them fail with 23505
/// instead of being overwritten.
public struct LockedRows: Sendable {
    private enum Change { case none, updated, inserted }

    private let keyed: KeyedTable
    private var rows: [Row]
    private var changes: [Change]
    private var positions: KeyIndex

    /// - Parameter loaded: what ``KeyedTable/selectForUpdate(_:)`` returned in this transaction.
    public init(_ keyed: KeyedTable, _ loaded: [Row]) {
        self.keyed = keyed
        rows = []
        changes = []
        positions = KeyIndex(minimumCapacity: loaded.count)
        add(loaded)
    }

    /// Adds rows that were read ``KeyedTable/selectForUpdate(_:)`` later in this transaction.
    public mutating func add(_ loaded: [Row]) {
        for row in loaded {
            positions.append(row.uuid(keyed.keyColumn))
            rows.append(row)
            changes.append(.none)
        }
    }

    /// Where the row of that key is; `nil` when there is none.
    public func position(of key: UniqueID) -> Int? { positions.position(of: key) }

    public subscript(position: Int) -> Row { rows[position] }

    /// Changes a row; it is written back by ``write(into:)``.
    public mutating func update(at position: Int, _ change: (inout Row) -> Void) {
        change(&rows[position])
        if changes[position] == .none { changes[position] = .updated }
    }

    /// Adds a row that the table does not have yet.
    public mutating func insert(_ row: Row) {
        positions.append(row.uuid(keyed.keyColumn))
        rows.append(row)
        changes.append(.inserted)
    }

    /// Adds at most two statements, one for the new and one for the changed rows.
    public func write(into work: inout UnitOfWork) {
        var inserted: [[Value]] = []
        var updated: [[Value]] = []
        for position in rows.indices {
            switch changes[position] {
            case .none: break
            case .updated: updated.append(rows[position].values)
            case .inserted: inserted.append(rows[position].values)
            }
        }
        if !inserted.isEmpty { work.add(.insert(Insert(into: keyed.table, rows: inserted))) }
        if !updated.isEmpty { work.add(keyed.overwrite(updated)) }
    }
}
