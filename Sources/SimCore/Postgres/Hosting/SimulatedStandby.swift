import Ports

/// The streaming standby of a simulated server: a process with a disk of its own, which receives the primary's WAL, syncs
/// it, and says how far it has come.
///
/// Its content is what the primary's state machine knows of it; only positions travel. When it is promoted it takes the
/// primary's place under the primary's name, as behind an address that moves along (``SimulatedPostgres/failOver(promotingAfter:)``),
/// and the machine that is left over becomes the next standby, from a base backup.
final class SimulatedStandby: EventHandler, ProcessObserver, ConnectionDelegate {
    private enum Code: UInt16 {
        case connect = 1
        /// `first` is the LSN that is on disk now.
        case synced = 2
        /// Time to say how far it is, although nothing has come.
        case status = 3
    }

    /// `wal_receiver_status_interval`. A primary that is gone without a word is found out by what is sent to it.
    private static let statusInterval = Nanoseconds.seconds(10)

    /// `wal_retrieve_retry_interval` is 5 s by default; a shorter one shortens no guarantee.
    private static let retryInterval = Nanoseconds.seconds(1)

    let process: ProcessID
    let disk: SimulatedDisk
    private unowned let primary: SimulatedPostgres
    private let simulation: Simulation
    private var handler: HandlerID!
    private var connection: ConnectionID?
    private var isSyncing = false
    /// Zero before the first base backup.
    private(set) var timeline: UInt32 = 0
    /// What it would be promoted with: everything that has arrived, synced or not.
    private(set) var receivedLSN = LSN.zero
    private var flushedLSN = LSN.zero

    init(_ simulation: Simulation, name: String, of primary: SimulatedPostgres, disk diskSettings: DiskSettings) {
        self.simulation = simulation
        self.primary = primary
        process = simulation.addProcess(name)
        disk = SimulatedDisk(simulation, process: process, settings: diskSettings)
        handler = simulation.register(self, process: process)
        simulation.observe(process, by: self)
    }

    // MARK: The process

    func processStarted(_ process: ProcessID, incarnation: UInt32) {
        connect()
        scheduleStatus()
    }

    private func scheduleStatus() {
        simulation.schedule(at: simulation.now + Self.statusInterval, handler, code: Code.status.rawValue)
    }

    /// What was received and not synced is fetched again.
    func processCrashed(_ process: ProcessID) {
        connection = nil
        isSyncing = false
        receivedLSN = flushedLSN
    }

    private func connect() {
        connection = primary.replication.connect(from: process, to: primary.process, delegate: self)
    }

    // MARK: Events

    func handle(_ event: KernelEvent) {
        switch Code(rawValue: event.code) {
        case .connect: if connection == nil { connect() }
        case .synced: synced(upTo: LSN(event.first))
        case .status:
            if timeline > 0 { send(.flushed(flushedLSN)) }
            scheduleStatus()
        case nil: preconditionFailure("a standby has no event code \(event.code)")
        }
    }

    func describe(_ event: KernelEvent) -> String {
        switch Code(rawValue: event.code) {
        case .connect: "connects again"
        case .synced: "WAL is durable up to \(LSN(event.first))"
        case .status: "says how far it is"
        case nil: "code \(event.code)"
        }
    }

    private func sync() {
        guard !isSyncing, flushedLSN < receivedLSN else { return }
        isSyncing = true
        let latency = disk.drawLatency(disk.settings.syncLatency)
        if disk.drawsSyncFailure() || disk.drawsFull() {
            // Like any server whose fsync fails it panics, and starts over from what it has.
            simulation.crash(process)
            simulation.scheduleStart(of: process, at: simulation.now + .seconds(1))
            return
        }
        simulation.schedule(
            at: simulation.now + latency, handler, code: Code.synced.rawValue, first: receivedLSN.rawValue)
    }

    private func synced(upTo position: LSN) {
        isSyncing = false
        flushedLSN = max(flushedLSN, position)
        send(.flushed(flushedLSN))
        sync()
    }

    private func send(_ message: StandbyWireMessage) {
        if let connection { primary.replication.send(message, on: connection, from: .client) }
    }

    // MARK: Delegate

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {
        send(.start(timeline: timeline, flushed: flushedLSN))
    }

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: StandbyWireMessage) {
        switch message {
        case .baseBackup(let timeline, let position):
            self.timeline = timeline
            (receivedLSN, flushedLSN) = (position, position)
            send(.flushed(position))
        case .wal(let position):
            receivedLSN = max(receivedLSN, position)
            sync()
        case .start, .flushed: preconditionFailure("a primary sent \(message.description)")
        }
    }

    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        guard self.connection == connection else { return }
        self.connection = nil
        simulation.schedule(at: simulation.now + Self.retryInterval, handler, code: Code.connect.rawValue)
    }
}
