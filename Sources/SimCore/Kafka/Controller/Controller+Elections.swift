import Ports

/// Leader elections and ISR changes (ReplicationControlManager, PartitionChangeBuilder).
extension Controller {
    private func effectiveMinimumInSyncReplicas(_ partition: PartitionImage) -> Int {
        min(metadata.topics[partition.topic.index].configuration.minimumInSyncReplicas, partition.replicas.count)
    }

    /// Takes a broker out of every ISR (and, after an unclean stop, out of the eligible leader replicas), and elects
    /// other leaders where it led.
    mutating func leaveInSyncReplicas(_ broker: NodeID, isUnclean: Bool) {
        for index in metadata.partitions.indices where metadata.partitions[index].replicas.contains(broker) {
            let partition = metadata.partitions[index]
            let isConcerned =
                partition.inSyncReplicas.contains(broker) || partition.leader == broker
                || (isUnclean && partition.eligibleLeaderReplicas.contains(broker))
            guard isConcerned else { continue }
            change(
                index, inSyncReplicas: partition.inSyncReplicas.filter { $0 != broker },
                uncleanlyStopped: isUnclean ? broker : nil)
        }
    }

    /// A broker has come back: partitions without a leader may have one now.
    mutating func electLeadersAfterReturn(of broker: NodeID) {
        for index in metadata.partitions.indices {
            let partition = metadata.partitions[index]
            guard partition.leader == .none, partition.replicas.contains(broker) else { continue }
            change(index, inSyncReplicas: partition.inSyncReplicas)
        }
    }

    /// Builds and applies one partition's change: the new ISR, the eligible leader replicas, and the leader.
    mutating func change(
        _ index: Int, inSyncReplicas target: [NodeID], uncleanlyStopped: NodeID? = nil,
        prefersFirstReplica: Bool = false, forcesUnclean: Bool = false
    ) {
        let old = metadata.partitions[index]
        var new = old
        new.inSyncReplicas = target
        if settings.usesEligibleLeaderReplicas {
            updateEligibleLeaders(of: &new, from: old, uncleanlyStopped: uncleanlyStopped)
        } else if target.isEmpty {
            // The last member stays: whoever it is, it alone may lead again ("last replica standing").
            new.inSyncReplicas = old.inSyncReplicas
        }
        let wasUnclean = elect(&new, prefersFirstReplica: prefersFirstReplica, forcesUnclean: forcesUnclean)
        if wasUnclean { uncleanElectionCount += 1 }
        if new.leader != old.leader { new.leaderEpoch += 1 }
        let differs =
            new.leader != old.leader || new.inSyncReplicas != old.inSyncReplicas
            || new.eligibleLeaderReplicas != old.eligibleLeaderReplicas || new.lastKnownLeader != old.lastKnownLeader
        guard differs else { return }
        new.partitionEpoch += 1
        metadata.partitions[index] = new
        hasChanged = true
    }

    /// KIP-966: members that leave an ISR below the minimum stay eligible, for the high watermark stood still meanwhile.
    private func updateEligibleLeaders(
        of new: inout PartitionImage, from old: PartitionImage, uncleanlyStopped: NodeID?
    ) {
        if new.inSyncReplicas.count >= effectiveMinimumInSyncReplicas(old) {
            new.eligibleLeaderReplicas = []
            new.lastKnownLeader = .none
            return
        }
        new.eligibleLeaderReplicas = old.replicas.filter { replica in
            (old.inSyncReplicas.contains(replica) || old.eligibleLeaderReplicas.contains(replica))
                && !new.inSyncReplicas.contains(replica) && replica != uncleanlyStopped
        }
        if new.inSyncReplicas.isEmpty, old.leader != .none { new.lastKnownLeader = old.leader }
    }

    /// Chooses the leader of a changed partition. Returns whether it had to be one that may lack committed records.
    private func elect(_ new: inout PartitionImage, prefersFirstReplica: Bool, forcesUnclean: Bool) -> Bool {
        func isEligible(_ replica: NodeID) -> Bool { new.inSyncReplicas.contains(replica) && mayLead(replica) }
        if prefersFirstReplica, let preferred = new.replicas.first, isEligible(preferred) {
            new.leader = preferred
            return false
        }
        if new.leader != .none, isEligible(new.leader) { return false }
        if let leader = new.replicas.first(where: { isEligible($0) }) {
            new.leader = leader
            return false
        }
        if let leader = new.replicas.first(where: { new.eligibleLeaderReplicas.contains($0) && mayLead($0) }) {
            new.leader = leader
            new.inSyncReplicas = [leader]
            new.eligibleLeaderReplicas.removeAll { $0 == leader }
            new.lastKnownLeader = .none
            return false
        }
        let allowsUnclean =
            forcesUnclean || metadata.topics[new.topic.index].configuration.allowsUncleanLeaderElection
        let lastKnownMayLead =
            new.inSyncReplicas.isEmpty && new.eligibleLeaderReplicas.isEmpty && new.lastKnownLeader != .none
            && mayLead(new.lastKnownLeader)
        let unclean =
            allowsUnclean
            ? new.replicas.first { mayLead($0) } : (lastKnownMayLead ? new.lastKnownLeader : nil)
        guard let leader = unclean else {
            new.leader = .none
            return false
        }
        new.leader = leader
        new.inSyncReplicas = [leader]
        new.eligibleLeaderReplicas = []
        new.lastKnownLeader = .none
        return true
    }

    /// AlterPartition (KIP-497): a leader asks for another ISR.
    mutating func alterPartitions(_ request: AlterPartitionRequest) -> KafkaResponseBody {
        guard let broker = metadata.broker(request.broker), broker.epoch == request.brokerEpoch else {
            return .alterPartition(.staleBrokerEpoch, [])
        }
        return .alterPartition(.none, request.entries.map { alter($0, from: request.broker) })
    }

    private mutating func alter(_ entry: AlterPartitionEntry, from broker: NodeID) -> AlterPartitionResult {
        let partition = metadata.partitions[entry.partition.index]
        let error: KafkaErrorCode
        if entry.leaderEpoch < partition.leaderEpoch {
            error = .fencedLeaderEpoch
        } else if partition.leader != broker || !entry.inSyncReplicas.contains(broker) {
            error = .invalidRequest
        } else if entry.partitionEpoch != partition.partitionEpoch {
            error = .invalidUpdateVersion
        } else if !entry.inSyncReplicas.allSatisfy({ $0 == broker || mayLead($0) }) {
            error = .ineligibleReplica
        } else {
            error = .none
            if laggards.count > 256 { laggards.removeAll(keepingCapacity: true) }
            laggards += partition.inSyncReplicas.filter { !entry.inSyncReplicas.contains($0) }
            change(entry.partition.index, inSyncReplicas: entry.inSyncReplicas)
        }
        let result = metadata.partitions[entry.partition.index]
        return AlterPartitionResult(
            partition: entry.partition, error: error, inSyncReplicas: result.inSyncReplicas,
            partitionEpoch: result.partitionEpoch)
    }

    /// Gives leadership back to the first replica of each list, where it is in sync (`auto.leader.rebalance.enable`).
    mutating func rebalanceLeaders(now: Instant) {
        guard let at = nextRebalanceAt, at <= now, let interval = settings.leaderRebalanceInterval else { return }
        nextRebalanceAt = now + interval
        for index in metadata.partitions.indices {
            let partition = metadata.partitions[index]
            guard partition.leader != partition.replicas.first else { continue }
            change(index, inSyncReplicas: partition.inSyncReplicas, prefersFirstReplica: true)
        }
    }

    mutating func electLeader(of id: PartitionID, _ kind: ElectionKind) -> KafkaErrorCode {
        guard let partition = metadata.partition(id) else { return .unknownTopicOrPartition }
        switch kind {
        case .preferred:
            guard let preferred = partition.replicas.first, partition.leader != preferred else {
                return .electionNotNeeded
            }
            guard partition.inSyncReplicas.contains(preferred), mayLead(preferred) else {
                return .preferredLeaderNotAvailable
            }
            change(id.index, inSyncReplicas: partition.inSyncReplicas, prefersFirstReplica: true)
        case .unclean:
            guard partition.leader == .none else { return .electionNotNeeded }
            guard partition.replicas.contains(where: { mayLead($0) }) else { return .eligibleLeadersNotAvailable }
            change(id.index, inSyncReplicas: partition.inSyncReplicas, forcesUnclean: true)
        }
        return .none
    }

    mutating func createTopic(_ request: CreateTopicRequest) -> KafkaErrorCode {
        guard metadata.topic(named: request.name) == nil else { return .topicAlreadyExists }
        guard request.partitionCount > 0 else { return .invalidPartitions }
        let live = metadata.brokers.filter { !$0.isFenced && !$0.isShuttingDown }.map(\.id)
        // Unfenced brokers first; a fenced one is used only when there are too few others.
        let candidates = live + metadata.brokers.map(\.id).filter { !live.contains($0) }
        let factor = Int(request.replicationFactor)
        guard factor > 0, factor <= candidates.count, !live.isEmpty else { return .invalidReplicationFactor }
        let topic = TopicID(Int32(metadata.topics.count))
        let first = PartitionID(Int32(metadata.partitions.count))
        metadata.topics.append(
            TopicImage(
                id: topic, name: request.name, firstPartition: first, partitionCount: request.partitionCount,
                configuration: request.configuration))
        let ring = factor <= live.count ? live : candidates
        for number in 0..<request.partitionCount {
            // Leaders go round the brokers, and go on where the topic before stopped.
            let start = metadata.partitions.count
            var replicas = (0..<factor).map { ring[(start + $0) % ring.count] }
            if let firstLive = replicas.firstIndex(where: live.contains) { replicas.swapAt(0, firstLive) }
            let inSync = replicas.filter(live.contains)
            metadata.partitions.append(
                PartitionImage(
                    id: PartitionID(Int32(start)), topic: topic, number: number, replicas: replicas,
                    inSyncReplicas: inSync, leader: inSync.first ?? .none, leaderEpoch: 0, partitionEpoch: 0))
        }
        hasChanged = true
        return .none
    }
}
