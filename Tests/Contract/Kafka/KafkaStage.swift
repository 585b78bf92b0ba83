import Ports
import Synchronization

/// Where one case plays: a cluster, and the clients that the case opens there, closed when it ends.
final class KafkaStage: Sendable {
    private enum Client: Sendable {
        case producer(any EventProducer)
        case consumer(any EventConsumer)
    }

    let cluster: any EventLogCluster
    let clock: any ServiceClock
    private let clients = Mutex<[Client]>([])

    /// How long something that must happen is waited for.
    static let patience: Nanoseconds = .seconds(40)
    /// How long nothing must happen.
    static let quietSpan: Nanoseconds = .milliseconds(1_500)

    init(_ cluster: any EventLogCluster, _ clock: any ServiceClock) {
        self.cluster = cluster
        self.clock = clock
    }

    var log: any EventLog { cluster.eventLog }
    var administration: any EventLogAdministration { cluster.eventLog.administration }

    /// Closes every client, the last opened first.
    func end() async {
        for client in clients.withLock({ $0 }).reversed() {
            switch client {
            case .producer(let producer): await producer.close()
            case .consumer(let consumer): await consumer.close()
            }
        }
    }

    // MARK: Topics

    /// Creates a topic of a name of its own.
    func topic(
        partitions: Int32 = 1, replicas: Int16 = 3, _ change: (inout TopicSpecification) -> Void = { _ in }
    ) async throws -> String {
        let name = cluster.uniqueName("topic")
        var specification = TopicSpecification(name, partitionCount: partitions, replicationFactor: replicas)
        change(&specification)
        try await create(specification)
        for partition in 0..<partitions {
            try await until("\(name)-\(partition) has its replicas in sync") {
                // Asked again until the whole cluster knows the topic.
                guard let state = try? await self.cluster.replicas(of: TopicPartition(name, partition)) else {
                    return false
                }
                return state.leader != nil && state.inSync.count == Int(replicas)
            }
        }
        return name
    }

    /// A slow controller may have made the topic although its answer did not come in time: then it is asked again.
    private func create(_ specification: TopicSpecification) async throws {
        let deadline = clock.monotonicNow + Self.patience * 2
        while true {
            do {
                return try await administration.createTopic(specification)
            } catch let error as EventLogError where error.code == .topicAlreadyExists {
                return
            } catch let error as EventLogError where error.outcome == .unknown && clock.monotonicNow < deadline {
                continue
            }
        }
    }

    /// The broker that leads partition 0.
    func leader(of topic: String) async throws -> Int {
        guard let leader = try await cluster.replicas(of: TopicPartition(topic, 0)).leader else {
            throw ContractFailure("nobody leads \(topic)-0")
        }
        return leader
    }

    /// The in-sync brokers that do not lead partition 0.
    func followers(of topic: String) async throws -> [Int] {
        let state = try await cluster.replicas(of: TopicPartition(topic, 0))
        return state.inSync.filter { $0 != state.leader }
    }

    /// The broker that coordinates a group, by the partition that its name hashes to.
    func coordinator(of group: String) async throws -> Int {
        try await coordinator("__consumer_offsets", group)
    }

    func coordinator(ofTransaction id: String) async throws -> Int { try await coordinator("__transaction_state", id) }

    private func coordinator(_ topic: String, _ name: String) async throws -> Int {
        guard let count = try await administration.partitionCount(of: topic) else {
            throw ContractFailure("there is no topic \(topic)")
        }
        // java.lang.String.hashCode
        let hash = name.utf16.reduce(into: Int32(0)) { $0 = $0 &* 31 &+ Int32($1) }
        let partition = TopicPartition(topic, Int32(hash.magnitude % UInt32(count)))
        guard let leader = try await cluster.replicas(of: partition).leader else {
            throw ContractFailure("nobody leads \(partition)")
        }
        return leader
    }

    // MARK: Clients

    func producer(_ change: (inout ProducerSettings) -> Void = { _ in }) async throws -> any EventProducer {
        var settings = ProducerSettings(clientID: "producer")
        settings.linger = .zero
        change(&settings)
        let producer = try await log.makeProducer(settings)
        clients.withLock { $0.append(.producer(producer)) }
        return producer
    }

    func transactionalProducer(
        _ id: String, _ change: (inout ProducerSettings) -> Void = { _ in }
    ) async throws -> any EventProducer {
        try await producer { settings in
            settings.transactionalID = id
            change(&settings)
        }
    }

    func consumer(
        group: String?, _ change: (inout ConsumerSettings) -> Void = { _ in }
    ) async throws -> any EventConsumer {
        var settings = ConsumerSettings(clientID: "consumer", groupID: group)
        settings.sessionTimeout = .seconds(6)
        settings.heartbeatInterval = .milliseconds(500)
        settings.fetchMaximumWait = .milliseconds(100)
        change(&settings)
        let consumer = try await log.makeConsumer(settings)
        clients.withLock { $0.append(.consumer(consumer)) }
        return consumer
    }

    /// A consumer that subscribes, and what it is told.
    func member(
        of group: String, _ topics: String..., change: (inout ConsumerSettings) -> Void = { _ in }
    ) async throws -> GroupMember {
        let member = GroupMember(try await consumer(group: group, change), of: group)
        try await member.subscribe(to: topics)
        return member
    }

    // MARK: Records

    /// Sends values to a partition, one after another in one call.
    @discardableResult
    func produce(_ values: [String], to topic: String, partition: Int32 = 0) async throws -> [RecordMetadata] {
        let producer = try await producer()
        return try await producer.send(Self.records(values, topic, partition))
    }

    static func records(_ values: [String], _ topic: String, _ partition: Int32 = 0) -> [ProducerRecord] {
        values.map { ProducerRecord(topic: topic, partition: partition, key: $0, value: .json(.string($0))) }
    }

    /// Reads a partition from an offset until `count` records have come, then for a while to see that no more do.
    func read(
        _ topic: String, partition: Int32 = 0, from offset: Int64 = 0, count: Int, isReadCommitted: Bool = true,
        file: String = #fileID, line: UInt = #line
    ) async throws -> [ConsumerRecord] {
        let reader = try await consumer(group: nil) { $0.isReadCommitted = isReadCommitted }
        try await reader.assign([CommittedOffset(TopicPartition(topic, partition), offset)])
        var records: [ConsumerRecord] = []
        let deadline = clock.monotonicNow + Self.patience
        while records.count < count {
            guard clock.monotonicNow < deadline else {
                throw ContractFailure(
                    "\(topic)-\(partition) gave only \(records.values) of \(count) records within \(Self.patience)",
                    file: file, line: line)
            }
            records += try await reader.poll(maximumRecords: 100, timeout: .milliseconds(200))
        }
        let quiet = clock.monotonicNow + Self.quietSpan
        while clock.monotonicNow < quiet {
            records += try await reader.poll(maximumRecords: 100, timeout: .milliseconds(100))
        }
        await reader.close()
        return records
    }

    // MARK: Waiting

    /// Waits until a condition holds.
    func until(
        _ what: String, within patience: Nanoseconds = KafkaStage.patience, file: String = #fileID, line: UInt = #line,
        _ condition: () async throws -> Bool
    ) async throws {
        let deadline = clock.monotonicNow + patience
        while !(try await condition()) {
            guard clock.monotonicNow < deadline else {
                throw ContractFailure("not within \(patience): \(what)", file: file, line: line)
            }
            try await clock.sleep(for: .milliseconds(50))
        }
    }

    /// Polls a consumer until `count` records have come.
    func poll(
        _ consumer: any EventConsumer, count: Int, file: String = #fileID, line: UInt = #line
    ) async throws -> [ConsumerRecord] {
        var records: [ConsumerRecord] = []
        let deadline = clock.monotonicNow + Self.patience
        while records.count < count {
            guard clock.monotonicNow < deadline else {
                throw ContractFailure(
                    "only \(records.values) of \(count) records within \(Self.patience)", file: file, line: line)
            }
            records += try await consumer.poll(maximumRecords: 100, timeout: .milliseconds(200))
        }
        return records
    }

    /// What a consumer gets within a while.
    func pollQuietly(_ consumer: any EventConsumer) async throws -> [ConsumerRecord] {
        var records: [ConsumerRecord] = []
        let deadline = clock.monotonicNow + Self.quietSpan
        while clock.monotonicNow < deadline {
            records += try await consumer.poll(maximumRecords: 100, timeout: .milliseconds(100))
        }
        return records
    }

    /// Polls members in turn, as their processes would, until a condition holds.
    func poll(
        _ members: GroupMember..., until what: String, within patience: Nanoseconds = KafkaStage.patience,
        file: String = #fileID, line: UInt = #line, _ condition: () -> Bool
    ) async throws {
        let deadline = clock.monotonicNow + patience
        while !condition() {
            guard clock.monotonicNow < deadline else {
                let seen = members.map { "\($0.events) with \($0.consumer.assignment)" }
                throw ContractFailure("not within \(patience): \(what); found \(seen)", file: file, line: line)
            }
            for member in members { try await member.poll() }
        }
    }

    /// Polls members for a while in which nothing is expected.
    func poll(_ members: GroupMember..., for span: Nanoseconds) async throws {
        let deadline = clock.monotonicNow + span
        while clock.monotonicNow < deadline { for member in members { try await member.poll() } }
    }

    /// Runs what must be refused by the event log.
    @discardableResult
    func mustFail(
        _ code: KafkaErrorCode, _ what: String, file: String = #fileID, line: UInt = #line,
        _ body: () async throws -> Void
    ) async throws -> EventLogError {
        do {
            try await body()
        } catch let error as EventLogError {
            guard error.code == code else {
                throw ContractFailure("\(what) must fail with \(code), but got: \(error)", file: file, line: line)
            }
            return error
        } catch let error as ContractFailure {
            throw error
        } catch {
            throw ContractFailure("\(what) must fail with \(code), but got: \(error)", file: file, line: line)
        }
        throw ContractFailure("\(what) must fail with \(code), but succeeded", file: file, line: line)
    }
}

extension KafkaErrorCode {
    static let invalidGroupID = KafkaErrorCode(rawValue: 24)
    /// The client's own codes, with librdkafka's numbers.
    static let messageTimedOut = KafkaErrorCode(rawValue: -192)
    static let unknownPartition = KafkaErrorCode(rawValue: -190)
    static let wrongState = KafkaErrorCode(rawValue: -172)
    static let noOffset = KafkaErrorCode(rawValue: -168)
}

extension [ConsumerRecord] {
    /// The texts of records that ``KafkaStage/records(_:_:_:)`` made.
    var values: [String] { compactMap { $0.value?.json?.stringValue } }
}

extension ContractCase {
    /// A case on a cluster of three brokers.
    static func kafka(
        _ id: String, _ rule: String, _ body: @escaping @Sendable (KafkaStage) async throws -> Void
    ) -> ContractCase {
        ContractCase("kafka/\(id)", rule, area: .kafka) { world in
            let stage = KafkaStage(try await world.makeEventLogCluster(), world.clock)
            do {
                try await body(stage)
            } catch {
                await stage.end()
                throw error
            }
            await stage.end()
        }
    }
}
