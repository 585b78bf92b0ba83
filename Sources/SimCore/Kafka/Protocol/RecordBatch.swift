package import Ports

/// A record in a log: a producer's record without the topic and partition that its batch already says.
package struct LogRecord: Sendable {
    package let key: String?
    /// `nil` is a tombstone.
    package let value: Payload?
    package let headers: [RecordHeader]
    /// CreateTime: the producer's clock.
    package let timestamp: Instant

    package init(key: String?, value: Payload?, headers: [RecordHeader], timestamp: Instant) {
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }
}

/// The end of a transaction in a partition: a control record that takes an offset of its own.
package struct TransactionMarker: Hashable, Sendable {
    package let isCommit: Bool
    /// Epoch of the transaction coordinator that wrote it; a lower one is fenced.
    package let coordinatorEpoch: Int32
}

/// What a batch holds.
package enum BatchContents: Sendable {
    case records([LogRecord])
    case marker(TransactionMarker)
    /// Records of the internal topics `__consumer_offsets` and `__transaction_state`.
    case coordinator([CoordinatorRecord])
}

/// The unit in which records are sent, stored, replicated and fetched (record batch format v2).
///
/// Immutable and shared by reference: the producer, the leader's log, every follower's log and every consumer hold the
/// same one, so no record is copied for a replica.
package final class RecordBatch: Sendable {
    package let contents: BatchContents
    package let recordCount: Int32
    package let producer: ProducerIdentity
    /// Sequence number of the first record; -1 without idempotence.
    package let baseSequence: Int32
    package let isTransactional: Bool
    package let byteCount: Int
    /// The latest timestamp of its records, which retention and tombstone expiry judge by.
    package let maximumTimestamp: Instant

    init(
        _ contents: BatchContents, producer: ProducerIdentity = .none, baseSequence: Int32 = -1,
        isTransactional: Bool = false, byteCount: Int, maximumTimestamp: Instant
    ) {
        self.contents = contents
        self.recordCount =
            switch contents {
            case .records(let records): Int32(records.count)
            case .marker: 1
            case .coordinator(let records): Int32(records.count)
            }
        self.producer = producer
        self.baseSequence = baseSequence
        self.isTransactional = isTransactional
        self.byteCount = byteCount
        self.maximumTimestamp = maximumTimestamp
    }

    /// The batch header of record format v2, in bytes.
    static let headerByteCount = 61

    var lastSequence: Int32 { SequenceNumber.adding(recordCount - 1, to: baseSequence) }
    var isControl: Bool { if case .marker = contents { true } else { false } }

    /// The same records under another identity: what a producer sends again after its epoch was bumped.
    func reidentified(as producer: ProducerIdentity, baseSequence: Int32) -> RecordBatch {
        RecordBatch(
            contents, producer: producer, baseSequence: baseSequence, isTransactional: isTransactional,
            byteCount: byteCount, maximumTimestamp: maximumTimestamp)
    }
}

/// Arithmetic of sequence numbers: 0 follows `Int32.max`.
enum SequenceNumber {
    static func adding(_ count: Int32, to sequence: Int32) -> Int32 {
        let (sum, overflow) = sequence.addingReportingOverflow(count)
        return overflow ? count - (Int32.max - sequence) - 1 : sum
    }

    static func follows(_ next: Int32, _ last: Int32) -> Bool {
        next == last &+ 1 || (next == 0 && last == .max)
    }
}

/// A batch at its place in a log: what the leader made of it when it assigned offsets.
package final class StoredBatch: Sendable {
    package let baseOffset: Int64
    package let lastOffset: Int64
    package let leaderEpoch: Int32
    package let batch: RecordBatch
    /// Offset of each record, where compaction has removed some; otherwise they follow `baseOffset` without gaps.
    let offsets: [Int64]?
    /// When compaction first saw a tombstone of this batch; it may be removed `delete.retention.ms` later (KIP-534).
    let tombstoneHorizon: Instant?

    init(
        _ batch: RecordBatch, baseOffset: Int64, lastOffset: Int64, leaderEpoch: Int32, offsets: [Int64]? = nil,
        tombstoneHorizon: Instant? = nil
    ) {
        self.batch = batch
        self.baseOffset = baseOffset
        self.lastOffset = lastOffset
        self.leaderEpoch = leaderEpoch
        self.offsets = offsets
        self.tombstoneHorizon = tombstoneHorizon
    }

    convenience init(_ batch: RecordBatch, baseOffset: Int64, leaderEpoch: Int32) {
        self.init(
            batch, baseOffset: baseOffset, lastOffset: baseOffset + Int64(batch.recordCount) - 1,
            leaderEpoch: leaderEpoch)
    }

    @inline(__always) func offset(ofRecord index: Int) -> Int64 {
        if let offsets { offsets[index] } else { baseOffset + Int64(index) }
    }

    /// Index of the first record at or after `offset`.
    func firstIndex(atOrAfter offset: Int64) -> Int {
        guard let offsets else { return max(0, Int(offset - baseOffset)) }
        return offsets.firstIndex { $0 >= offset } ?? offsets.count
    }
}
