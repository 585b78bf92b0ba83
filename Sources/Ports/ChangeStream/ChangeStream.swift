/// A position in PostgreSQL's write-ahead log: a byte address.
public struct LSN: Hashable, Comparable, Sendable, Codable {
    public let rawValue: UInt64
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static let zero = LSN(0)
    @inlinable public static func < (left: LSN, right: LSN) -> Bool { left.rawValue < right.rawValue }
}

extension LSN: CustomStringConvertible {
    /// PostgreSQL's own form, two hexadecimal halves: `16/B374D848`.
    public var description: String {
        let high = String(rawValue >> 32, radix: 16, uppercase: true)
        let low = String(rawValue & 0xFFFF_FFFF, radix: 16, uppercase: true)
        return "\(high)/\(low)"
    }
}

/// What happened to one row. Old rows hold the primary key only, the rest null (REPLICA IDENTITY DEFAULT).
public enum RowChange: Hashable, Sendable {
    case insert(new: Row)
    /// `oldKey` is present only when the primary key changed.
    case update(oldKey: Row?, new: Row)
    case delete(oldKey: Row)
}

/// One changed row of a committed transaction.
public struct ChangeEvent: Hashable, Sendable {
    public let table: String
    public let change: RowChange
    /// LSN of the change itself. Not ordered across transactions: never deduplicate by it (risingwave#22369).
    public let lsn: LSN
    /// Columns of an update's new row that are null only because the server did not send them: values stored out of line
    /// (more than about 2 kB) that the update left alone (PostgreSQL documentation, "Logical Replication Message Formats").
    public let unavailableColumns: [String]

    public init(table: String, change: RowChange, lsn: LSN, unavailableColumns: [String] = []) {
        self.table = table
        self.change = change
        self.lsn = lsn
        self.unavailableColumns = unavailableColumns
    }
}

/// A committed transaction as logical decoding hands it out: whole, in commit order, never an aborted one.
public struct CommittedTransaction: Hashable, Sendable {
    public let transactionID: UInt64
    /// LSN of the commit record; grows from one transaction to the next.
    public let commitLSN: LSN
    /// First byte after the commit record: what to confirm once the transaction is dealt with.
    public let endLSN: LSN
    public let committedAt: Instant
    /// The changes in the order in which the transaction made them.
    public let changes: [ChangeEvent]

    public init(
        transactionID: UInt64, commitLSN: LSN, endLSN: LSN, committedAt: Instant, changes: [ChangeEvent]
    ) {
        self.transactionID = transactionID
        self.commitLSN = commitLSN
        self.endLSN = endLSN
        self.committedAt = committedAt
        self.changes = changes
    }
}

/// Whether a slot still has the WAL it needs (`pg_replication_slots.wal_status`).
public enum SlotStatus: String, Hashable, Sendable, Codable {
    case reserved, extended, unreserved, lost
}

/// A logical replication slot as the server reports it.
public struct ReplicationSlot: Hashable, Sendable {
    public let name: String
    /// The oldest WAL that the slot holds back; an open transaction keeps it from advancing.
    public let restartLSN: LSN
    /// What the consumer has confirmed. Persists at checkpoints only: a crash of the server can set it back.
    public let confirmedFlushLSN: LSN
    public let isActive: Bool
    public let status: SlotStatus

    public init(name: String, restartLSN: LSN, confirmedFlushLSN: LSN, isActive: Bool, status: SlotStatus) {
        self.name = name
        self.restartLSN = restartLSN
        self.confirmedFlushLSN = confirmedFlushLSN
        self.isActive = isActive
        self.status = status
    }
}

/// The change stream port: logical replication slots of one database.
public protocol ChangeStreams: Sendable {
    /// Creates a slot for the tables named, starting now.
    ///
    /// - Throws: ``SQLState/duplicateObject`` when it exists.
    func createSlot(_ name: String, tables: [String]) async throws
    /// Drops a slot, so that it holds no WAL any more.
    ///
    /// - Throws: ``SQLState/undefinedObject`` when it does not exist, ``SQLState/objectInUse`` while it is consumed.
    func dropSlot(_ name: String) async throws
    /// The slot as the server has it, or `nil`.
    func slot(_ name: String) async throws -> ReplicationSlot?
    /// The server's current WAL position, for measuring the slot's backlog.
    func currentLSN() async throws -> LSN
    /// Starts to consume a slot from its confirmed position (or from `start`, when that is later).
    ///
    /// - Throws: ``SQLState/objectInUse`` while another consumer has it; ``SQLState/objectNotInPrerequisiteState``
    ///   when its WAL is gone.
    func open(_ name: String, from start: LSN?) async throws -> any ChangeStream
}

/// An open slot: a sequence of committed transactions, at least once each.
public protocol ChangeStream: AnyObject, Sendable {
    /// The next committed transactions, at least one, at most `maximumTransactions`; an empty array when none came within
    /// `timeout`. A transaction that touched none of the slot's tables is not handed out.
    ///
    /// - Throws: ``DatabaseError/connectionLost(_:)``; open the slot again then, and expect repetition.
    func next(maximumTransactions: Int, timeout: Nanoseconds) async throws -> [CommittedTransaction]
    /// Tells the server that everything below `lsn` is dealt with. Sent with the next feedback, and never takes an earlier
    /// confirmation back. The server saves it when it lets the slot's restart position move, or when it is shut down in
    /// good order; a checkpoint alone does not save it, and a crash takes back what was not saved.
    ///
    /// When all that was handed out is confirmed, the adapter confirms with it what the server says it has passed over, so
    /// that a quiet table does not hold the log of a busy database.
    func confirm(_ lsn: LSN) async throws
    func close() async
}
