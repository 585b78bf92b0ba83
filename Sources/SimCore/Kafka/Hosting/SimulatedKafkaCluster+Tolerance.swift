/// What the cluster's replication can take.
extension SimulatedKafkaCluster {
    /// Whether every acknowledged record would outlive an unclean stop of this process now: another replica of each of its
    /// partitions is up, registered under its present incarnation, and known to hold all that is committed (in sync, or an
    /// eligible leader, KIP-966). True for processes that are no brokers.
    ///
    /// Kafka promises no more: a broker that comes back from an unclean stop is not trusted with what its disk may have lost,
    /// so when the last trusted replica stops uncleanly, committed records may be gone for good. A scenario that says nothing
    /// is lost keeps its faults within this (``FaultController/spare(where:)``).
    public func toleratesUncleanStop(of process: ProcessID) -> Bool {
        guard let broker = nodes.dropFirst().first(where: { $0.process == process })?.node else { return true }
        // While the controller is down nobody can tell whom it will trust.
        guard simulation.state(of: nodes[0].process) == .running, let metadata = nodes[0].controllerMetadata else {
            return false
        }
        return metadata.partitions.allSatisfy { partition in
            !partition.replicas.contains(broker)
                || partition.replicas.contains { $0 != broker && isTrusted($0, with: partition, metadata) }
        }
    }

    private func isTrusted(_ replica: NodeID, with partition: PartitionImage, _ metadata: ClusterMetadata) -> Bool {
        let host = nodes[Int(replica.rawValue)]
        guard let image = metadata.broker(replica), simulation.state(of: host.process) == .running,
            host.registrationIncarnation == image.incarnation
        else { return false }
        return partition.inSyncReplicas.contains(replica) || partition.eligibleLeaderReplicas.contains(replica)
    }
}
