package import Ports

/// A Kafka broker: replicas of partitions, the requests of clients and of other brokers, and the coordinators of the groups
/// and transactions whose partitions it leads.
///
/// A value without any IO: it is told what happened and answers with what is to be done. After a crash the shell says how
/// much of each log's unflushed tail is lost (``loseUnflushedTail(of:from:)``), then starts it again.
package struct Broker: ~Copyable, Sendable {
    /// What an answer from another node is for.
    enum RequestContext: Sendable {
        case register, heartbeat, fetchMetadata
        case fetch(leader: NodeID, partitions: [PartitionID])
        case epochEnds(leader: NodeID, partitions: [PartitionID])
        case alterPartitions([PartitionID])
        case allocateProducerIDs
        /// A client's request to the controller, passed on.
        case forwarded(ResponseHandle)
        case createInternalTopic(CoordinatorKind)
        case markers(token: Int64, [PartitionID])
    }

    package let id: NodeID
    package let controller: NodeID
    package let settings: ClusterSettings

    /// The newest metadata it has applied.
    package internal(set) var metadata = ClusterMetadata()
    var incarnation: Int64 = 0
    package internal(set) var brokerEpoch: Int64 = -1
    /// Left on disk by a clean shutdown; -1 otherwise.
    var cleanShutdownEpoch: Int64 = -1
    package internal(set) var isRunning = false
    package internal(set) var isFenced = true
    var wantsShutdown = false
    var hasStorageFailed = false

    var replicas = UniqueArray<PartitionReplica>()
    /// Index in `replicas` by partition number; -1 for none here.
    private var replicaIndexes: [Int32] = []

    var connections = UniqueArray<AcceptedConnection>()
    var connectionSlots: [KafkaConnectionID: Int32] = [:]
    var freeConnectionSlots: [Int32] = []
    /// Connections whose fetch is to be answered at the end of this event.
    var scheduledFetches: [Int32] = []
    /// Connections whose next request may be read now.
    var unmuted: [Int32] = []

    /// When each other broker last fetched from this one.
    var followerFetches: [(node: NodeID, at: Instant)] = []

    var delayedProduces: [DelayedProduce] = []
    var freeDelayedProduces: [Int32] = []
    var nextProduceSerial: Int64 = 0

    var fetchers: [ReplicaFetcher] = []
    var channels: RequestChannels<RequestContext>

    var groups: GroupCoordinator
    var transactions: TransactionCoordinator
    /// Filled by the coordinators, emptied by the broker.
    var directives: [CoordinatorDirective] = []
    /// Producer ids this broker may hand out.
    var producerIDs: Range<Int64> = 0..<0
    var waitingForProducerIDs: [(ResponseHandle, InitProducerIDRequest)] = []

    /// Partitions whose ISR the controller is to be asked to change at the end of this event.
    var pendingAlterations: [PartitionID] = []
    var nextHeartbeatAt: Instant?
    var registerAt: Instant?
    var fetchMetadataAt: Instant?
    var maintenance = MaintenanceSchedule()
    var wakeUp = WakeUp()
    /// Leaders from which a fault lets it fetch nothing.
    var stalledLeaders: [NodeID] = []
    /// Records that it has cut off its logs because the leader does not have them.
    var truncatedRecordCount: Int64 = 0

    package init(id: NodeID, controller: NodeID, settings: ClusterSettings) {
        self.id = id
        self.controller = controller
        self.settings = settings
        channels = RequestChannels(
            backoff: settings.reconnectBackoff, backoffMaximum: settings.reconnectBackoffMaximum)
        groups = GroupCoordinator(broker: id, settings: settings)
        transactions = TransactionCoordinator(broker: id, settings: settings)
    }

    // MARK: Replicas

    @inline(__always) func replicaIndex(_ partition: PartitionID) -> Int? {
        guard partition.index >= 0, partition.index < replicaIndexes.count else { return nil }
        let index = replicaIndexes[partition.index]
        return index >= 0 ? Int(index) : nil
    }

    mutating func addReplica(_ partition: PartitionID, _ configuration: TopicConfiguration, topic: String) -> Int {
        while replicaIndexes.count <= partition.index { replicaIndexes.append(-1) }
        replicaIndexes[partition.index] = Int32(replicas.count)
        let coordinator: CoordinatorKind? =
            switch topic {
            case InternalTopic.consumerOffsets: .group
            case InternalTopic.transactionState: .transaction
            default: nil
            }
        replicas.append(
            PartitionReplica(
                id: partition, coordinator: coordinator, log: PartitionLog(configuration: configuration)))
        return replicas.count - 1
    }

    // MARK: Events

    /// Handles one event. `effects` grows by what is to be done, in order.
    package mutating func handle(_ event: NodeEvent, now: Instant, effects: inout [NodeEffect]) {
        guard isRunning else {
            if case .started(let incarnation) = event { start(incarnation, now: now, effects: &effects) }
            if case .request(let connection, _) = event { effects.append(.close(connection)) }
            return
        }
        switch event {
        case .started:
            preconditionFailure("\(id) is running already")
        case .stopped:
            stop()
            return
        case .shutdownRequested:
            wantsShutdown = true
            nextHeartbeatAt = now
        case .request(let connection, let request):
            accept(request, from: connection, now: now, effects: &effects)
        case .connectionClosed(let connection):
            forget(connection)
        case .response(let node, let channel, let response):
            guard let context = channels.receive(response, from: node, channel) else { return }
            handle(response.body, for: context, now: now, effects: &effects)
        case .connectionFailed(let node, let channel):
            for context in channels.failed(node, channel, now: now) {
                handleFailure(of: context, now: now, effects: &effects)
            }
        case .timerFired:
            wakeUp.fired(now: now)
            runTimers(now: now, effects: &effects)
        case .storageFailed:
            failStorage(now: now, effects: &effects)
            return
        }
        settle(now: now, effects: &effects)
    }

    /// Ends an event: what it made ready is answered in one go, so that one append to many partitions is one response.
    mutating func settle(now: Instant, effects: inout [NodeEffect]) {
        repeat {
            runDirectives(now: now, effects: &effects)
            answerScheduledFetches(now: now, effects: &effects)
            readUnmuted(now: now, effects: &effects)
        } while !directives.isEmpty || !scheduledFetches.isEmpty || !unmuted.isEmpty
        sendAlterations(now: now, effects: &effects)
        sendFetches(now: now, effects: &effects)
        sendToController(now: now, effects: &effects)
    }

    @inline(__always) mutating func arm(_ deadline: Instant, effects: inout [NodeEffect]) {
        if wakeUp.arm(deadline) { effects.append(.setTimer(at: deadline)) }
    }

    private mutating func runTimers(now: Instant, effects: inout [NodeEffect]) {
        for (node, channel) in channels.overdue(now: now) {
            effects.append(.disconnect(node, channel))
            for context in channels.failed(node, channel, now: now) {
                handleFailure(of: context, now: now, effects: &effects)
            }
        }
        expireFetches(now: now)
        expireProduces(now: now, effects: &effects)
        maintain(now: now, effects: &effects)
        resumeDelayedFollowers(now: now)
        groups.runTimers(now: now, directives: &directives)
        transactions.runTimers(now: now, directives: &directives)
        settle(now: now, effects: &effects)
        if let deadline = nextDeadline(now: now) { arm(deadline, effects: &effects) }
    }

    /// The earliest of everything this broker waits for. Linear in what waits; called once per wake-up only.
    private func nextDeadline(now: Instant) -> Instant? {
        var earliest = EarliestDeadline(after: now)
        channels.collectDeadlines(into: &earliest)
        for slot in connections.indices { earliest.consider(connections[slot].session.parked?.deadline) }
        for produce in delayedProduces where produce.serial >= 0 { earliest.consider(produce.deadline) }
        earliest.consider(nextHeartbeatAt)
        earliest.consider(registerAt)
        earliest.consider(fetchMetadataAt)
        maintenance.collectDeadlines(into: &earliest)
        for fetcher in fetchers { earliest.consider(fetcher.blockedUntil) }
        for index in replicas.indices {
            if case .delayed(let until) = replicas[index].followerState, !replicas[index].isLeader {
                earliest.consider(until)
            }
        }
        groups.collectDeadlines(into: &earliest)
        transactions.collectDeadlines(into: &earliest)
        return earliest.deadline
    }
}
