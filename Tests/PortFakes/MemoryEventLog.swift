public import Ports
import Synchronization

/// An event log in memory: topics with partitions, one member a group that has them all.
public final class MemoryEventLog: EventLog {
    struct State {
        var topics: [String: [[ConsumerRecord]]] = [:]
        var committed: [String: [TopicPartition: Int64]] = [:]
        var sendFailures: [EventLogError] = []
        var producers: [ProducerSettings] = []
        var consumers: [ConsumerSettings] = []
    }

    let state = Mutex(State())
    let partitionCount: Int
    /// Whether a poll that finds nothing takes a while, for loops that run by themselves.
    let waitsForRecords: Bool

    public init(topics: [String], partitionCount: Int = 3, waitsForRecords: Bool = false) {
        self.waitsForRecords = waitsForRecords
        self.partitionCount = partitionCount
        state.withLock { state in
            for topic in topics { state.topics[topic] = Array(repeating: [], count: partitionCount) }
        }
    }

    public func makeProducer(_ settings: ProducerSettings) async throws -> any EventProducer {
        state.withLock { $0.producers.append(settings) }
        return MemoryProducer(self)
    }

    public func makeConsumer(_ settings: ConsumerSettings) async throws -> any EventConsumer {
        state.withLock { $0.consumers.append(settings) }
        return MemoryConsumer(self, settings)
    }

    public var administration: any EventLogAdministration { MemoryAdministration(log: self) }

    /// Makes the next send fail without effect.
    public func failNextSend(_ error: EventLogError) { state.withLock { $0.sendFailures.append(error) } }

    /// The settings with which producers and consumers were opened.
    public var openedProducers: [ProducerSettings] { state.withLock { $0.producers } }
    public var openedConsumers: [ConsumerSettings] { state.withLock { $0.consumers } }

    /// All records of a topic, partition by partition.
    public func records(of topic: String) -> [ConsumerRecord] {
        state.withLock { ($0.topics[topic] ?? []).flatMap { $0 } }
    }

    /// A group's committed offset of a partition.
    public func committedOffset(_ group: String, _ partition: TopicPartition) -> Int64? {
        state.withLock { $0.committed[group]?[partition] }
    }

    /// Makes a group's next members start as if it had never committed an offset.
    public func forgetOffsets(of group: String) { state.withLock { $0.committed[group] = nil } }

    /// Appends a record, to the partition named or to one chosen by the key.
    @discardableResult
    public func append(_ record: ProducerRecord) -> RecordMetadata {
        state.withLock { state in
            precondition(state.topics[record.topic] != nil, "there is no topic \(record.topic)")
            let hash = (record.key ?? "").utf8.reduce(UInt64(7)) { $0 &* 31 &+ UInt64($1) }
            let partition = record.partition.map(Int.init) ?? Int(hash % UInt64(partitionCount))
            let topicPartition = TopicPartition(record.topic, Int32(partition))
            let offset = Int64(state.topics[record.topic]![partition].count)
            state.topics[record.topic]![partition].append(
                ConsumerRecord(
                    topicPartition: topicPartition, offset: offset, timestamp: .epoch, key: record.key,
                    value: record.value, headers: record.headers))
            return RecordMetadata(topicPartition, offset: offset)
        }
    }
}

final class MemoryProducer: EventProducer {
    private let log: MemoryEventLog
    init(_ log: MemoryEventLog) { self.log = log }

    func send(_ records: [ProducerRecord]) async throws -> [RecordMetadata] {
        let failure = log.state.withLock { $0.sendFailures.isEmpty ? nil : $0.sendFailures.removeFirst() }
        if let failure { throw failure }
        return records.map { log.append($0) }
    }

    func beginTransaction() async throws { preconditionFailure("not a transactional producer") }
    func sendOffsets(_ offsets: [CommittedOffset], of consumer: any EventConsumer) async throws {
        preconditionFailure("not a transactional producer")
    }
    func commitTransaction() async throws { preconditionFailure("not a transactional producer") }
    func abortTransaction() async throws { preconditionFailure("not a transactional producer") }
    func close() async {}
}

final class MemoryConsumer: EventConsumer {
    private struct State {
        var positions: [CommittedOffset] = []
        var paused: Set<TopicPartition> = []
        var listener = RebalanceListener()
        var isAssigned = false
        var topics: [String] = []
    }

    private let log: MemoryEventLog
    private let settings: ConsumerSettings
    private let state = Mutex(State())

    init(_ log: MemoryEventLog, _ settings: ConsumerSettings) {
        self.log = log
        self.settings = settings
    }

    func subscribe(to topics: [String], listener: RebalanceListener) async throws {
        state.withLock { state in
            state.topics = topics
            state.listener = listener
            state.isAssigned = false
        }
    }

    func assign(_ positions: [CommittedOffset]) async throws { state.withLock { $0.positions = positions } }

    func poll(maximumRecords: Int, timeout: Nanoseconds) async throws -> [ConsumerRecord] {
        if let listener = join() { await listener.onAssigned(assignment) }
        let records = fetch(maximumRecords)
        if records.isEmpty && log.waitsForRecords { try await Task.sleep(nanoseconds: 1_000_000) }
        return records
    }

    private func fetch(_ maximumRecords: Int) -> [ConsumerRecord] {
        state.withLock { state in
            var records: [ConsumerRecord] = []
            for index in state.positions.indices {
                let position = state.positions[index]
                let partition = position.topicPartition
                if state.paused.contains(partition) { continue }
                let all = log.state.withLock { $0.topics[partition.topic]?[Int(partition.partition)] ?? [] }
                let fresh = all.dropFirst(Int(position.offset)).prefix(maximumRecords - records.count)
                records += fresh
                state.positions[index] = CommittedOffset(partition, position.offset + Int64(fresh.count))
            }
            return records
        }
    }

    private func join() -> RebalanceListener? {
        state.withLock { state in
            guard !state.isAssigned else { return nil }
            state.isAssigned = true
            state.positions = log.state.withLock { log in
                state.topics.sorted().flatMap { topic in
                    (log.topics[topic] ?? []).indices.map { index in
                        let partition = TopicPartition(topic, Int32(index))
                        let committed = settings.groupID.flatMap { log.committed[$0]?[partition] }
                        let reset = settings.offsetReset == .latest ? Int64(log.topics[topic]![index].count) : 0
                        return CommittedOffset(partition, committed ?? reset)
                    }
                }
            }
            return state.listener
        }
    }

    func commit(_ offsets: [CommittedOffset]) async throws {
        log.state.withLock { log in
            for offset in offsets {
                log.committed[settings.groupID!, default: [:]][offset.topicPartition] = offset.offset
            }
        }
    }

    func committed(_ partitions: [TopicPartition]) async throws -> [CommittedOffset] {
        log.state.withLock { log in
            partitions.compactMap { partition in
                log.committed[settings.groupID!]?[partition].map { CommittedOffset(partition, $0) }
            }
        }
    }

    func position(_ partition: TopicPartition) -> Int64? {
        state.withLock { $0.positions.first { $0.topicPartition == partition }?.offset }
    }

    var assignment: [TopicPartition] { state.withLock { $0.positions.map(\.topicPartition).sorted() } }
    func pause(_ partitions: [TopicPartition]) throws { state.withLock { $0.paused.formUnion(partitions) } }
    func resume(_ partitions: [TopicPartition]) throws { state.withLock { $0.paused.subtract(partitions) } }

    func seek(to position: CommittedOffset) async throws {
        state.withLock { state in
            guard let index = state.positions.firstIndex(where: { $0.topicPartition == position.topicPartition })
            else { return }
            state.positions[index] = position
        }
    }

    func close() async {}
}

struct MemoryAdministration: EventLogAdministration {
    let log: MemoryEventLog

    func createTopic(_ specification: TopicSpecification) async throws {
        log.state.withLock { $0.topics[specification.name] = Array(repeating: [], count: log.partitionCount) }
    }
    func partitionCount(of topic: String) async throws -> Int32? {
        log.state.withLock { $0.topics[topic].map { Int32($0.count) } }
    }
    func logOffsets(of partition: TopicPartition) async throws -> LogOffsets {
        log.state.withLock { state in
            let count = state.topics[partition.topic]?[Int(partition.partition)].count ?? 0
            return LogOffsets(earliest: 0, latest: Int64(count))
        }
    }
    func committedOffsets(ofGroup group: String) async throws -> [CommittedOffset] {
        log.state.withLock { state in
            (state.committed[group] ?? [:]).map { CommittedOffset($0.key, $0.value) }
                .sorted { $0.topicPartition < $1.topicPartition }
        }
    }
}
