import Ports

/// The event log port on a simulated cluster, for the code of one incarnation.
final class SimulatedEventLog: EventLog, @unchecked Sendable {
    private let cluster: SimulatedKafkaCluster
    private let context: ProcessContext

    init(_ cluster: SimulatedKafkaCluster, context: ProcessContext) {
        self.cluster = cluster
        self.context = context
    }

    func makeProducer(_ settings: ProducerSettings) async throws -> any EventProducer {
        try context.checkAlive()
        let producer = SimulatedProducer(cluster, context: context, settings: settings)
        if settings.transactionalID != nil { try await producer.initialize() }
        return producer
    }

    func makeConsumer(_ settings: ConsumerSettings) async throws -> any EventConsumer {
        try context.checkAlive()
        return SimulatedConsumer(cluster, context: context, settings: settings)
    }

    var administration: any EventLogAdministration { SimulatedEventLogAdministration(cluster, context: context) }
}

/// A producer of a simulated process.
final class SimulatedProducer: EventProducer, @unchecked Sendable {
    private let host: KafkaClientHost<ProducerClient>

    init(_ cluster: SimulatedKafkaCluster, context: ProcessContext, settings: ProducerSettings) {
        host = KafkaClientHost(
            cluster, context: context, machine: ProducerClient(settings, bootstrap: cluster.bootstrap)
        ) { $0.handle($1, now: $2, effects: &$3) }
    }

    func initialize() async throws {
        _ = try await host.call(WaitReason("the transaction coordinator")) {
            $0.initializeTransactions(call: $1, now: $2, effects: &$3)
        }
    }

    func send(_ records: [ProducerRecord]) async throws -> [RecordMetadata] {
        let result = try await host.call(WaitReason("Kafka's acknowledgement")) {
            $0.send(records, call: $1, now: $2, effects: &$3)
        }
        guard case .sent(let metadata) = result else { preconditionFailure("a send ended as \(result)") }
        return metadata
    }

    func beginTransaction() async throws {
        try host.requireOpen()
        if let error = host.machine.beginTransaction() { throw error }
    }

    func sendOffsets(_ offsets: [CommittedOffset], of consumer: any EventConsumer) async throws {
        guard let consumer = consumer as? SimulatedConsumer, let group = consumer.groupMetadata else {
            throw EventLogError(.invalidRequest, "the consumer is not a member of a group", outcome: .noEffect)
        }
        _ = try await host.call(WaitReason("the group coordinator")) {
            $0.sendOffsets(offsets, of: group, call: $1, now: $2, effects: &$3)
        }
    }

    func commitTransaction() async throws {
        _ = try await host.call(WaitReason("the transaction coordinator")) {
            $0.commitTransaction(call: $1, now: $2, effects: &$3)
        }
    }

    func abortTransaction() async throws {
        _ = try await host.call(WaitReason("the transaction coordinator")) {
            $0.abortTransaction(call: $1, now: $2, effects: &$3)
        }
    }

    func close() async {
        let limit = host.machine.settings.deliveryTimeout
        guard host.beginClosing(within: limit, callTimeout: limit) else { return }
        _ = try? await host.call(WaitReason("what is in flight")) { $0.close(call: $1, now: $2, effects: &$3) }
        host.shutDown()
    }
}

/// A consumer of a simulated process.
final class SimulatedConsumer: EventConsumer, @unchecked Sendable {
    private let host: KafkaClientHost<ConsumerClient>
    private var listener = RebalanceListener()

    init(_ cluster: SimulatedKafkaCluster, context: ProcessContext, settings: ConsumerSettings) {
        host = KafkaClientHost(
            cluster, context: context, machine: ConsumerClient(settings, bootstrap: cluster.bootstrap)
        ) { $0.handle($1, now: $2, effects: &$3) }
    }

    var groupMetadata: ConsumerGroupMetadata? { host.machine.groupMetadata }
    var assignment: [TopicPartition] { host.machine.assignment }
    func position(_ partition: TopicPartition) -> Int64? { host.machine.position(partition) }

    func subscribe(to topics: [String], listener: RebalanceListener) async throws {
        self.listener = listener
        try change { $0.subscribe(to: topics, now: $1, effects: &$2) }
    }

    func assign(_ positions: [CommittedOffset]) async throws {
        try change { $0.assign(positions, now: $1, effects: &$2) }
    }

    func pause(_ partitions: [TopicPartition]) throws {
        try change { machine, _, _ in machine.pause(partitions) }
    }

    func resume(_ partitions: [TopicPartition]) throws {
        try change { $0.resume(partitions, now: $1, effects: &$2) }
    }

    func seek(to position: CommittedOffset) async throws {
        try change { $0.seek(to: position, now: $1, effects: &$2) }
    }

    func poll(maximumRecords: Int, timeout: Nanoseconds) async throws -> [ConsumerRecord] {
        let span = host.simulation.trueSpan(host.context, timeout)
        let call = try host.start { $0.poll(limit: maximumRecords, timeout: span, call: $1, now: $2, effects: &$3) }
        let result = try await finishRunningCallbacks(call, WaitReason("records"))
        guard case .polled(let pieces) = result else { preconditionFailure("a poll ended as \(result)") }
        var records: [ConsumerRecord] = []
        records.reserveCapacity(pieces.reduce(0) { $0 + $1.range.count })
        for piece in pieces { piece.appendRecords(to: &records) }
        return records
    }

    func commit(_ offsets: [CommittedOffset]) async throws {
        _ = try await host.call(WaitReason("the group coordinator")) {
            $0.commit(offsets, call: $1, now: $2, effects: &$3)
        }
    }

    func committed(_ partitions: [TopicPartition]) async throws -> [CommittedOffset] {
        let result = try await host.call(WaitReason("the group coordinator")) {
            $0.committed(partitions, call: $1, now: $2, effects: &$3)
        }
        guard case .offsets(let offsets) = result else { preconditionFailure("a look at offsets ended as \(result)") }
        return offsets
    }

    func close() async {
        // As the production adapter: after that the session's timeout does the rest.
        guard host.beginClosing(within: .seconds(10), callTimeout: .seconds(5)) else { return }
        if let call = try? host.start({ $0.close(call: $1, now: $2, effects: &$3) }) {
            _ = try? await finishRunningCallbacks(call, WaitReason("the group to let it go"))
        }
        host.shutDown()
    }

    /// Waits for a call; rebalance callbacks run in the calling task meanwhile, as the port promises.
    private func finishRunningCallbacks(_ call: CallID, _ reason: WaitReason) async throws -> ClientResult {
        while true {
            while let (kind, partitions) = host.takeCallback() {
                switch kind {
                case .assigned: await listener.onAssigned(partitions)
                case .revoked: await listener.onRevoked(partitions)
                case .lost: await listener.onLost(partitions)
                }
                try host.context.checkAlive()
                host.run { host.machine.callbackFinished(now: host.simulation.now, effects: &$0) }
            }
            if let result = host.takeResult(of: call) {
                if case .failed(let error) = result { throw error }
                return result
            }
            try await host.pause(call, reason)
        }
    }

    private func change(
        _ body: (inout ConsumerClient, Instant, inout [ClientEffect]) -> EventLogError?
    ) throws {
        try host.requireOpen()
        var failure: EventLogError?
        host.run { failure = body(&host.machine, host.simulation.now, &$0) }
        if let failure { throw failure }
    }
}

/// Administration from a simulated process.
final class SimulatedEventLogAdministration: EventLogAdministration, @unchecked Sendable {
    private let host: KafkaClientHost<AdministrationClient>

    init(_ cluster: SimulatedKafkaCluster, context: ProcessContext) {
        host = KafkaClientHost(
            cluster, context: context, machine: AdministrationClient(bootstrap: cluster.bootstrap)
        ) { $0.handle($1, now: $2, effects: &$3) }
    }

    private static let reason = WaitReason("the cluster's answer")

    func createTopic(_ specification: TopicSpecification) async throws {
        _ = try await host.call(Self.reason) { $0.createTopic(specification, call: $1, now: $2, effects: &$3) }
    }

    func partitionCount(of topic: String) async throws -> Int32? {
        let result = try await host.call(Self.reason) {
            $0.partitionCount(of: topic, call: $1, now: $2, effects: &$3)
        }
        guard case .partitionCount(let count) = result else { preconditionFailure("a count ended as \(result)") }
        return count
    }

    func logOffsets(of partition: TopicPartition) async throws -> LogOffsets {
        let result = try await host.call(Self.reason) {
            $0.logOffsets(of: partition, call: $1, now: $2, effects: &$3)
        }
        guard case .logOffsets(let offsets) = result else { preconditionFailure("a look at a log ended as \(result)") }
        return offsets
    }

    func committedOffsets(ofGroup group: String) async throws -> [CommittedOffset] {
        let result = try await host.call(Self.reason) {
            $0.committedOffsets(ofGroup: group, call: $1, now: $2, effects: &$3)
        }
        guard case .offsets(let offsets) = result else { preconditionFailure("a look at offsets ended as \(result)") }
        return offsets
    }
}
