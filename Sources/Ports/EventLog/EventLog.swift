/// When the leader answers a produce request.
public enum Acknowledgement: Int, Hashable, Sendable, Codable {
    case none = 0
    case leader = 1
    /// All in-sync replicas; the only one that `min.insync.replicas` guards.
    case all = -1
}

/// A producer's settings. Defaults are Kafka's, but for idempotence's prerequisites, which are on.
public struct ProducerSettings: Hashable, Sendable {
    public var clientID: String
    public var acknowledgement: Acknowledgement = .all
    /// `enable.idempotence`: per session; a restarted producer may still duplicate.
    public var isIdempotent = true
    /// Makes the producer transactional, fencing an older one of the same id.
    public var transactionalID: String?
    /// `transaction.timeout.ms`
    public var transactionTimeout: Nanoseconds = .seconds(60)
    /// `linger.ms`: how long a batch waits for company.
    public var linger: Nanoseconds = .milliseconds(5)
    /// `batch.size` in bytes.
    public var batchByteLimit = 16_384
    /// `max.in.flight.requests.per.connection`; above 5 idempotence does not keep order.
    public var maximumInFlightRequests = 5
    /// `request.timeout.ms`
    public var requestTimeout: Nanoseconds = .seconds(30)
    /// `delivery.timeout.ms`: after it a record's outcome is unknown.
    public var deliveryTimeout: Nanoseconds = .seconds(120)
    /// `retry.backoff.ms`
    public var retryBackoff: Nanoseconds = .milliseconds(100)

    public init(clientID: String) { self.clientID = clientID }
}

/// `auto.offset.reset`: what a consumer does without a valid position. Kafka's default is `latest`, which skips silently.
public enum OffsetReset: String, Hashable, Sendable, Codable {
    case earliest, latest, none
}

/// How a group's leader assigns partitions: `range` and `roundRobin` are eager, `cooperativeSticky` revokes only what moves.
public enum AssignmentStrategy: String, Hashable, Sendable, Codable {
    case range, roundRobin = "roundrobin", cooperativeSticky = "cooperative-sticky"
}

/// A consumer's settings. Defaults are Kafka's, but for `auto.offset.reset` and read_committed.
public struct ConsumerSettings: Hashable, Sendable {
    public var clientID: String
    /// `nil` for a consumer that is assigned by hand and commits nothing.
    public var groupID: String?
    /// `group.instance.id`: static membership.
    public var groupInstanceID: String?
    public var offsetReset: OffsetReset = .earliest
    public var assignmentStrategy: AssignmentStrategy = .cooperativeSticky
    /// `isolation.level`
    public var isReadCommitted = true
    /// `session.timeout.ms`
    public var sessionTimeout: Nanoseconds = .seconds(45)
    /// `heartbeat.interval.ms`
    public var heartbeatInterval: Nanoseconds = .seconds(3)
    /// `max.poll.interval.ms`
    public var maximumPollInterval: Nanoseconds = .minutes(5)
    /// `fetch.wait.max.ms` of librdkafka, `fetch.max.wait.ms` of Java
    public var fetchMaximumWait: Nanoseconds = .milliseconds(500)
    /// `max.partition.fetch.bytes`
    public var maximumPartitionFetchBytes = 1_048_576
    /// How much a consumer holds, in bytes of all its partitions, before it fetches no more: `queued.max.messages.kbytes` of
    /// librdkafka, whose own default, 64 MB, is more than a small service should hold. 0 makes the simulated consumer fetch as
    /// Java's does, only of partitions of which it holds nothing; librdkafka takes it for 1 kB.
    public var fetchAheadByteLimit = 8_388_608

    public init(clientID: String, groupID: String?) {
        self.clientID = clientID
        self.groupID = groupID
    }
}

/// What a consumer is told of its partitions. Called during ``EventConsumer/poll(maximumRecords:timeout:)`` or close, and must not
/// itself close the consumer: closing waits for the poll that called it.
public struct RebalanceListener: Sendable {
    public typealias Callback = @Sendable ([TopicPartition]) async -> Void
    /// Partitions that are now this member's.
    public var onAssigned: Callback
    /// Partitions about to go, still owned: the last chance to commit their offsets.
    public var onRevoked: Callback
    /// Partitions that may have another owner already: too late to commit.
    public var onLost: Callback

    public init(
        onAssigned: @escaping Callback = { _ in }, onRevoked: @escaping Callback = { _ in },
        onLost: @escaping Callback = { _ in }
    ) {
        self.onAssigned = onAssigned
        self.onRevoked = onRevoked
        self.onLost = onLost
    }
}

/// A position to commit or that was committed: the offset of the next record to read.
public struct CommittedOffset: Hashable, Sendable {
    public let topicPartition: TopicPartition
    public let offset: Int64

    public init(_ topicPartition: TopicPartition, _ offset: Int64) {
        self.topicPartition = topicPartition
        self.offset = offset
    }
}

/// A topic to be created.
public struct TopicSpecification: Hashable, Sendable {
    public var name: String
    public var partitionCount: Int32
    public var replicationFactor: Int16
    /// `min.insync.replicas`
    public var minimumInSyncReplicas = 1
    /// `unclean.leader.election.enable`
    public var allowsUncleanLeaderElection = false
    /// `cleanup.policy=compact` instead of `delete`
    public var isCompacted = false
    /// `retention.ms`; `nil`: for ever
    public var retention: Nanoseconds? = .hours(168)
    /// `segment.ms` and `segment.bytes` decide what retention and compaction may touch: never the active segment.
    public var segmentSpan: Nanoseconds = .hours(168)
    public var segmentByteLimit = 1_073_741_824
    /// `delete.retention.ms`: how long a compacted topic keeps tombstones.
    public var tombstoneRetention: Nanoseconds = .hours(24)

    public init(_ name: String, partitionCount: Int32, replicationFactor: Int16) {
        self.name = name
        self.partitionCount = partitionCount
        self.replicationFactor = replicationFactor
    }
}

/// The event log port: a Kafka cluster as a client sees it.
public protocol EventLog: Sendable {
    /// Opens a producer; a transactional one is initialised (and older ones of its id are fenced) before this returns.
    ///
    /// - Throws: ``EventLogError``
    func makeProducer(_ settings: ProducerSettings) async throws -> any EventProducer
    /// Opens a consumer. It joins its group during the first poll.
    func makeConsumer(_ settings: ConsumerSettings) async throws -> any EventConsumer
    var administration: any EventLogAdministration { get }
}

/// A producer. Records of one partition are written in the order in which they were sent, when it is idempotent.
public protocol EventProducer: AnyObject, Sendable {
    /// Sends the records and waits until each is acknowledged.
    ///
    /// - Returns: where each was written, in the order given.
    /// - Throws: ``EventLogError`` of the first that failed; others may have been written.
    func send(_ records: [ProducerRecord]) async throws -> [RecordMetadata]
    /// Begins a transaction; only for a producer with a transactional id, as the three below.
    func beginTransaction() async throws
    /// Adds a consumer group's offsets to the transaction, fenced by the group's generation.
    func sendOffsets(_ offsets: [CommittedOffset], of consumer: any EventConsumer) async throws
    /// - Throws: ``EventLogError``, with `requiresAbort` or `isFatal`, or with an unknown outcome: then call it again.
    func commitTransaction() async throws
    func abortTransaction() async throws
    /// Waits for what is in flight, even in a task that is cancelled, then closes. Never throws.
    func close() async
}

/// A consumer, used by one task at a time.
public protocol EventConsumer: AnyObject, Sendable {
    /// Joins the group for these topics. Replaces an earlier subscription.
    func subscribe(to topics: [String], listener: RebalanceListener) async throws
    /// Takes partitions by hand, outside any group.
    func assign(_ positions: [CommittedOffset]) async throws
    /// The next records, at most `maximumRecords`, or none within `timeout`. Rebalance callbacks run here.
    ///
    /// - Throws: ``EventLogError``; ``KafkaErrorCode/offsetOutOfRange`` only with ``OffsetReset/none``.
    func poll(maximumRecords: Int, timeout: Nanoseconds) async throws -> [ConsumerRecord]
    /// Commits offsets for the group and waits for the answer.
    ///
    /// - Throws: ``EventLogError`` 22, 25, 27 or 82 when this member is no longer part of the generation.
    func commit(_ offsets: [CommittedOffset]) async throws
    /// The group's committed offsets of these partitions; those without one are absent.
    func committed(_ partitions: [TopicPartition]) async throws -> [CommittedOffset]
    /// The offset of the next record that poll returns; `nil` when there is none yet.
    func position(_ partition: TopicPartition) -> Int64?
    /// The partitions that are this member's now, sorted.
    var assignment: [TopicPartition] { get }
    func pause(_ partitions: [TopicPartition]) throws
    func resume(_ partitions: [TopicPartition]) throws
    func seek(to position: CommittedOffset) async throws
    /// Leaves the group (a static member stays until its session times out), even in a task that is cancelled, and gives up
    /// after ten seconds. What a listener commits meanwhile counts. Never throws.
    func close() async
}

/// The ends of a partition's log: records from `earliest` up to, not including, `latest`.
public struct LogOffsets: Hashable, Sendable {
    public let earliest: Int64
    /// The high watermark: the end for a read_uncommitted consumer.
    public let latest: Int64

    public init(earliest: Int64, latest: Int64) {
        self.earliest = earliest
        self.latest = latest
    }
}

/// What sets topics up and looks at them.
public protocol EventLogAdministration: Sendable {
    /// - Throws: ``EventLogError`` 36 when it exists, 37 or 38 for impossible counts.
    func createTopic(_ specification: TopicSpecification) async throws
    /// Partition count of a topic, or `nil` when there is none of that name.
    func partitionCount(of topic: String) async throws -> Int32?
    func logOffsets(of partition: TopicPartition) async throws -> LogOffsets
    /// The committed offsets of a group, whether it has members or not.
    func committedOffsets(ofGroup group: String) async throws -> [CommittedOffset]
}
