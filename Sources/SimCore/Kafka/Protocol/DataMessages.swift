package import Ports

/// One partition's part of a produce request.
package struct ProduceEntry: Sendable {
    package let partition: PartitionID
    package let batch: RecordBatch
}

/// Produce: at most one batch of each partition.
package struct ProduceRequest: Sendable {
    package let acknowledgement: Acknowledgement
    /// How long the leader waits for the in-sync replicas: the producer's `request.timeout.ms`.
    package let timeout: Nanoseconds
    package let entries: [ProduceEntry]
}

/// The answer for one partition of a produce request.
package struct ProduceResult: Sendable {
    package let partition: PartitionID
    package let error: KafkaErrorCode
    /// Offset of the batch's first record; -1 with an error.
    package let baseOffset: Int64
}

/// From where one partition is fetched. Part of a fetch request only when it differs from the last one (KIP-227).
package struct FetchPosition: Sendable {
    package let partition: PartitionID
    package let offset: Int64
    /// The leader epoch that the fetcher believes in: checked against the leader's (74, 75); -1 checks nothing.
    package let currentLeaderEpoch: Int32
    /// Epoch of the last record the fetcher has; -1 when it has none. Shows the leader where logs diverge.
    package let lastFetchedEpoch: Int32
}

/// Fetch, by a consumer or a follower. The session belongs to the connection.
package struct FetchRequest: Sendable {
    /// The follower that fetches; ``NodeID/none`` for a consumer.
    package let replica: NodeID
    /// The follower's registration; -1 for a consumer.
    package let brokerEpoch: Int64
    package let maximumWait: Nanoseconds
    package let minimumBytes: Int32
    package let partitionByteLimit: Int32
    package let isReadCommitted: Bool
    /// Starts a new session: partitions not named are no longer part of it.
    package let isFull: Bool
    package let changed: [FetchPosition]
    package let forgotten: [PartitionID]
}

/// A transaction that was aborted, as a read_committed consumer has to know it.
package struct AbortedTransaction: Hashable, Sendable {
    package let producerID: Int64
    package let firstOffset: Int64
    /// Offset of the abort marker.
    package let lastOffset: Int64
}

/// Where a follower's or consumer's log leaves the leader's: the leader's last epoch that is not above the fetcher's, and
/// that epoch's end.
package struct EpochEndOffset: Hashable, Sendable {
    package let epoch: Int32
    package let endOffset: Int64
}

/// One partition's part of a fetch response.
package struct FetchedPartition: Sendable {
    package let partition: PartitionID
    package var error: KafkaErrorCode
    package var highWatermark: Int64
    package var logStartOffset: Int64
    package var batches: [StoredBatch]
    package var divergingEpoch: EpochEndOffset?
    package var abortedTransactions: [AbortedTransaction]

    static func failed(_ partition: PartitionID, _ error: KafkaErrorCode) -> FetchedPartition {
        FetchedPartition(
            partition: partition, error: error, highWatermark: -1, logStartOffset: -1, batches: [],
            divergingEpoch: nil, abortedTransactions: [])
    }
}

/// Which offset ListOffsets is asked for.
package enum OffsetSpecification: Sendable {
    case earliest
    /// The high watermark, or the last stable offset for read_committed.
    case latest(isReadCommitted: Bool)
}

package struct ListOffsetsEntry: Sendable {
    package let partition: PartitionID
    package let specification: OffsetSpecification
    package let currentLeaderEpoch: Int32
}

package struct ListOffsetsResult: Sendable {
    package let partition: PartitionID
    package let error: KafkaErrorCode
    package let offset: Int64
    package let leaderEpoch: Int32
}

package struct EpochEndOffsetQuery: Sendable {
    package let partition: PartitionID
    package let currentLeaderEpoch: Int32
    /// The epoch whose end is asked for.
    package let epoch: Int32
}

package struct EpochEndOffsetResult: Sendable {
    package let partition: PartitionID
    package let error: KafkaErrorCode
    /// Epoch -1 and offset -1: the leader knows no such epoch.
    package let end: EpochEndOffset
}
