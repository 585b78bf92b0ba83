package import Ports

/// What one replica of a partition looks like from outside: for oracles, tests and reports, never for the protocol itself.
package struct ReplicaInspection: Sendable {
    package let isLeader: Bool
    package let leaderEpoch: Int32
    package let logStartOffset: Int64
    package let highWatermark: Int64
    package let lastStableOffset: Int64
    package let logEndOffset: Int64
    package let flushedOffset: Int64
    package let inSyncReplicas: [NodeID]
    package let segmentCount: Int
    package let byteCount: Int
    package let producerCount: Int
    package let batches: [StoredBatch]

    /// Offset, key and value of each record of a producer, without markers.
    package var records: [(offset: Int64, key: String?, value: Payload?)] {
        batches.flatMap { stored -> [(offset: Int64, key: String?, value: Payload?)] in
            guard case .records(let records) = stored.batch.contents else { return [] }
            return records.indices.map { (stored.offset(ofRecord: $0), records[$0].key, records[$0].value) }
        }
    }

    package var keys: [String] { records.map { $0.key ?? "" } }
}

extension Broker {
    /// A replica's state; `nil` when this broker has none of that partition. Linear in the log.
    package func inspect(_ partition: PartitionID) -> ReplicaInspection? {
        guard let index = replicaIndex(partition) else { return nil }
        return ReplicaInspection(
            isLeader: replicas[index].isLeader, leaderEpoch: replicas[index].leaderEpoch,
            logStartOffset: replicas[index].log.startOffset,
            highWatermark: replicas[index].log.highWatermark, lastStableOffset: replicas[index].log.lastStableOffset,
            logEndOffset: replicas[index].log.endOffset, flushedOffset: replicas[index].log.flushedOffset,
            inSyncReplicas: replicas[index].inSyncReplicas, segmentCount: replicas[index].log.segments.count,
            byteCount: replicas[index].log.byteCount, producerCount: replicas[index].log.producers.count,
            batches: replicas[index].log.segments.flatMap(\.batches))
    }

    /// What a consumer that reads everything committed could read from `offset` on. Linear in what is returned.
    package func committedBatches(of partition: PartitionID, from offset: Int64) -> (batches: [StoredBatch], end: Int64)
    {
        guard let index = replicaIndex(partition) else { return ([], offset) }
        let highWatermark = replicas[index].log.highWatermark
        return (batches(of: partition, in: offset..<max(offset, highWatermark)), max(offset, highWatermark))
    }

    /// What this broker's replica holds of a span of offsets, committed or not. Linear in what is returned.
    package func batches(of partition: PartitionID, in span: Range<Int64>) -> [StoredBatch] {
        guard let index = replicaIndex(partition) else { return [] }
        var batches: [StoredBatch] = []
        replicas[index].log.read(
            from: max(span.lowerBound, replicas[index].log.startOffset), upTo: span.upperBound, byteLimit: .max,
            into: &batches)
        return batches
    }

    /// The first offset that a replica keeps; `nil` when this broker has none.
    package func logStartOffset(of partition: PartitionID) -> Int64? {
        replicaIndex(partition).map { replicas[$0].log.startOffset }
    }

    /// The partitions of which this broker has a replica, in order.
    package var partitions: [PartitionID] { replicas.indices.map { replicas[$0].id }.sorted() }

    /// Where a replica's log ends, and up to where it is known to be on disk: what a crash of the machine may take lies
    /// between. `nil` when this broker has none of that partition.
    package func unflushedTail(of partition: PartitionID) -> Range<Int64>? {
        guard let index = replicaIndex(partition) else { return nil }
        return replicas[index].log.flushedOffset..<replicas[index].log.endOffset
    }
}
