package import Ports

/// What decides how a topic's logs are kept.
package struct TopicConfiguration: Hashable, Sendable {
    package var minimumInSyncReplicas = 1
    package var allowsUncleanLeaderElection = false
    package var isCompacted = false
    package var retention: Nanoseconds? = .hours(168)
    package var segmentSpan: Nanoseconds = .hours(168)
    package var segmentByteLimit = 1_073_741_824
    package var tombstoneRetention: Nanoseconds = .hours(24)

    package init() {}

    package init(_ specification: TopicSpecification) {
        minimumInSyncReplicas = specification.minimumInSyncReplicas
        allowsUncleanLeaderElection = specification.allowsUncleanLeaderElection
        isCompacted = specification.isCompacted
        retention = specification.retention
        segmentSpan = specification.segmentSpan
        segmentByteLimit = specification.segmentByteLimit
        tombstoneRetention = specification.tombstoneRetention
    }
}

/// A topic as the metadata log describes it.
package struct TopicImage: Sendable {
    package let id: TopicID
    package let name: String
    package let firstPartition: PartitionID
    package let partitionCount: Int32
    package let configuration: TopicConfiguration

    /// The cluster-wide number of one of its partitions; `nil` when there is no such partition.
    package func partition(_ number: Int32) -> PartitionID? {
        guard number >= 0, number < partitionCount else { return nil }
        return PartitionID(firstPartition.rawValue + number)
    }

    package var partitions: [PartitionID] {
        (0..<partitionCount).map { PartitionID(firstPartition.rawValue + $0) }
    }
}

/// A partition's leadership as the controller last decided it.
package struct PartitionImage: Sendable {
    package let id: PartitionID
    package let topic: TopicID
    /// Its number within the topic.
    package let number: Int32
    package var replicas: [NodeID]
    package var inSyncReplicas: [NodeID]
    /// Eligible leader replicas (KIP-966): out of the ISR, but known to hold everything below the high watermark.
    package var eligibleLeaderReplicas: [NodeID] = []
    /// The last leader, once neither the ISR nor the eligible leader replicas have a member left (KIP-966).
    package var lastKnownLeader: NodeID = .none
    package var leader: NodeID
    /// Counts elections.
    package var leaderEpoch: Int32
    /// Counts changes of any kind: what AlterPartition is checked against.
    package var partitionEpoch: Int32
}

/// A broker's registration.
package struct BrokerImage: Sendable {
    package let id: NodeID
    /// Counts registrations over the whole cluster: it tells one incarnation of a broker from the next.
    package var epoch: Int64
    package var incarnation: Int64
    /// The metadata version that announced this registration: the broker must know it before it may serve.
    package var registrationVersion: Int64
    /// A fenced broker leads nothing and is in no ISR.
    package var isFenced: Bool
    /// In a controlled shutdown: takes on no new leadership.
    package var isShuttingDown = false
}

/// One version of the cluster's metadata. Copying it copies references only.
package struct ClusterMetadata: Sendable {
    /// Counts changes; a larger one is newer.
    package var version: Int64 = 0
    package var brokers: [BrokerImage] = []
    package var topics: [TopicImage] = []
    package var partitions: [PartitionImage] = []

    package init() {}

    /// Linear in the topics, of which there are few; callers on the hot path remember the answer.
    package func topic(named name: String) -> TopicImage? { topics.first { $0.name == name } }

    package func broker(_ id: NodeID) -> BrokerImage? { brokers.first { $0.id == id } }

    package func partition(_ id: PartitionID) -> PartitionImage? {
        id.index < partitions.count ? partitions[id.index] : nil
    }

    package func partitionID(_ partition: TopicPartition) -> PartitionID? {
        topic(named: partition.topic)?.partition(partition.partition)
    }

    package func topicPartition(_ id: PartitionID) -> TopicPartition {
        let partition = partitions[id.index]
        return TopicPartition(topics[partition.topic.index].name, partition.number)
    }

    func configuration(of id: PartitionID) -> TopicConfiguration {
        topics[partitions[id.index].topic.index].configuration
    }
}

/// The names of Kafka's own topics.
enum InternalTopic {
    static let consumerOffsets = "__consumer_offsets"
    static let transactionState = "__transaction_state"

    static func isInternal(_ name: String) -> Bool { name == consumerOffsets || name == transactionState }
}
