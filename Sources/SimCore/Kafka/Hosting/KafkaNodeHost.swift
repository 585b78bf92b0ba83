import Ports

/// A broker or the controller as a process: the shell around its state machine.
final class KafkaNodeHost: EventHandler, ProcessObserver, ConnectionDelegate {
    private enum Code: UInt16 {
        case timer = 1
        /// A closed segment has reached the disk: `first` is the partition, `second` the offset.
        case flushed = 2
        /// The operating system writes dirty pages back.
        case writeBack = 3
    }

    /// How often Linux writes dirty pages back (`vm.dirty_expire_centisecs`, 30 s).
    private static let writeBackInterval = Nanoseconds.seconds(30)

    let node: NodeID
    let process: ProcessID
    let disk: SimulatedDisk
    /// One of the two is the machine of this node. Two stored optionals and no enum, so that it is changed in place.
    private var controller: Controller?
    private var broker: Broker?
    private unowned let cluster: SimulatedKafkaCluster
    private let simulation: Simulation
    private var handler: HandlerID!
    private var connections: KafkaConnections!
    private var effects: [NodeEffect] = []
    private var isHandling = false

    init(
        _ cluster: SimulatedKafkaCluster, node: NodeID, name: String, controller: consuming Controller? = nil,
        broker: consuming Broker? = nil, disk diskSettings: DiskSettings
    ) {
        self.cluster = cluster
        self.node = node
        self.controller = controller
        self.broker = broker
        simulation = cluster.simulation
        process = simulation.addProcess(name)
        disk = SimulatedDisk(simulation, process: process, settings: diskSettings)
        handler = simulation.register(self, process: process)
        connections = KafkaConnections(cluster, process: process)
        connections.received = { [unowned self] in handle(.response(from: $0, $1, $2)) }
        connections.failed = { [unowned self] node, channel, _ in handle(.connectionFailed(node, channel)) }
        simulation.observe(process, by: self)
    }

    var controllerMetadata: ClusterMetadata? { controller?.metadata }
    func controllerHeard(of broker: NodeID, within span: Nanoseconds) -> Bool {
        controller?.heard(of: broker, within: span, now: simulation.now) ?? false
    }
    /// As what this broker registers at the controller; each start is another.
    var registrationIncarnation: Int64? { broker?.incarnation }

    /// See ``Broker/committedBatches(of:from:)``; nothing on the controller.
    func committedBatches(of partition: PartitionID, from offset: Int64) -> (batches: [StoredBatch], end: Int64) {
        broker?.committedBatches(of: partition, from: offset) ?? ([], offset)
    }

    // MARK: The process

    func processStarted(_ process: ProcessID, incarnation: UInt32) {
        cluster.transport.listen(process, delegate: self)
        broker?.repairStorage()
        handle(.started(incarnation: Int64(incarnation) * 1_000 + Int64(node.rawValue)))
        simulation.schedule(
            at: simulation.now + Self.writeBackInterval, handler, code: Code.writeBack.rawValue)
    }

    func processCrashed(_ process: ProcessID) {
        dispatch(.stopped)
        effects.removeAll()
        connections.forgetAll()
        // A process that dies leaves the page cache behind; a machine that dies takes it along.
        guard simulation.isHostDown(process) || disk.hasCrashModelFault else { return }
        for partition in broker?.partitions ?? [] {
            guard let tail = broker?.unflushedTail(of: partition), !tail.isEmpty else { continue }
            let survivors = disk.drawSurvivors(of: tail.count)
            broker?.loseUnflushedTail(of: partition, from: tail.lowerBound + Int64(survivors))
        }
    }

    // MARK: Events

    func handle(_ event: KernelEvent) {
        switch Code(rawValue: event.code) {
        case .timer: handle(.timerFired)
        case .flushed:
            broker?.flushed(PartitionID(Int32(truncatingIfNeeded: event.first)), upTo: Int64(event.second))
        case .writeBack: writeBack()
        case nil: preconditionFailure("a Kafka node has no event code \(event.code)")
        }
    }

    func describe(_ event: KernelEvent) -> String {
        switch Code(rawValue: event.code) {
        case .timer: "timer"
        case .flushed: "partition \(event.first) is on disk up to \(event.second)"
        case .writeBack: "dirty pages are written back"
        case nil: "code \(event.code)"
        }
    }

    private func handle(_ event: NodeEvent) {
        guard simulation.state(of: process) == .running || simulation.state(of: process) == .paused else { return }
        precondition(!isHandling, "a Kafka node's effects led back into it")
        isHandling = true
        dispatch(event)
        isHandling = false
        let wanted = effects
        effects.removeAll(keepingCapacity: true)
        for effect in wanted { perform(effect) }
    }

    private func dispatch(_ event: NodeEvent) {
        controller?.handle(event, now: simulation.now, effects: &effects)
        broker?.handle(event, now: simulation.now, effects: &effects)
    }

    private func perform(_ effect: NodeEffect) {
        switch effect {
        case .request(let node, let channel, let request): connections.send(request, to: node, channel)
        case .respond(let connection, let response):
            cluster.transport.send(
                .response(response), on: ConnectionID(word: UInt64(bitPattern: connection.rawValue)), from: .server)
        case .close(let connection):
            cluster.transport.close(ConnectionID(word: UInt64(bitPattern: connection.rawValue)), side: .server)
        case .disconnect(let node, let channel): connections.disconnect(node, channel)
        case .setTimer(let time): simulation.schedule(at: time, handler, code: Code.timer.rawValue)
        case .flush(let partition, let offset):
            let latency = disk.drawLatency(disk.settings.syncLatency)
            if disk.drawsSyncFailure() { return handle(.storageFailed) }
            simulation.schedule(
                at: simulation.now + latency, handler, code: Code.flushed.rawValue,
                first: UInt64(UInt32(bitPattern: partition.rawValue)), second: UInt64(offset))
        case .halt:
            simulation.crash(process)
            simulation.scheduleStart(of: process, at: simulation.now + .seconds(5))
        }
    }

    private func writeBack() {
        for partition in broker?.partitions ?? [] {
            if let tail = broker?.unflushedTail(of: partition), !tail.isEmpty {
                broker?.flushed(partition, upTo: tail.upperBound)
            }
        }
        simulation.schedule(
            at: simulation.now + Self.writeBackInterval, handler, code: Code.writeBack.rawValue)
    }

    /// The disk is full or broken: the broker ends, as Kafka's does when its only log directory fails.
    func failStorage() { handle(.storageFailed) }

    // MARK: Connections that it accepted

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {}

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: KafkaWireMessage) {
        guard case .request(let request) = message else { preconditionFailure("a client sent a response") }
        handle(.request(from: KafkaConnectionID(Int64(bitPattern: connection.word)), request))
    }

    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        handle(.connectionClosed(KafkaConnectionID(Int64(bitPattern: connection.word))))
    }
}
