import Ports

/// A broker or the controller as a process: the shell around its state machine.
final class KafkaNodeHost: EventHandler, ProcessObserver, ConnectionDelegate {
    private enum Code: UInt16 {
        case timer = 1
        /// A closed segment has reached the disk: `first` is the partition, `second` the offset.
        case flushed = 2
        /// The operating system writes dirty pages back.
        case writeBack = 3
        /// A storm makes the groups rebalance; `first` is the fault, `second` how often more.
        case rebalance = 4
    }

    /// How often Linux writes dirty pages back (`vm.dirty_expire_centisecs`, 30 s).
    private static let writeBackInterval = Nanoseconds.seconds(30)

    let node: NodeID
    let process: ProcessID
    let disk: SimulatedDisk
    /// One of the two is the machine of this node. Two stored optionals and no enum, so that it is changed in place.
    /// Not checked for exclusive access at run time: `isHandling` guards against what could overlap.
    @exclusivity(unchecked) private var controller: Controller?
    @exclusivity(unchecked) private var broker: Broker?
    private unowned(unsafe) let cluster: SimulatedKafkaCluster
    let simulation: Simulation
    @exclusivity(unchecked) private var handler: HandlerID!
    @exclusivity(unchecked) private var connections: KafkaConnections!
    @exclusivity(unchecked) private var effects: [NodeEffect] = []
    /// An empty list with room, for the next time that effects are carried out.
    @exclusivity(unchecked) private var spareEffects: [NodeEffect] = []
    @exclusivity(unchecked) private var isHandling = false

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

    /// See ``Broker/batches(of:in:)``; nothing on the controller.
    func batches(of partition: PartitionID, in span: Range<Int64>) -> [StoredBatch] {
        broker?.batches(of: partition, in: span) ?? []
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
        case .rebalance:
            rebalanceGroups(FaultInstanceID(rawValue: UInt32(event.first)), timesLeft: Int(event.second))
        case nil: preconditionFailure("a Kafka node has no event code \(event.code)")
        }
    }

    func describe(_ event: KernelEvent) -> String {
        switch Code(rawValue: event.code) {
        case .timer: "timer"
        case .flushed: "partition \(event.first) is on disk up to \(event.second)"
        case .writeBack: "dirty pages are written back"
        case .rebalance: "groups are made to rebalance"
        case nil: "code \(event.code)"
        }
    }

    private func handle(_ event: NodeEvent) {
        guard simulation.state(of: process) == .running || simulation.state(of: process) == .paused else { return }
        precondition(!isHandling, "a Kafka node's effects led back into it")
        isHandling = true
        dispatch(event)
        isHandling = false
        performAll()
        if !watches.isEmpty { watch() }
        if controller != nil, !cluster.endangered.isEmpty { cluster.reportLosses() }
    }

    private func performAll() {
        // What is carried out may lead to further effects of this node, so the list is put aside; its room is used again.
        var wanted = spareEffects
        spareEffects = []
        swap(&wanted, &effects)
        for effect in wanted { perform(effect) }
        wanted.removeAll(keepingCapacity: true)
        spareEffects = wanted
    }

    /// Does something to the broker that no message asked for, and carries out what comes of it; `nil` while it is down.
    func disturbBroker<Result>(_ body: (inout Broker, inout [NodeEffect]) -> Result) -> Result? {
        guard simulation.state(of: process) == .running, broker != nil else { return nil }
        let result = body(&broker!, &effects)
        performAll()
        return result
    }

    /// The same with the controller.
    func disturbController<Result>(_ body: (inout Controller, inout [NodeEffect]) -> Result) -> Result? {
        guard simulation.state(of: process) == .running, controller != nil else { return nil }
        let result = body(&controller!, &effects)
        performAll()
        return result
    }

    /// Changes what faults have set on the broker, whether it is up or not.
    func changeBroker(_ body: (inout Broker) -> Void) {
        if broker != nil { body(&broker!) }
    }

    func committedOffsets(of partition: PartitionID, in topic: String) -> [(group: String, offset: Int64?)] {
        simulation.state(of: process) == .running ? broker?.committedOffsets(of: partition, in: topic) ?? [] : []
    }

    func highWatermark(of partition: PartitionID) -> Int64? { broker?.highWatermark(of: partition) }
    func logStartOffset(of partition: PartitionID) -> Int64? { broker?.logStartOffset(of: partition) }
    func logEndOffset(of partition: PartitionID) -> Int64? { broker?.unflushedTail(of: partition)?.upperBound }

    func schedule(rebalancesOf fault: FaultInstanceID, after span: Nanoseconds, timesLeft: Int) {
        simulation.schedule(
            at: simulation.now + span, handler, code: Code.rebalance.rawValue, first: UInt64(fault.rawValue),
            second: UInt64(timesLeft))
    }

    // MARK: What faults changed

    /// What a fault waits to see happen here.
    enum Watch {
        /// On the controller: that the broker leaves an ISR.
        case laggard(NodeID, FaultInstanceID)
        /// On a broker: that it cuts off records beyond those it had cut off before.
        case truncation(beyond: Int64, FaultInstanceID)
    }

    @exclusivity(unchecked) var watches: ContiguousArray<Watch> = []
    /// Between two rebalances of a storm.
    var stormPeriod = Nanoseconds.zero

    /// Stops waiting for what a fault does to ISRs.
    func endWatches(of fault: FaultInstanceID) {
        watches.removeAll { watch in
            if case .laggard(_, fault) = watch { true } else { false }
        }
    }
    var truncatedRecordCount: Int64 { broker?.truncatedRecordCount ?? 0 }

    private func watch() {
        let laggards = controller?.laggards ?? []
        controller?.laggards.removeAll(keepingCapacity: true)
        watches.removeAll { watch in
            switch watch {
            case .laggard(let node, let fault):
                for laggard in laggards where laggard == node { simulation.faults.tookEffect(fault) }
                return false
            case .truncation(let count, let fault):
                guard truncatedRecordCount > count else { return false }
                for _ in count..<truncatedRecordCount { simulation.faults.tookEffect(fault) }
                return true
            }
        }
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

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: consuming KafkaWireMessage) {
        guard case .request(let request) = consume message else { preconditionFailure("a client sent a response") }
        handle(.request(from: KafkaConnectionID(Int64(bitPattern: connection.word)), request))
    }

    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        handle(.connectionClosed(KafkaConnectionID(Int64(bitPattern: connection.word))))
    }
}
