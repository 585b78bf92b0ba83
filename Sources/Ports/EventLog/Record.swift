/// A partition of a topic.
public struct TopicPartition: Hashable, Comparable, Sendable {
    public let topic: String
    public let partition: Int32

    @inlinable public init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    @inlinable public static func < (left: TopicPartition, right: TopicPartition) -> Bool {
        left.topic != right.topic ? left.topic < right.topic : left.partition < right.partition
    }
}

extension TopicPartition: CustomStringConvertible {
    public var description: String { "\(topic)-\(partition)" }
}

/// A header of a record. Values are UTF-8 text here; Kafka's own are bytes.
public struct RecordHeader: Hashable, Sendable {
    public let name: String
    public let value: String

    @inlinable public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A record to be produced.
public struct ProducerRecord: Hashable, Sendable {
    public var topic: String
    /// `nil`: chosen from the key as Java clients do, `(murmur2(key) & 0x7fffffff) % partitions`; without a key, the
    /// producer's choice.
    public var partition: Int32?
    /// UTF-8 text here; Kafka's own keys are bytes.
    public var key: String?
    /// `nil` is a tombstone for compaction.
    public var value: Payload?
    public var headers: [RecordHeader]

    public init(
        topic: String, partition: Int32? = nil, key: String?, value: Payload?, headers: [RecordHeader] = []
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
    }

    /// About how many bytes travel for it: a batch's share, key, value and headers.
    public var estimatedByteCount: Int {
        headers.reduce(16 + (key?.utf8.count ?? 0) + (value?.estimatedByteCount ?? 0)) {
            $0 + $1.name.utf8.count + $1.value.utf8.count + 2
        }
    }
}

/// Where a record was written. `offset` is `nil` with acks=0, which asks for no answer.
public struct RecordMetadata: Hashable, Sendable {
    public let topicPartition: TopicPartition
    public let offset: Int64?

    public init(_ topicPartition: TopicPartition, offset: Int64?) {
        self.topicPartition = topicPartition
        self.offset = offset
    }
}

/// A record as a consumer receives it.
public struct ConsumerRecord: Hashable, Sendable {
    public let topicPartition: TopicPartition
    public let offset: Int64
    public let timestamp: Instant
    public let key: String?
    public let value: Payload?
    public let headers: [RecordHeader]

    public init(
        topicPartition: TopicPartition, offset: Int64, timestamp: Instant, key: String?, value: Payload?,
        headers: [RecordHeader]
    ) {
        self.topicPartition = topicPartition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }

    /// The value of the first header of that name.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}
