import Ports

/// Where a record's result goes: to which call, and to which place of its results.
struct RecordDestination: Sendable {
    let call: Int32
    let index: Int32
}

/// Records of one partition on their way to its leader.
struct ProducerBatch: Sendable {
    var records: [LogRecord] = []
    var destinations: [RecordDestination] = []
    var byteCount = RecordBatch.headerByteCount
    var maximumTimestamp: Instant = .epoch
    var createdAt: Instant
    /// Built when it is sent first.
    var encoded: RecordBatch?
    var identity: ProducerIdentity = .none
    /// -1 until it is sent first, and without idempotence.
    var baseSequence: Int32 = -1
    /// How often it was sent.
    var attempts = 0
    /// An attempt may have been written although it seemed to fail.
    var isInDoubt = false
    /// The request that it was last sent with.
    var serial: Int64 = -1
    var retryAt: Instant?
    /// Why the last attempt failed.
    var lastError: KafkaErrorCode = .none

    var hasSequence: Bool { baseSequence >= 0 }
}

/// What a producer keeps of one partition.
struct ProducerPartition: Sendable {
    enum Membership: Sendable {
        case none, asked, added
    }

    let id: PartitionID
    let topicPartition: TopicPartition
    /// Takes records until it is full or has lingered.
    var open = ProducerBatch(createdAt: .epoch)
    /// Closed batches, first to be sent first.
    var queue: [ProducerBatch] = []
    /// Sent and not answered, in order of sequence.
    var inFlight: [ProducerBatch] = []
    /// In the client's list of partitions that have something to send.
    var isActive = false

    /// Identity under which the next batch is numbered.
    var identity: ProducerIdentity = .none
    var nextSequence: Int32 = 0
    var lastAcknowledgedSequence: Int32 = -1
    /// A batch with a sequence number was given up: whether it was written is open until the others are answered.
    var hasUnresolvedSequence = false
    /// Begins at sequence 0 with the next bump of the epoch, whatever waits for another attempt.
    var needsRestart = false
    /// A broker has refused the very next number: waiting for other batches settles nothing.
    var isOutOfOrder = false
    /// Its part in the transaction.
    var membership: Membership = .none

    init(id: PartitionID, topicPartition: TopicPartition) {
        self.id = id
        self.topicPartition = topicPartition
    }

    /// The place of a partition that nothing was sent to yet.
    static let unknown = ProducerPartition(id: PartitionID(-1), topicPartition: TopicPartition("", -1))

    var isKnown: Bool { id.rawValue >= 0 }
    var hasOpenBatch: Bool { !open.records.isEmpty }
    var isEmpty: Bool { !hasOpenBatch && queue.isEmpty && inFlight.isEmpty }

    /// Puts a batch back for another attempt: in order of sequence, or without idempotence in front, as Java clients do.
    mutating func requeue(_ batch: ProducerBatch) {
        guard batch.hasSequence else { return queue.insert(batch, at: 0) }
        let position =
            queue.firstIndex { !$0.hasSequence || $0.baseSequence > batch.baseSequence } ?? queue.count
        queue.insert(batch, at: position)
    }
}

/// A call of `send` that waits for the results of its records.
struct ProducerCall: Sendable {
    /// Where one record was written; partition -1 while that is not known.
    struct Result: Sendable {
        var partition: Int32 = -1
        var offset: Int64 = -1
    }

    /// `nil` for a free slot.
    var id: CallID?
    var results: [Result]
    var remaining: Int
    /// Of the first record that failed, in the order given.
    var failure: (index: Int32, error: EventLogError)?
}

/// The topic that was looked up last.
struct TopicLookup: Sendable {
    var name = ""
    var index: Int32 = -1
    var firstPartition: Int32 = 0
    var partitionCount: Int32 = 0

    var isKnown: Bool { index >= 0 }

    /// Makes this the topic `name`. Returns whether the metadata has it.
    mutating func find(_ name: String, in metadata: ClusterMetadata) -> Bool {
        guard let topic = metadata.topic(named: name) else { return false }
        self.name = topic.name
        index = topic.id.rawValue
        firstPartition = topic.firstPartition.rawValue
        partitionCount = topic.partitionCount
        return true
    }
}

/// Known mistakes of real clients, each off unless a test wants to see what it does.
package struct ProducerDefects: OptionSet, Hashable, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    /// confluent-kafka-dotnet#704 (librdkafka#2163): a batch that expired keeps its sequence numbers, so that the next one
    /// leaves a gap, which is fatal.
    package static let leavesSequenceGap = ProducerDefects(rawValue: 1)
    /// KAFKA-12152: after a bump of the epoch, partitions without anything in flight go on with their old sequence numbers.
    package static let keepsSequenceAfterBump = ProducerDefects(rawValue: 2)
}
