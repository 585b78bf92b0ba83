public import Ports

/// A PostgreSQL server as a process of a simulation: the shell around ``PostgresServer`` that carries out its effects on a
/// simulated disk and network.
///
/// The process has no main function; it starts with the run, can be crashed, paused and restarted, and recovers what its
/// disk kept of the write-ahead log.
public final class SimulatedPostgres: EventHandler, ProcessObserver, @unchecked Sendable {
    private enum Code: UInt16 {
        /// `first` is the timer.
        case timer = 1
        /// `first` is the LSN that is durable now.
        case synced = 2
        case syncFailed = 3
        case recovered = 4
        /// `first` is the connection of a slot's consumer.
        case keepalive = 5
        /// A base backup for the standby is done; `first` is its connection.
        case baseBackup = 6
        /// The standby takes over; `first` is the fault, `second` how long its promotion takes.
        case failOver = 7
        /// More of a bulk load is written; `first` is the fault, `second` how many pieces are left.
        case bulkLoad = 8
        /// The client of a fault's transaction goes away; `first` is its connection, `second` the fault.
        case longTransactionEnd = 9
    }

    public let process: ProcessID
    public let disk: SimulatedDisk
    let simulation: Simulation
    let transport: Transport<PostgresWireMessage>
    /// Between primary and standby.
    let replication: Transport<StandbyWireMessage>
    /// Not checked for exclusive access at run time: its effects are carried out when it is done.
    @exclusivity(unchecked) private(set) var server: PostgresServer
    private(set) var standby: SimulatedStandby?
    private var handler: HandlerID!
    private var acceptor: PostgresAcceptor!
    @exclusivity(unchecked) private var effects: [PostgresEffect] = []
    /// Connections that the server knows.
    @exclusivity(unchecked) private var connections: Set<PostgresConnectionID> = []
    private var standbyAcceptor: StandbyAcceptor!
    /// The standby's connection, once it streams.
    var walSender: ConnectionID?
    /// What faults make of the server while they last.
    var disturbance = Disturbance()

    /// How long a restart takes: the start itself, and the replay of the WAL since the last checkpoint.
    public struct RecoveryTime: Hashable, Sendable {
        public var startup = Nanoseconds.milliseconds(200)
        public var bytesPerMicrosecond: UInt64 = 100

        public init() {}
    }

    /// A changed row of a durable transaction, as an observer outside of the system sees it: whole rows, before and after.
    public struct DurableChange: Sendable {
        public let table: String
        public let old: Row?
        public let new: Row?
    }

    /// Told of each transaction once it is durable, in commit order: for properties that follow a database step by step.
    public var onDurableCommit: (([DurableChange]) -> Void)? {
        didSet { server.recordsDurableCommits = onDurableCommit != nil }
    }

    /// Told of the transactions that a failover has undone although they were durable: newest first, each as it was told of
    /// to ``onDurableCommit``. Never called with a synchronous standby whose slots are synchronised.
    public var onLostCommits: (([[DurableChange]]) -> Void)?

    public var recovery = RecoveryTime()
    /// How long a base backup for a new standby takes.
    public var baseBackupTime = Nanoseconds.seconds(2)
    private var recoveryByteCount: UInt64 = 0
    /// Half of `wal_sender_timeout` (60 s): how often a consumer that is sent nothing else is sent a sign of life.
    static let keepaliveInterval = Nanoseconds.seconds(30)

    /// Adds a server process, and one for its standby if it has one (`NAME-standby`).
    public init(
        _ simulation: Simulation, name: String, settings: PostgresSettings = PostgresSettings(),
        hasStandby: Bool = false, disk diskSettings: DiskSettings = DiskSettings()
    ) {
        self.simulation = simulation
        process = simulation.addProcess(name)
        disk = SimulatedDisk(simulation, process: process, settings: diskSettings)
        server = PostgresServer(settings: settings)
        transport = Transport(
            simulation, name: "postgres", byteCount: { $0.byteCount }, describe: { $0.description })
        replication = Transport(
            simulation, name: "postgres-wal", byteCount: { $0.byteCount }, describe: { $0.description })
        handler = simulation.register(self, process: process)
        acceptor = PostgresAcceptor(self)
        standbyAcceptor = StandbyAcceptor(self)
        simulation.observe(process, by: self)
        if hasStandby {
            standby = SimulatedStandby(simulation, name: name + "-standby", of: self, disk: diskSettings)
        }
    }

    // MARK: The process

    public func processStarted(_ process: ProcessID, incarnation: UInt32) {
        transport.listen(process, delegate: acceptor)
        if standby != nil { replication.listen(process, delegate: standbyAcceptor) }
        guard server.isRecovering else { return }
        let span = recovery.startup + Nanoseconds(Int64(recoveryByteCount / recovery.bytesPerMicrosecond) * 1_000)
        simulation.schedule(at: simulation.now + span, handler, code: Code.recovered.rawValue)
    }

    /// What was not synced survives as far as the disk says: always a prefix of the log.
    public func processCrashed(_ process: ProcessID) {
        effects.removeAll()
        connections.removeAll()
        walSender = nil
        let promotedLSN = disturbance.promotedLSN
        disturbance = Disturbance()
        if let promotedLSN { return promote(at: promotedLSN) }
        recoveryByteCount = server.recoveryByteCount
        let unsynced = server.unsyncedCommitEnds
        let kept = disk.drawSurvivors(of: unsynced.count)
        server.crash(survivingWAL: kept == 0 ? server.flushedLSN : unsynced[kept - 1])
        reportDurableCommits()
    }

    // MARK: Events

    public func handle(_ event: KernelEvent) {
        switch Code(rawValue: event.code) {
        case .timer: handle(.timerFired(PostgresTimerID(event.first)))
        case .synced: handle(.walSynced(upTo: LSN(event.first)))
        case .syncFailed: handle(.walSyncFailed)
        case .recovered: server.finishRecovery()
        case .keepalive: keepAlive(PostgresConnectionID(event.first))
        case .baseBackup: finishBaseBackup(ConnectionID(word: event.first))
        case .failOver:
            failOver(FaultInstanceID(rawValue: UInt32(event.first)), promotingAfter: Nanoseconds(Int64(event.second)))
        case .bulkLoad:
            loadBulk(FaultInstanceID(rawValue: UInt32(event.first)), pieceCount: Int(event.second))
        case .longTransactionEnd:
            endTransaction(PostgresConnectionID(event.first), FaultInstanceID(rawValue: UInt32(event.second)))
        case nil: preconditionFailure("a PostgreSQL server has no event code \(event.code)")
        }
    }

    public func describe(_ event: KernelEvent) -> String {
        switch Code(rawValue: event.code) {
        case .timer: "timer \(event.first)"
        case .synced: "WAL is durable up to \(LSN(event.first))"
        case .syncFailed: "WAL sync failed"
        case .recovered: "recovery is done"
        case .keepalive: "keepalive to the consumer of a slot"
        case .baseBackup: "a base backup is done"
        case .failOver: "the standby takes over"
        case .bulkLoad: "a bulk load writes"
        case .longTransactionEnd: "a long transaction ends"
        case nil: "code \(event.code)"
        }
    }

    func handle(_ event: PostgresEvent) {
        server.handle(event, now: simulation.now, effects: &effects)
        // Effects may feed back into the server only through later events, so the list is complete.
        for effect in effects { carryOut(effect) }
        effects.removeAll(keepingCapacity: true)
        if !server.durableCommits.isEmpty { reportDurableCommits() }
    }

    /// Does something to the server that no client asked for, and carries out what comes of it.
    func disturb<Result>(_ body: (inout PostgresServer) -> Result) -> Result {
        let result = server.disturb(now: simulation.now, effects: &effects, body)
        for effect in effects { carryOut(effect) }
        effects.removeAll(keepingCapacity: true)
        if !server.durableCommits.isEmpty { reportDurableCommits() }
        return result
    }

    private func reportDurableCommits() {
        guard let onDurableCommit else { return }
        let commits = server.durableCommits
        server.durableCommits.removeAll(keepingCapacity: true)
        for commit in commits { onDurableCommit(rows(of: commit)) }
    }

    private func rows(of commit: PostgresCommitRecord) -> [DurableChange] {
        commit.changes.map { change in
            DurableChange(
                table: server.tables[Int(change.table)].layout.table.name,
                old: change.old.isEmpty ? nil : Row(change.old), new: change.new.isEmpty ? nil : Row(change.new))
        }
    }

    /// The process that is down is replaced by what its standby has.
    private func promote(at position: LSN) {
        recoveryByteCount = 0
        server.failOver(to: position)
        reportDurableCommits()
        let lost = server.lostCommits
        server.lostCommits = []
        if !lost.isEmpty { onLostCommits?(lost.map { rows(of: $0) }) }
    }

    func schedule(_ event: LaterEvent, after span: Nanoseconds, first: UInt64 = 0, second: UInt64 = 0) {
        let code: Code =
            switch event {
            case .baseBackup: .baseBackup
            case .failOver: .failOver
            case .bulkLoad: .bulkLoad
            case .longTransactionEnd: .longTransactionEnd
            }
        simulation.schedule(
            at: simulation.now + span, handler, code: code.rawValue, first: first, second: second)
    }

    /// Events that the parts of this shell in other files schedule.
    enum LaterEvent { case baseBackup, failOver, bulkLoad, longTransactionEnd }

    fileprivate func opened(_ connection: PostgresConnectionID) {
        connections.insert(connection)
        let refusedCount = server.refusedConnectionCount
        handle(.connectionOpened(connection))
        if server.refusedConnectionCount > refusedCount, let fault = disturbance.exhaustion {
            simulation.faults.tookEffect(fault)
        }
    }

    fileprivate func ended(_ connection: PostgresConnectionID) {
        if connections.remove(connection) != nil { handle(.connectionClosed(connection)) }
    }

    private func carryOut(_ effect: PostgresEffect) {
        switch effect {
        case .reply(let connection, let request, let reply):
            transport.send(.reply(request, reply), on: ConnectionID(word: connection.rawValue), from: .server)
        case .setTimer(let timer, let time):
            simulation.schedule(at: time, handler, code: Code.timer.rawValue, first: timer.rawValue)
        case .syncWAL(let position): sync(upTo: position)
        case .shipWAL(let position): ship(upTo: position)
        case .standbyLost: dropStandby()
        case .deliver(let connection, let transactions):
            transport.send(.transactions(transactions), on: ConnectionID(word: connection.rawValue), from: .server)
        case .close(let connection, let error):
            connections.remove(connection)
            let id = ConnectionID(word: connection.rawValue)
            transport.send(.closing(error), on: id, from: .server)
            transport.close(id, side: .server)
        case .panic(let reason):
            simulation.writeLog(.warning, process: process, "PANIC", [LogField("reason", reason)])
            // The postmaster starts the server again, as after any crash of a backend.
            simulation.crash(process)
            simulation.scheduleStart(of: process, at: simulation.now + .seconds(1))
        case .stopped: simulation.crash(process)
        }
    }

    /// A consumer that is gone without a word is found out by what is sent to it; its slot is free again then.
    fileprivate func keepAlive(_ connection: PostgresConnectionID) {
        guard connections.contains(connection), server.isConsumer(connection) else { return }
        transport.send(.keepalive, on: ConnectionID(word: connection.rawValue), from: .server)
        scheduleKeepalive(connection)
    }

    fileprivate func scheduleKeepalive(_ connection: PostgresConnectionID) {
        simulation.schedule(
            at: simulation.now + Self.keepaliveInterval, handler, code: Code.keepalive.rawValue,
            first: connection.rawValue)
    }

    private func sync(upTo position: LSN) {
        let latency = disk.drawLatency(disk.settings.syncLatency)
        let code: Code = disk.drawsSyncFailure() || disk.drawsFull() ? .syncFailed : .synced
        simulation.schedule(at: simulation.now + latency, handler, code: code.rawValue, first: position.rawValue)
    }
}

/// The server's end of its connections.
private final class PostgresAcceptor: ConnectionDelegate {
    private unowned(unsafe) let host: SimulatedPostgres

    init(_ host: SimulatedPostgres) { self.host = host }

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {
        host.opened(PostgresConnectionID(connection.word))
    }

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: consuming PostgresWireMessage) {
        if case .cancel = message { return host.handle(.cancelRequested(PostgresConnectionID(connection.word))) }
        guard case .request(let request, let body) = message else {
            preconditionFailure("a client sent \(message.description), which is no request")
        }
        host.handle(.request(PostgresConnectionID(connection.word), request, body))
        if case .replication(.start) = body { host.scheduleKeepalive(PostgresConnectionID(connection.word)) }
    }

    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        host.ended(PostgresConnectionID(connection.word))
    }
}
