public import Ports

/// A PostgreSQL server as a state machine: events in, effects out, no IO and no time of its own.
///
/// Statements take no virtual time here; what a server's CPU and disk cost is added by whoever carries out the effects.
/// Sources: PostgreSQL documentation, chapters 13 (concurrency control), 30 (reliability and the WAL), 49 (logical
/// decoding).
public struct PostgresServer: ~Copyable, Sendable {
    public internal(set) var settings: PostgresSettings

    // Storage.
    var tables: ContiguousArray<TableStore> = []
    var tableNumbers: [String: Int] = [:]
    /// The version of the schema that `migrate` recorded; zero before the first.
    public internal(set) var schemaVersion = 0
    /// Tables that may not be used, each as often as it was revoked.
    var revocations: ContiguousArray<Revocation> = []

    // Sessions.
    var sessions: ContiguousArray<Session> = []
    var freeSessions: ContiguousArray<Int> = []
    var sessionOfConnection: [PostgresConnectionID: Int] = [:]
    /// Sessions whose wait is over, in the order in which it ended.
    var runnable = FIFOQueue<Int>()
    var availability = Availability.running

    // Transactions.
    /// Grows by one with each transaction that becomes visible.
    var commitSequence: UInt64 = 1
    var nextTransactionID: UInt64 = 700
    /// Snapshots that outlive a statement: the oldest of them keeps dead versions from being freed.
    var heldSnapshots: ContiguousArray<HeldSnapshot> = []
    /// Rows with versions to free once no snapshot sees them, in the order of the sequence that replaced them.
    var garbage = FIFOQueue<Garbage>()

    /// Reads, writes and their conflicts among SERIALIZABLE transactions.
    var serialization = SerializationGraph()

    var wal = WriteAheadLog()
    /// Commit records not yet durable everywhere they must be, in the order of their LSNs.
    var recentCommits = FIFOQueue<PostgresCommitRecord>()
    /// Emptied lists of released commit records, to be filled again.
    var spareChanges: [ContiguousArray<LoggedChange>] = []
    var isWALWriterScheduled = false
    /// Transactions that have an id, oldest first; those that have ended are dropped when they come to the front.
    var openTransactions = FIFOQueue<OpenTransaction>()
    /// Counts connections, so that the newest is known.
    var openedCount: UInt64 = 0

    // Checkpoints. Recovery starts at `redoLSN`.
    var redoLSN = WriteAheadLog.start
    var lastCheckpoint = Instant.epoch
    var isCheckpointScheduled = false
    var runningCheckpoint: Checkpoint?
    /// Tells timers of before a crash from later ones.
    var crashCount: UInt32 = 0

    // Streaming replication.
    var standby: StandbyLink?
    /// What the last standby had on its disk: unlike ``standby``, it outlives a standby that is gone.
    var lastStandbyLSN = LSN.zero
    /// Sessions whose commit waits for the standby, in the order of their commit records.
    var standbyWaiters = FIFOQueue<Int>()
    /// Grows with each promotion.
    public internal(set) var timeline: UInt32 = 1

    // Logical replication.
    var slots: [LogicalSlot] = []
    var slotCreations: [SlotCreation] = []
    var runningTransactions = RunningTransactionsLog()
    var isRunningTransactionsScheduled = false
    var lastRunningTransactions = Instant.epoch
    var decodedLog = DecodedLog()
    /// How many of the recent commits have been decoded.
    var decodedCommitCount = 0
    /// Commits that have become durable since they were last taken, for whoever watches a simulated server from outside.
    var durableCommits: [PostgresCommitRecord] = []
    var recordsDurableCommits = false
    /// Commits that were durable, and that a failover has undone: newest first.
    var lostCommits: [PostgresCommitRecord] = []
    /// Connections refused because there were too many.
    var refusedConnectionCount = 0

    /// The time of the event that is handled.
    var now = Instant.epoch
    /// What the event has caused so far.
    var effects: [PostgresEffect] = []

    public init(settings: PostgresSettings = PostgresSettings()) {
        self.settings = settings
    }

    enum Availability { case running, recovering, shuttingDown, stopped }

    struct HeldSnapshot {
        var session: Int
        var sequence: UInt64
    }

    struct OpenTransaction {
        var session: Int
        var id: UInt64
    }

    struct Garbage {
        var row: RowReference
        var sequence: UInt64
    }

    /// Handles one event and appends what it causes to `effects`.
    ///
    /// Cost: that of the statements it runs; waiting sessions cost nothing until their wait ends.
    public mutating func handle(_ event: PostgresEvent, now: Instant, effects: inout [PostgresEffect]) {
        guard availability != .stopped else { return }
        self.now = now
        swap(&self.effects, &effects)
        switch event {
        case .request(let connection, let request, let body): receive(body, request, from: connection)
        case .timerFired(let timer): timerFired(timer)
        case .walSynced(let position): walSynced(upTo: position)
        case .connectionOpened(let connection): openConnection(connection)
        case .connectionClosed(let connection): closeConnection(connection)
        case .cancelRequested(let connection): cancel(connection)
        case .terminated(let connection): terminate(connection)
        case .walSyncFailed: panic("could not fsync the write-ahead log")
        case .checkpointRequested: startCheckpoint()
        case .walSwitchRequested: switchWAL()
        case .settingsReloaded(let settings): reload(settings)
        case .shutdownRequested: shutDown()
        case .standbyAcknowledged(let position): acknowledgeStandby(position)
        case .standbyAttached: attachStandby()
        case .standbyConnected(let position): resumeStandby(from: position)
        case .standbyDetached: detachStandby()
        }
        runRunnable()
        swap(&self.effects, &effects)
    }

    /// Stops at once: nothing is answered any more until ``crash(survivingWAL:)``.
    mutating func panic(_ reason: String) {
        availability = .stopped
        effects.append(.panic(reason))
    }

    mutating func runRunnable() {
        while !runnable.isEmpty && availability == .running {
            let session = runnable.removeFirst()
            if sessions[session].isInUse { run(session) }
        }
    }

    mutating func reply(_ session: Int, _ reply: PostgresReply) {
        guard let request = sessions[session].request, !sessions[session].isOrphaned else { return }
        effects.append(.reply(sessions[session].connection, request, reply))
    }
}
