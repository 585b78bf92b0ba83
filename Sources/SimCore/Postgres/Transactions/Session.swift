import Ports

extension PostgresServer {
    /// What a session is blocked by.
    enum Wait {
        case nothing
        /// Queued for a row's lock.
        case row(RowReference)
        /// Until that session's transaction has ended, because it holds a rival unique key.
        case transaction(session: Int)
        /// Until the WAL is durable up to the end of its commit record.
        case walSync
        /// Until the standby has it.
        case standby

        var isForLock: Bool {
            switch self {
            case .row, .transaction: true
            case .nothing, .walSync, .standby: false
            }
        }
    }

    /// How far the statement that runs has come. It is kept while the session waits for a lock.
    struct StatementProgress {
        var isStarted = false
        /// Number of the table that it is about, once it is prepared.
        var table = 0
        /// What the statement sees: its own snapshot at READ COMMITTED, the transaction's above that.
        var sequence: UInt64 = 0
        /// Rows found to satisfy the condition, of which those before `position` are done.
        var candidates: ContiguousArray<UInt32> = []
        var position = 0
        /// Index entry behind the last candidate, when more are to be fetched from there.
        var resumesAfter: OrderedEntry?
        /// What the statement returns.
        var rows: [Row] = []
        var affected = 0
        /// The server's ordinals of the client's columns, when the two differ.
        var projection: [Int] = []
        /// Of an insert: the row that is in the heap and has entries of its first `insertedKeys` keys.
        var insertedRow: UInt32 = TableStore.none
        var insertedKeys = 0

        /// Makes it ready for the next statement, keeping the room of its arrays.
        mutating func reset() {
            isStarted = false
            candidates.removeAll(keepingCapacity: true)
            position = 0
            resumesAfter = nil
            rows = []
            affected = 0
            insertedRow = TableStore.none
            insertedKeys = 0
            projection = []
        }
    }

    /// A transaction of a session.
    struct Transaction {
        enum State { case none, active, failed, committing }

        var state = State.none
        var isolation = IsolationLevel.readCommitted
        /// Taken with the first statement above READ COMMITTED.
        var snapshot: UInt64?
        /// Zero until it first writes or locks.
        var id: UInt64 = 0
        var firstLSN = LSN.zero
        var command: UInt32 = 0
        /// Rows whose newest version it wrote, each once, in that order.
        var writes: ContiguousArray<RowReference> = []
        var locks: ContiguousArray<RowReference> = []
        var changes: ContiguousArray<LoggedChange> = []
        var commitEnd = LSN.zero
        /// Its place in the serialization graph; -1 below SERIALIZABLE, and before its snapshot.
        var serializableNode = -1
    }

    /// A server process with its connection: what runs, what its transaction did, what it waits for.
    struct Session {
        var connection = PostgresConnectionID(0)
        var isInUse = false
        /// The client is gone; what runs is finished, then the session ends.
        var isOrphaned = false
        var transaction = Transaction()

        // Its own settings, and what comes of them and the server's.
        var own = PostgresSessionSettings()
        var synchronousCommit = SynchronousCommit.on
        var lockTimeout: Nanoseconds?
        var statementTimeout: Nanoseconds?
        /// Its number among all connections ever opened.
        var openedNumber: UInt64 = 0

        // The request that runs.
        var request: PostgresRequestID?
        var statements: [Statement] = []
        var statementIndex = 0
        var commitsAtEnd = false
        var results: [StatementResult] = []
        var progress = StatementProgress()
        var warning: String?
        var startedAt = Instant.epoch

        /// When it last answered inside its transaction.
        var idleSince = Instant.epoch
        var isIdleTimerSet = false
        /// Grows with each connection that this place serves.
        var useNumber: UInt32 = 0

        // Waiting.
        var wait = Wait.nothing
        /// Grows with each wait, so that timers of earlier ones are known as stale.
        var waitNumber: UInt32 = 0
        /// Grows with each request, likewise.
        var requestNumber: UInt32 = 0
        /// The next session in the same queue, plus one.
        var nextWaiter: UInt32 = 0
        /// Sessions that wait for this one's transaction to end, plus one.
        var firstEndWaiter: UInt32 = 0
        var lastEndWaiter: UInt32 = 0
        /// What its next transaction sees, exported by a slot.
        var exportedSnapshot: UInt64?
        /// Index in the server's list of held snapshots; -1 when it holds none.
        var heldSnapshot: Int = -1
        /// The slot that it consumes, as an index; -1 for none.
        var slot: Int = -1
    }
}
