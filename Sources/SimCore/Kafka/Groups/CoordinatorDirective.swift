import Ports

/// What a coordinator wants its broker to do.
enum CoordinatorDirective: Sendable {
    case respond(ResponseHandle, KafkaResponseBody)
    /// Writes records to a partition of the coordinator's topic with acks=all; reported back under `token`.
    case append(CoordinatorKind, PartitionID, CoordinatorBatch, token: Int64)
    /// A write is replicated, or failed.
    case appended(CoordinatorKind, token: Int64, KafkaErrorCode)
    case wakeUp(at: Instant)
    /// Sends a transaction's markers to the leader of some of its partitions.
    case sendMarkers(NodeID, WriteTransactionMarkersRequest, token: Int64)
    /// Markers that this broker wrote for its own coordinator.
    case markersWritten(token: Int64, [PartitionError])
}

/// Records that a coordinator writes, under a producer's identity when they are part of its transaction.
struct CoordinatorBatch: Sendable {
    let records: [CoordinatorRecord]
    var producer: ProducerIdentity = .none

    init(_ records: [CoordinatorRecord], producer: ProducerIdentity = .none) {
        self.records = records
        self.producer = producer
    }
}

/// Where coordinators live: the partition of an internal topic that a group's or transactional id's name hashes to.
enum CoordinatorPartition {
    /// java.lang.String.hashCode, over UTF-16 code units.
    static func hash(_ text: String) -> Int32 {
        text.utf16.reduce(into: Int32(0)) { $0 = $0 &* 31 &+ Int32($1) }
    }

    /// `Utils.abs(key.hashCode) % partitions`
    static func number(of key: String, of partitionCount: Int32) -> Int32 {
        let hash = hash(key)
        return (hash == .min ? 0 : abs(hash)) % partitionCount
    }
}
