import Ports

/// What the cluster's replication can take.
extension SimulatedKafkaCluster {
    /// Whether every acknowledged record would outlive an unclean stop of this process now. True for processes that are no
    /// brokers.
    ///
    /// For each partition of the broker, another replica has to be up, in contact with the controller, and known to hold all
    /// that is committed (in sync, or an eligible leader, KIP-966); and no member of the ISR may be dead without the
    /// controller knowing it, for then a living replica that falls silent would be dropped in favour of a dead one.
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
            guard partition.replicas.contains(broker) else { return true }
            let others = partition.replicas.filter { $0 != broker }
            let isInSync = { partition.inSyncReplicas.contains($0) }
            return others.contains {
                (isInSync($0) || partition.eligibleLeaderReplicas.contains($0)) && isInContact($0)
            }
                && others.filter(isInSync).allSatisfy { isRegistered($0, metadata) }
        }
    }

    /// Whether it is up, under the incarnation that the controller knows.
    private func isRegistered(_ replica: NodeID, _ metadata: ClusterMetadata) -> Bool {
        let host = nodes[Int(replica.rawValue)]
        return simulation.state(of: host.process) == .running
            && host.registrationIncarnation == metadata.broker(replica)?.incarnation
    }

    /// Whether it is up and the controller has heard of it within two heartbeats.
    private func isInContact(_ replica: NodeID) -> Bool {
        guard let metadata = nodes[0].controllerMetadata, isRegistered(replica, metadata) else { return false }
        return nodes[0].controllerHeard(of: replica, within: settings.brokerHeartbeatInterval * 2)
    }
}
