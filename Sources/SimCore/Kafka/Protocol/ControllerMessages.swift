package import Ports

package struct BrokerRegistrationRequest: Sendable {
    package let broker: NodeID
    /// Differs from one start of the broker to the next.
    package let incarnation: Int64
    /// The broker epoch that a clean shutdown left on disk; -1 after an unclean one.
    package let previousBrokerEpoch: Int64
}

package struct BrokerHeartbeatRequest: Sendable {
    package let broker: NodeID
    package let brokerEpoch: Int64
    /// The newest metadata the broker has applied.
    package let metadataVersion: Int64
    package let wantsShutdown: Bool
}

package struct BrokerHeartbeatResponse: Sendable {
    package let error: KafkaErrorCode
    package let isFenced: Bool
    package let mayShutDown: Bool
}

package struct AlterPartitionEntry: Sendable {
    package let partition: PartitionID
    package let leaderEpoch: Int32
    package let partitionEpoch: Int32
    package let inSyncReplicas: [NodeID]
}

package struct AlterPartitionRequest: Sendable {
    package let broker: NodeID
    package let brokerEpoch: Int64
    package let entries: [AlterPartitionEntry]
}

package struct AlterPartitionResult: Sendable {
    package let partition: PartitionID
    package let error: KafkaErrorCode
    package let inSyncReplicas: [NodeID]
    package let partitionEpoch: Int32
}

package struct CreateTopicRequest: Sendable {
    package let name: String
    package let partitionCount: Int32
    package let replicationFactor: Int16
    package let configuration: TopicConfiguration
}

package enum ElectionKind: Sendable {
    case preferred, unclean
}

/// Which coordinator is looked for.
package enum CoordinatorKind: Hashable, Sendable {
    case group, transaction
}
