public import Ports

/// When a commit is acknowledged. Source: PostgreSQL documentation, 20.5.1 `synchronous_commit`.
public enum SynchronousCommit: String, Hashable, Sendable, Codable {
    /// At once; a crash loses a suffix of the acknowledged commits, some hundred milliseconds of them.
    case off
    /// When the server's own WAL is synced, not waiting for a standby.
    case local
    /// When the WAL is synced here and, if a synchronous standby is configured, there too.
    case on
}

/// The server's configuration, with PostgreSQL's defaults.
public struct PostgresSettings: Hashable, Sendable {
    /// `max_connections`: one more is refused with 53300.
    public var maximumConnections = 100
    /// `deadlock_timeout`: how long a lock is waited for before a deadlock is looked for.
    public var deadlockTimeout = Nanoseconds.seconds(1)
    /// `statement_timeout`: the most a batch may take before 57014; `nil` for no limit.
    public var statementTimeout: Nanoseconds?
    /// `lock_timeout`: the most that one lock is waited for before 55P03; `nil` for no limit.
    public var lockTimeout: Nanoseconds?
    /// `idle_in_transaction_session_timeout`: a session that is silent for longer inside a transaction is ended with
    /// 25P03; `nil` for never. Without it a client that froze keeps its locks.
    public var idleInTransactionTimeout: Nanoseconds?
    /// `synchronous_commit`.
    public var synchronousCommit = SynchronousCommit.on
    /// `wal_writer_delay`: how often WAL that no commit waits for is synced.
    public var walWriterDelay = Nanoseconds.milliseconds(200)
    /// `checkpoint_timeout`.
    public var checkpointTimeout = Nanoseconds.minutes(5)
    /// `max_wal_size`, in bytes: more WAL since the last checkpoint starts the next one.
    public var maximumWALByteCount: UInt64 = 1 << 30
    /// `max_slot_wal_keep_size`, in bytes: a slot that holds back more is lost at the next checkpoint; `nil` for never.
    public var maximumSlotWALByteCount: UInt64?
    /// `synchronous_standby_names` is not empty: commits wait for the standby.
    public var hasSynchronousStandby = false
    /// Replication slots are kept in step on the standby (`sync_replication_slots`, PostgreSQL 17).
    public var synchronizesSlots = false

    public init() {}
}

/// What one session sets for itself, as a client does with `options` in its connection string; `nil` leaves the server's
/// own setting. Source: PostgreSQL documentation, 20.1.4 and 20.11.
public struct PostgresSessionSettings: Hashable, Sendable {
    /// `synchronous_commit`.
    public var synchronousCommit: SynchronousCommit?
    /// `lock_timeout`; zero for no limit.
    public var lockTimeout: Nanoseconds?
    /// `statement_timeout`; zero for no limit.
    public var statementTimeout: Nanoseconds?

    public init() {}

    /// Whether nothing is set.
    var isEmpty: Bool { self == PostgresSessionSettings() }
}
