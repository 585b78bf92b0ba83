/// One statement of the algebra. The production adapter renders it to SQL with parameters; the simulator executes it.
///
/// What it cannot say (joins, expressions, aggregates) is not in it.
public enum Statement: Sendable {
    case select(Select)
    case insert(Insert)
    case update(Update)
    case delete(Delete)

    /// The table it touches.
    public var table: Table {
        switch self {
        case .select(let select): select.table
        case .insert(let insert): insert.table
        case .update(let update): update.table
        case .delete(let delete): delete.table
        }
    }
}

/// The lock that a select takes on the rows it returns.
public enum RowLock: Hashable, Sendable {
    case none
    /// `FOR UPDATE`: waits for a holder, then re-evaluates the condition on the newest row (READ COMMITTED).
    case forUpdate
    /// `FOR UPDATE SKIP LOCKED`: leaves out rows that another transaction has locked.
    case forUpdateSkipLocked
    /// `FOR UPDATE NOWAIT`: fails with 55P03 at the first locked row.
    case forUpdateNoWait
}

/// A column to sort by.
public struct SortKey: Hashable, Sendable {
    public let column: Column
    public let isDescending: Bool

    public static func ascending(_ column: Column) -> SortKey { SortKey(column: column, isDescending: false) }
    public static func descending(_ column: Column) -> SortKey { SortKey(column: column, isDescending: true) }
}

/// Reads whole rows of one table. Without `orderedBy` their order is the server's own and means nothing.
public struct Select: Sendable {
    public var table: Table
    public var condition: [Comparison]
    /// Nulls sort last ascending and first descending, as in PostgreSQL.
    public var sortKeys: [SortKey]
    /// The most rows to return; `nil` for all.
    public var limit: Int?
    public var lock: RowLock

    public init(
        from table: Table, where condition: [Comparison] = [], orderedBy sortKeys: [SortKey] = [], limit: Int? = nil,
        lock: RowLock = .none
    ) {
        self.table = table
        self.condition = condition
        self.sortKeys = sortKeys
        self.limit = limit
        self.lock = lock
    }
}

/// What an insert does when a row of the same unique key exists.
public enum ConflictAction: Sendable {
    /// Fails with 23505.
    case error
    /// Leaves the existing row alone; the row is absent from what is returned. `nil` key: any unique key.
    case doNothing(key: UniqueKey?)
    /// Updates the existing row of that key; ``Assignment/setExcluded(_:)`` takes the value that was to be inserted.
    case doUpdate(key: UniqueKey, assignments: [Assignment], condition: [Comparison])
}

/// Inserts whole rows: one value for each column of the table, in order.
public struct Insert: Sendable {
    public var table: Table
    public var rows: [[Value]]
    public var onConflict: ConflictAction
    /// Whether the rows inserted (or updated on conflict) are returned.
    public var isReturning: Bool

    public init(into table: Table, rows: [[Value]], onConflict: ConflictAction = .error, returning: Bool = false) {
        self.table = table
        self.rows = rows
        self.onConflict = onConflict
        self.isReturning = returning
    }
}

/// What an update does to one column.
public enum Assignment: Sendable {
    case set(Column, Value)
    /// Adds to a `bigint` column, atomically under the row's lock; 22003 when it leaves 64 bits.
    case increment(Column, by: Int64)
    /// In `ON CONFLICT DO UPDATE` only: the value of the row that was to be inserted (`excluded`).
    case setExcluded(Column)

    public var column: Column {
        switch self {
        case .set(let column, _), .increment(let column, _), .setExcluded(let column): column
        }
    }
}

/// Updates the rows that satisfy a condition.
public struct Update: Sendable {
    public var table: Table
    public var assignments: [Assignment]
    public var condition: [Comparison]
    /// Whether the rows as updated are returned.
    public var isReturning: Bool

    public init(
        _ table: Table, set assignments: [Assignment], where condition: [Comparison], returning: Bool = false
    ) {
        self.table = table
        self.assignments = assignments
        self.condition = condition
        self.isReturning = returning
    }
}

/// Deletes the rows that satisfy a condition.
public struct Delete: Sendable {
    public var table: Table
    public var condition: [Comparison]
    /// Whether the rows as they were are returned.
    public var isReturning: Bool

    public init(from table: Table, where condition: [Comparison], returning: Bool = false) {
        self.table = table
        self.condition = condition
        self.isReturning = returning
    }
}

/// A row: one value for each column of its table.
public struct Row: Hashable, Sendable {
    public var values: [Value]

    @inlinable public init(_ values: [Value]) { self.values = values }

    @inlinable public subscript(column: Column) -> Value { values[column.ordinal] }

    /// - Precondition: the column holds a `bigint` that is not null. Likewise for the accessors below.
    @inlinable public func int64(_ column: Column) -> Int64 {
        guard case .int64(let value) = self[column] else { mismatch(column, "int64") }
        return value
    }
    @inlinable public func text(_ column: Column) -> String {
        guard case .text(let value) = self[column] else { mismatch(column, "text") }
        return value
    }
    @inlinable public func bool(_ column: Column) -> Bool {
        guard case .bool(let value) = self[column] else { mismatch(column, "bool") }
        return value
    }
    @inlinable public func uuid(_ column: Column) -> UniqueID {
        guard case .uuid(let value) = self[column] else { mismatch(column, "uuid") }
        return value
    }
    @inlinable public func timestamp(_ column: Column) -> Instant {
        guard case .timestamp(let value) = self[column] else { mismatch(column, "timestamp") }
        return value
    }
    @inlinable public func json(_ column: Column) -> JSONValue {
        guard case .json(let value) = self[column] else { mismatch(column, "json") }
        return value
    }

    @usableFromInline func mismatch(_ column: Column, _ wanted: String) -> Never {
        preconditionFailure("column \(column.name) is declared \(column.type) and holds \(self[column]), not \(wanted)")
    }
}

/// What a statement did.
public struct StatementResult: Sendable {
    /// Rows selected, inserted, updated or deleted.
    public var affectedRowCount: Int
    /// The rows of a select or of a returning statement.
    public var rows: [Row]

    @inlinable public init(affectedRowCount: Int, rows: [Row] = []) {
        self.affectedRowCount = affectedRowCount
        self.rows = rows
    }
}
