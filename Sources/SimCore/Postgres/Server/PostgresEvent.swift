public import Ports

/// Names a connection to one server; chosen by whoever opens it, never used again on that server.
public struct PostgresConnectionID: Hashable, Sendable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Names a request of one connection; given back with the reply.
public struct PostgresRequestID: Hashable, Sendable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Names a timer that the server set. Stale ones may fire: the server knows and ignores them.
public struct PostgresTimerID: Hashable, Sendable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// What a client asks for in one message, or in one pipeline.
public enum PostgresRequest: Sendable {
    /// Runs the statements in the open transaction, after opening one if `begin` is given. Without either they are one
    /// READ COMMITTED transaction of their own.
    case execute([Statement], begin: IsolationLevel?)
    /// Likewise, and commits. The transaction has ended afterwards, whatever the reply.
    case executeAndCommit([Statement], begin: IsolationLevel?)
    /// Ends the open transaction without effect; succeeds when there is none.
    case rollback
    /// Creates tables and columns that the schema declares and the server does not have.
    case migrate(Schema)
    /// A replication command; see ``ReplicationRequest``.
    case replication(ReplicationRequest)
    /// Settings of this session, from now on. Not replied to.
    case configure(PostgresSessionSettings)
}

/// What a request came to.
public enum PostgresReply: Sendable {
    /// One result for each statement. `warning` is set when a commit was not confirmed by the synchronous standby.
    case results([StatementResult], warning: String?)
    case failure(DatabaseError)
    case slot(ReplicationSlot?)
    case position(LSN)
    case done
}

/// Something that happens to a server.
public enum PostgresEvent: Sendable {
    /// A client connected (after authentication). Replied to with `done` or a failure, as request zero.
    case connectionOpened(PostgresConnectionID)
    /// The server learned that the client is gone. A statement that runs or waits is finished first, a commit too:
    /// the server notices only when it reads or writes. Source: PostgreSQL documentation, 20.3
    /// `client_connection_check_interval`, off by default.
    case connectionClosed(PostgresConnectionID)
    case request(PostgresConnectionID, PostgresRequestID, PostgresRequest)
    /// A cancel request (53.2.8): stops the running statement with 57014, or a wait for the synchronous standby.
    case cancelRequested(PostgresConnectionID)
    /// `pg_terminate_backend`: ends the connection; what it waits for fails with 57P01.
    case terminated(PostgresConnectionID)
    case timerFired(PostgresTimerID)
    /// WAL up to this position is durable on the server's own disk.
    case walSynced(upTo: LSN)
    /// A sync failed: the server panics, since it cannot know what is on disk. Source: the PostgreSQL wiki, "Fsync
    /// Errors"; `data_sync_retry`.
    case walSyncFailed
    /// A standby was made from a base backup, and streams from now on.
    case standbyAttached
    /// The standby, which was away for a while, streams again from that position, up to where it has the WAL on its disk.
    case standbyConnected(from: LSN)
    /// The standby will not come back.
    case standbyDetached
    /// The standby has WAL up to this position on its disk.
    case standbyAcknowledged(LSN)
    /// Starts a checkpoint now, as the command CHECKPOINT does.
    case checkpointRequested
    /// Goes on in a new segment of the WAL (`pg_switch_wal`).
    case walSwitchRequested
    /// The configuration was changed and reloaded (`pg_reload_conf`).
    case settingsReloaded(PostgresSettings)
    /// A shutdown in good order: sessions are ended with 57P01, a checkpoint is written, and then
    /// ``PostgresEffect/stopped`` says that it is done.
    case shutdownRequested
}

/// What the server wants done.
public enum PostgresEffect: Sendable {
    case reply(PostgresConnectionID, PostgresRequestID, PostgresReply)
    /// Have the timer fire at that time; there is no cancelling.
    case setTimer(PostgresTimerID, at: Instant)
    /// Write and sync the WAL up to that position, then report ``PostgresEvent/walSynced(upTo:)``.
    case syncWAL(upTo: LSN)
    /// Send the WAL up to that position to the standby.
    case shipWAL(upTo: LSN)
    /// The standby has fallen behind the WAL that is kept for it: it needs a new base backup.
    case standbyLost
    /// Committed transactions for the consumer of a slot.
    case deliver(PostgresConnectionID, [CommittedTransaction])
    /// Close the connection; the server has forgotten it.
    case close(PostgresConnectionID, DatabaseError)
    /// The server stops at once, as in a crash.
    case panic(String)
    /// The server has shut down in good order: everything is on its disk.
    case stopped
}
