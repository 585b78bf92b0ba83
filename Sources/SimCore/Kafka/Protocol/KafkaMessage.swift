package import Ports

/// A request. What is rare is boxed, so that the common ones stay small.
package enum KafkaRequestBody: Sendable {
    case produce(ProduceRequest)
    case fetch(FetchRequest)
    indirect case listOffsets([ListOffsetsEntry])
    indirect case offsetsForLeaderEpoch([EpochEndOffsetQuery])
    case metadata
    indirect case findCoordinator(CoordinatorKind, key: String)

    indirect case joinGroup(JoinGroupRequest)
    indirect case syncGroup(SyncGroupRequest)
    indirect case heartbeat(HeartbeatRequest)
    indirect case leaveGroup(LeaveGroupRequest)
    indirect case offsetCommit(OffsetCommitRequest)
    indirect case offsetFetch(OffsetFetchRequest)

    indirect case initProducerID(InitProducerIDRequest)
    indirect case addPartitionsToTransaction(AddPartitionsToTransactionRequest)
    indirect case addOffsetsToTransaction(AddOffsetsToTransactionRequest)
    indirect case endTransaction(EndTransactionRequest)
    indirect case transactionalOffsetCommit(TransactionalOffsetCommitRequest)
    indirect case writeTransactionMarkers(WriteTransactionMarkersRequest)

    indirect case createTopic(CreateTopicRequest)
    indirect case electLeader(PartitionID, ElectionKind)

    indirect case registerBroker(BrokerRegistrationRequest)
    indirect case brokerHeartbeat(BrokerHeartbeatRequest)
    /// A broker follows the metadata log: answered when there is something newer than the version it has.
    case fetchMetadata(broker: NodeID, version: Int64)
    indirect case alterPartition(AlterPartitionRequest)
    case allocateProducerIDs(broker: NodeID, brokerEpoch: Int64)
}

/// A response.
package enum KafkaResponseBody: Sendable {
    case produce([ProduceResult])
    case fetch(KafkaErrorCode, [FetchedPartition])
    indirect case listOffsets([ListOffsetsResult])
    indirect case offsetsForLeaderEpoch([EpochEndOffsetResult])
    indirect case metadata(ClusterMetadata)
    case findCoordinator(KafkaErrorCode, NodeID)

    indirect case joinGroup(JoinGroupResponse)
    indirect case syncGroup(KafkaErrorCode, [PartitionID])
    case heartbeat(KafkaErrorCode)
    case leaveGroup(KafkaErrorCode)
    indirect case offsetCommit([PartitionError])
    indirect case offsetFetch(KafkaErrorCode, [PartitionOffset])

    indirect case initProducerID(KafkaErrorCode, ProducerIdentity)
    indirect case addPartitionsToTransaction([PartitionError])
    case addOffsetsToTransaction(KafkaErrorCode)
    case endTransaction(KafkaErrorCode)
    indirect case transactionalOffsetCommit([PartitionError])
    indirect case writeTransactionMarkers([PartitionError])

    case createTopic(KafkaErrorCode)
    case electLeader(KafkaErrorCode)

    case registerBroker(KafkaErrorCode, brokerEpoch: Int64)
    indirect case brokerHeartbeat(BrokerHeartbeatResponse)
    /// `nil` when nothing changed while the controller waited.
    indirect case fetchMetadata(ClusterMetadata?)
    indirect case alterPartition(KafkaErrorCode, [AlterPartitionResult])
    case allocateProducerIDs(KafkaErrorCode, first: Int64, count: Int64)
}

/// A request on a connection. The correlation id is the client's own and comes back with the response.
package struct KafkaRequest: Sendable {
    package let correlation: Int32
    package let body: KafkaRequestBody
}

package struct KafkaResponse: Sendable {
    package let correlation: Int32
    package let body: KafkaResponseBody
}

extension KafkaRequest {
    /// About how many bytes travel for it.
    package var estimatedByteCount: Int {
        switch body {
        case .produce(let request): request.entries.reduce(64) { $0 + 24 + $1.batch.byteCount }
        case .fetch(let request): 64 + request.changed.count * 32 + request.forgotten.count * 8
        case .joinGroup(let request): 160 + request.subscription.owned.count * 8
        case .syncGroup(let request): request.assignments.reduce(96) { $0 + 48 + $1.partitions.count * 8 }
        case .offsetCommit(let request): 96 + request.offsets.count * 24
        case .transactionalOffsetCommit(let request): 128 + request.offsets.count * 24
        default: 96
        }
    }
}

extension KafkaResponse {
    /// About how many bytes travel for it.
    package var estimatedByteCount: Int {
        switch body {
        case .produce(let results): 32 + results.count * 32
        case .fetch(_, let partitions):
            partitions.reduce(32) { sum, partition in
                partition.batches.reduce(sum + 48) { $0 + $1.batch.byteCount }
            }
        case .metadata(let metadata): 64 + metadata.partitions.count * 48
        case .fetchMetadata(let metadata): 64 + (metadata?.partitions.count ?? 0) * 48
        case .joinGroup(let response): 96 + response.members.count * 128
        default: 96
        }
    }
}
