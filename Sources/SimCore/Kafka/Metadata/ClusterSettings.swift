package import Ports

/// How a follower finds where its log leaves the leader's.
package enum TruncationProtocol: String, Hashable, Sendable, Codable {
    /// Before KIP-101: a new follower cuts its log to its own high watermark.
    case highWatermark
    /// KIP-101: it asks for the end of its last epoch (OffsetsForLeaderEpoch), whose answer does not say which epoch the
    /// leader found. Two quick elections can leave logs that differ for ever (KAFKA-6361).
    case endOffsetForEpoch
    /// KIP-279 and KIP-595: the answer names the epoch, and the search goes on until both logs agree.
    case divergingEpoch
}

/// The settings of a cluster's brokers and controller. Names follow server.properties; defaults are Kafka's, unless the
/// comment says otherwise.
package struct ClusterSettings: Hashable, Sendable {
    /// `broker.heartbeat.interval.ms`
    package var brokerHeartbeatInterval: Nanoseconds = .seconds(2)
    /// `broker.session.timeout.ms`
    package var brokerSessionTimeout: Nanoseconds = .seconds(9)
    /// How long a broker's fetch of the metadata log waits at the controller for something new.
    package var metadataFetchMaximumWait: Nanoseconds = .seconds(2)
    /// `leader.imbalance.check.interval.seconds`; `nil` switches automatic preferred elections off
    /// (`auto.leader.rebalance.enable`).
    package var leaderRebalanceInterval: Nanoseconds? = .seconds(300)
    /// `eligible.leader.replicas.version=1` (KIP-966), the default since Kafka 4.1. Off: a restarted broker that was the
    /// last of its ISR leads again, whatever its disk lost.
    package var usesEligibleLeaderReplicas = true

    /// `replica.lag.time.max.ms`
    package var replicaLagTimeMaximum: Nanoseconds = .seconds(30)
    /// `replica.fetch.wait.max.ms`
    package var replicaFetchMaximumWait: Nanoseconds = .milliseconds(500)
    /// `replica.fetch.backoff.ms`
    package var replicaFetchBackoff: Nanoseconds = .seconds(1)
    /// `replica.fetch.max.bytes`, for each partition
    package var replicaFetchPartitionByteLimit = 1_048_576
    /// `replica.high.watermark.checkpoint.interval.ms`
    package var highWatermarkCheckpointInterval: Nanoseconds = .seconds(5)
    package var truncationProtocol: TruncationProtocol = .divergingEpoch
    /// `controller.socket.timeout.ms`, `replica.socket.timeout.ms`
    package var interBrokerRequestTimeout: Nanoseconds = .seconds(30)
    /// `reconnect.backoff.ms` of brokers and clients.
    package var reconnectBackoff: Nanoseconds = .milliseconds(50)
    /// `reconnect.backoff.max.ms`
    package var reconnectBackoffMaximum: Nanoseconds = .seconds(1)
    /// `message.max.bytes`
    package var batchByteLimit = 1_048_588

    /// `log.retention.check.interval.ms`
    package var retentionCheckInterval: Nanoseconds = .seconds(300)
    /// `log.cleaner.backoff.ms`
    package var cleanerInterval: Nanoseconds = .seconds(15)
    /// `min.cleanable.dirty.ratio`, in percent
    package var cleanableDirtyPercent = 50
    /// `producer.id.expiration.ms`
    package var producerIDExpiration: Nanoseconds = .hours(24)
    /// `producer.id.expiration.check.interval.ms`
    package var producerIDExpirationCheckInterval: Nanoseconds = .minutes(10)

    /// `offsets.topic.num.partitions`. Kafka's default is 50; a small cluster does with fewer.
    package var offsetsTopicPartitionCount: Int32 = 8
    /// `transaction.state.log.num.partitions`. Kafka's default is 50.
    package var transactionTopicPartitionCount: Int32 = 8
    /// `offsets.topic.replication.factor` and `transaction.state.log.replication.factor`, at most the broker count.
    package var internalTopicReplicationFactor: Int16 = 3
    /// `transaction.state.log.min.isr`, also for the offsets topic; at most the replication factor.
    package var internalTopicMinimumInSyncReplicas = 2
    /// `offsets.topic.segment.bytes`. Kafka's default is 100 MB; smaller segments are compacted sooner.
    package var internalTopicSegmentByteLimit = 1_048_576

    /// `group.initial.rebalance.delay.ms`
    package var groupInitialRebalanceDelay: Nanoseconds = .seconds(3)
    /// `group.min.session.timeout.ms`
    package var groupMinimumSessionTimeout: Nanoseconds = .seconds(6)
    /// `group.max.session.timeout.ms`
    package var groupMaximumSessionTimeout: Nanoseconds = .minutes(30)
    /// `group.max.size`
    package var groupMaximumSize = Int.max
    /// `offsets.retention.minutes`
    package var offsetsRetention: Nanoseconds = .hours(168)
    /// `offsets.retention.check.interval.ms`
    package var offsetsRetentionCheckInterval: Nanoseconds = .minutes(10)
    /// `offsets.commit.timeout.ms`
    package var offsetsCommitTimeout: Nanoseconds = .seconds(5)
    /// Off: KAFKA-13636, offsets of a group that is rebalancing may expire.
    package var protectsOffsetsWhileRebalancing = true

    /// `transaction.max.timeout.ms`
    package var transactionMaximumTimeout: Nanoseconds = .minutes(15)
    /// `transactional.id.expiration.ms`
    package var transactionalIDExpiration: Nanoseconds = .hours(168)
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    package var transactionalIDExpirationCheckInterval: Nanoseconds = .hours(1)
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    package var transactionTimeoutCheckInterval: Nanoseconds = .seconds(10)

    package init() {}
}
