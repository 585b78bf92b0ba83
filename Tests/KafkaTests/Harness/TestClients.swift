import Ports
import SimCore

/// A client object on a ``TestCluster``.
class TestClient {
    unowned let cluster: TestCluster
    private(set) var node = NodeID.none
    var isDead = false
    private var results: [CallID: ClientResult] = [:]

    init(_ cluster: TestCluster) {
        self.cluster = cluster
        node = cluster.add(self)
    }

    func handle(_ event: ClientEvent, now: Instant, effects: inout [ClientEffect]) {}
    func completed(_ call: CallID, _ result: ClientResult) { results[call] = result }
    func callback(_ kind: RebalanceCallback, _ partitions: [TopicPartition]) {}

    func result(of call: CallID) -> ClientResult? { results[call] }
    func takeResult(of call: CallID) -> ClientResult? { results.removeValue(forKey: call) }

    /// Runs the cluster until the call has a result.
    func wait(for call: CallID, limit: Nanoseconds = .minutes(10)) throws -> ClientResult {
        guard cluster.run(for: limit, until: { results[call] != nil }), let result = takeResult(of: call) else {
            throw NoResult()
        }
        if case .failed(let error) = result { throw error }
        return result
    }

    struct NoResult: Error {}
}

final class TestProducer: TestClient {
    var machine: ProducerClient

    init(
        _ cluster: TestCluster, defects: ProducerDefects = [], network: ClientNetworkSettings = ClientNetworkSettings(),
        _ configure: (inout ProducerSettings) -> Void = { _ in }
    ) {
        var settings = ProducerSettings(clientID: "producer")
        configure(&settings)
        machine = ProducerClient(settings, bootstrap: cluster.brokerIDs, network: network, defects: defects)
        super.init(cluster)
    }

    override func handle(_ event: ClientEvent, now: Instant, effects: inout [ClientEffect]) {
        machine.handle(event, now: now, effects: &effects)
    }

    func begin(_ records: [ProducerRecord]) -> CallID {
        let call = cluster.newCall()
        cluster.call(node) { machine.send(records, call: call, now: cluster.now, effects: &$0) }
        return call
    }

    func begin(_ values: String..., to topic: String, partition: Int32? = 0) -> CallID {
        begin(values.map { ProducerRecord(topic: topic, partition: partition, key: $0, value: .bytes(Array($0.utf8))) })
    }

    @discardableResult
    func send(_ values: String..., to topic: String, partition: Int32? = 0) throws -> [Int64?] {
        let records = values.map {
            ProducerRecord(topic: topic, partition: partition, key: $0, value: .bytes(Array($0.utf8)))
        }
        return try send(records)
    }

    @discardableResult
    func send(_ records: [ProducerRecord]) throws -> [Int64?] {
        guard case .sent(let metadata) = try wait(for: begin(records)) else { throw NoResult() }
        return metadata.map(\.offset)
    }

    private func run(_ body: (CallID, inout [ClientEffect]) -> Void) throws {
        let call = cluster.newCall()
        cluster.call(node) { body(call, &$0) }
        _ = try wait(for: call)
    }

    func initialize() throws { try run { machine.initializeTransactions(call: $0, now: cluster.now, effects: &$1) } }
    func beginTransaction() throws { if let error = machine.beginTransaction() { throw error } }
    func commit() throws { try run { machine.commitTransaction(call: $0, now: cluster.now, effects: &$1) } }
    func abort() throws { try run { machine.abortTransaction(call: $0, now: cluster.now, effects: &$1) } }

    func beginCommit() -> CallID {
        let call = cluster.newCall()
        cluster.call(node) { machine.commitTransaction(call: call, now: cluster.now, effects: &$0) }
        return call
    }

    func sendOffsets(_ offsets: [CommittedOffset], of consumer: TestConsumer) throws {
        let group = consumer.machine.groupMetadata!
        try run { machine.sendOffsets(offsets, of: group, call: $0, now: cluster.now, effects: &$1) }
    }

    func close() throws { try run { machine.close(call: $0, now: cluster.now, effects: &$1) } }
}

final class TestConsumer: TestClient {
    var machine: ConsumerClient
    private(set) var callbacks: [(kind: RebalanceCallback, partitions: [TopicPartition])] = []
    /// Runs inside the callback, before it returns.
    var onCallback: ((RebalanceCallback, [TopicPartition]) -> Void)?
    /// The callback does not return until ``finishCallback()``.
    var holdsCallbacks = false

    init(
        _ cluster: TestCluster, group: String?, defects: ConsumerDefects = [],
        _ configure: (inout ConsumerSettings) -> Void = { _ in }
    ) {
        var settings = ConsumerSettings(clientID: "consumer", groupID: group)
        configure(&settings)
        machine = ConsumerClient(settings, bootstrap: cluster.brokerIDs, defects: defects)
        super.init(cluster)
    }

    override func handle(_ event: ClientEvent, now: Instant, effects: inout [ClientEffect]) {
        machine.handle(event, now: now, effects: &effects)
    }

    override func callback(_ kind: RebalanceCallback, _ partitions: [TopicPartition]) {
        callbacks.append((kind, partitions))
        onCallback?(kind, partitions)
        // The application's function takes a moment.
        if !holdsCallbacks { cluster.after(.microseconds(10)) { self.finishCallback() } }
    }

    func finishCallback() {
        guard !isDead else { return }
        cluster.call(node) { machine.callbackFinished(now: cluster.now, effects: &$0) }
    }

    func subscribe(_ topics: String...) throws {
        var failure: EventLogError?
        cluster.call(node) { failure = machine.subscribe(to: topics, now: cluster.now, effects: &$0) }
        if let failure { throw failure }
    }

    func assign(_ topic: String, _ partition: Int32 = 0, from offset: Int64 = 0) throws {
        var failure: EventLogError?
        cluster.call(node) {
            failure = machine.assign(
                [CommittedOffset(TopicPartition(topic, partition), offset)], now: cluster.now, effects: &$0)
        }
        if let failure { throw failure }
    }

    func beginPoll(limit: Int = 500, timeout: Nanoseconds) -> CallID {
        let call = cluster.newCall()
        cluster.call(node) {
            machine.poll(limit: limit, timeout: timeout, call: call, now: cluster.now, effects: &$0)
        }
        return call
    }

    func poll(limit: Int = 500, timeout: Nanoseconds = .seconds(1)) throws -> [ConsumerRecord] {
        guard case .polled(let fetched) = try wait(for: beginPoll(limit: limit, timeout: timeout)) else {
            throw NoResult()
        }
        var records: [ConsumerRecord] = []
        records.reserveCapacity(fetched.reduce(0) { $0 + $1.range.count })
        for piece in fetched { piece.appendRecords(to: &records) }
        return records
    }

    /// Polls until `count` records have come, or for `limit`.
    func receive(_ count: Int, limit: Nanoseconds = .minutes(2)) throws -> [String] {
        let end = cluster.now + limit
        var keys: [String] = []
        while keys.count < count, cluster.now < end { keys += try poll().map { $0.key ?? "" } }
        return keys
    }

    /// Polls until the condition holds.
    func poll(until condition: () -> Bool, limit: Nanoseconds = .minutes(2)) throws -> Bool {
        let end = cluster.now + limit
        while !condition(), cluster.now < end { _ = try poll(timeout: .milliseconds(200)) }
        return condition()
    }

    func commit(_ topic: String, _ partition: Int32 = 0, _ offset: Int64) throws {
        _ = try wait(for: beginCommit(topic, partition, offset))
    }

    func beginCommit(_ topic: String, _ partition: Int32 = 0, _ offset: Int64) -> CallID {
        let call = cluster.newCall()
        cluster.call(node) {
            machine.commit(
                [CommittedOffset(TopicPartition(topic, partition), offset)], call: call, now: cluster.now, effects: &$0)
        }
        return call
    }

    func committed(_ topic: String, _ partition: Int32 = 0) throws -> Int64? {
        let call = cluster.newCall()
        cluster.call(node) {
            machine.committed([TopicPartition(topic, partition)], call: call, now: cluster.now, effects: &$0)
        }
        guard case .offsets(let offsets) = try wait(for: call) else { throw NoResult() }
        return offsets.first?.offset
    }

    func close() throws {
        let call = cluster.newCall()
        cluster.call(node) { machine.close(call: call, now: cluster.now, effects: &$0) }
        _ = try wait(for: call)
    }
}

final class TestAdministration: TestClient {
    var machine: AdministrationClient

    override init(_ cluster: TestCluster) {
        machine = AdministrationClient(bootstrap: cluster.brokerIDs)
        super.init(cluster)
    }

    override func handle(_ event: ClientEvent, now: Instant, effects: inout [ClientEffect]) {
        machine.handle(event, now: now, effects: &effects)
    }

    private func run(_ body: (CallID, inout [ClientEffect]) -> Void) throws -> ClientResult {
        let call = cluster.newCall()
        cluster.call(node) { body(call, &$0) }
        return try wait(for: call)
    }

    func createTopic(_ specification: TopicSpecification) throws {
        _ = try run { machine.createTopic(specification, call: $0, now: cluster.now, effects: &$1) }
    }

    func partitionCount(of topic: String) throws -> Int32? {
        guard
            case .partitionCount(let count) = try run({
                machine.partitionCount(of: topic, call: $0, now: cluster.now, effects: &$1)
            })
        else { throw NoResult() }
        return count
    }

    func logOffsets(of topic: String, _ partition: Int32 = 0) throws -> LogOffsets {
        let name = TopicPartition(topic, partition)
        guard
            case .logOffsets(let offsets) = try run({
                machine.logOffsets(of: name, call: $0, now: cluster.now, effects: &$1)
            })
        else { throw NoResult() }
        return offsets
    }

    func committedOffsets(of group: String) throws -> [CommittedOffset] {
        guard
            case .offsets(let offsets) = try run({
                machine.committedOffsets(ofGroup: group, call: $0, now: cluster.now, effects: &$1)
            })
        else { throw NoResult() }
        return offsets
    }

    func electLeader(_ kind: ElectionKind, of topic: String, _ partition: Int32 = 0) throws {
        let name = TopicPartition(topic, partition)
        _ = try run { machine.electLeader(of: name, kind, call: $0, now: cluster.now, effects: &$1) }
    }
}

extension TestCluster {
    /// Creates a topic and waits until it has its leaders.
    @discardableResult
    func createTopic(
        _ name: String, partitions: Int32 = 1, replicationFactor: Int16 = 3, minimumInSync: Int = 1,
        _ configure: (inout TopicSpecification) -> Void = { _ in }
    ) throws -> TestAdministration {
        let administration = TestAdministration(self)
        var specification = TopicSpecification(
            name, partitionCount: partitions, replicationFactor: replicationFactor)
        specification.minimumInSyncReplicas = minimumInSync
        configure(&specification)
        try administration.createTopic(specification)
        run(for: .seconds(2))
        return administration
    }

    func id(_ topic: String, _ partition: Int32 = 0) -> PartitionID {
        controller.metadata.partitionID(TopicPartition(topic, partition))!
    }

    func image(_ topic: String, _ partition: Int32 = 0) -> PartitionImage {
        controller.metadata.partition(id(topic, partition))!
    }

    func leader(_ topic: String, _ partition: Int32 = 0) -> NodeID { image(topic, partition).leader }

    func followers(_ topic: String, _ partition: Int32 = 0) -> [NodeID] {
        image(topic, partition).replicas.filter { $0 != leader(topic, partition) }
    }

    /// A replica's log as keys, without markers.
    func log(_ node: NodeID, _ topic: String, _ partition: Int32 = 0) -> [String] {
        box(node).broker.inspect(id(topic, partition))?.keys ?? []
    }

    func inspect(_ node: NodeID, _ topic: String, _ partition: Int32 = 0) -> ReplicaInspection {
        box(node).broker.inspect(id(topic, partition))!
    }
}
