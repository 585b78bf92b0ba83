import Ports

/// What faults do to a controller from inside.
extension Controller {
    /// Gives the leadership of partitions to the next in-sync replica that may have it, as an operator's tool does. Returns how
    /// many moved.
    mutating func moveLeaders(
        where isConcerned: (PartitionImage, TopicImage) -> Bool, effects: inout [NodeEffect]
    ) -> Int {
        var count = 0
        for index in metadata.partitions.indices {
            let partition = metadata.partitions[index]
            guard isConcerned(partition, metadata.topics[partition.topic.index]),
                let leader = successor(in: partition)
            else { continue }
            metadata.partitions[index].leader = leader
            metadata.partitions[index].leaderEpoch += 1
            metadata.partitions[index].partitionEpoch += 1
            count += 1
        }
        if count > 0 {
            hasChanged = true
            publish(effects: &effects)
        }
        return count
    }

    /// The next member of the ISR behind the leader that may lead; `nil` when there is no other.
    private func successor(in partition: PartitionImage) -> NodeID? {
        guard let position = partition.replicas.firstIndex(of: partition.leader) else { return nil }
        let others = partition.replicas[(position + 1)...] + partition.replicas[..<position]
        return others.first { partition.inSyncReplicas.contains($0) && mayLead($0) }
    }

    /// Takes a broker for dead before its session has ended.
    mutating func fence(_ broker: NodeID) {
        guard let index = metadata.brokers.firstIndex(where: { $0.id == broker }), !metadata.brokers[index].isFenced
        else { return }
        metadata.brokers[index].isFenced = true
        hasChanged = true
        leaveInSyncReplicas(broker, isUnclean: true)
    }

    /// Elects leaders of partitions that have none from whatever replicas are up. Returns those partitions.
    mutating func electUncleanLeaders(effects: inout [NodeEffect]) -> [PartitionID] {
        let leaderless = metadata.partitions.filter { $0.leader == .none }.map(\.id)
        let elected = leaderless.filter { electLeader(of: $0, .unclean) == .none }
        publish(effects: &effects)
        return elected
    }
}

/// What faults do to a broker from inside.
extension Broker {
    /// Lets it fetch nothing from a leader until the fault ends.
    mutating func stallFetches(from leader: NodeID) { stalledLeaders.append(leader) }

    /// Takes one stall of that leader back.
    mutating func allowFetches(from leader: NodeID) {
        if let index = stalledLeaders.firstIndex(of: leader) { stalledLeaders.remove(at: index) }
    }

    /// Has every stable group that it coordinates rebalance. Returns how many.
    mutating func rebalanceGroups(now: Instant, effects: inout [NodeEffect]) -> Int {
        let count = groups.rebalanceAll(now: now, directives: &directives)
        settle(now: now, effects: &effects)
        return count
    }

    /// DeleteRecords (KIP-107): moves a log's start up to `offset`, at most to the high watermark. Followers learn of it with
    /// their next fetch. Returns how many records went; zero when it is not the leader.
    mutating func deleteRecords(
        of partition: PartitionID, before offset: Int64, now: Instant, effects: inout [NodeEffect]
    ) -> Int64 {
        guard let index = replicaIndex(partition), replicas[index].isLeader else { return 0 }
        let old = replicas[index].log.startOffset
        replicas[index].log.advanceStart(to: min(offset, replicas[index].log.highWatermark))
        guard replicas[index].log.startOffset > old else { return 0 }
        wakeWatchers(index)
        settle(now: now, effects: &effects)
        return replicas[index].log.startOffset - old
    }

    /// What the groups that it coordinates have committed for a partition of a topic that they subscribe to; `nil` for one
    /// that has committed nothing. One that has lost its members may want the topic again when they are back.
    func committedOffsets(of partition: PartitionID, in topic: String) -> [Int64?] {
        groups.groups.filter { $0.subscribedTopics.contains(topic) || $0.subscribedTopics.isEmpty }.map {
            $0.offset(of: partition)?.offset
        }
    }

    func highWatermark(of partition: PartitionID) -> Int64? {
        replicaIndex(partition).map { replicas[$0].log.highWatermark }
    }
}

extension GroupCoordinator {
    /// Has every stable group rebalance, as when a member's subscription changes. Returns how many.
    mutating func rebalanceAll(now: Instant, directives: inout [CoordinatorDirective]) -> Int {
        var count = 0
        for index in groups.indices where groups[index].state == .stable {
            prepareRebalance(index, now: now, directives: &directives)
            count += 1
        }
        return count
    }
}
