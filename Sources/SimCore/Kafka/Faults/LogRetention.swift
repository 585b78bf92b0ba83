import Ports

extension KafkaFaults {
    /// Records are deleted early (DeleteRecords, KIP-107). By default only what every subscribed group has committed: whoever
    /// still stands below the new start, such as a zombie or a follower that is behind, is told that it is out of range. With
    /// `unread` 1 also what nobody has read, which loses it: lag beyond retention.
    static func logRetention(_ cluster: SimulatedKafkaCluster) -> FaultDefinition {
        FaultDefinition(
            "kafka-log-retention", summary: "records are deleted early", targets: .none,
            parameters: [FaultParameter("unread", unit: "", default: 0, in: 0...1)]
        ) { injection in
            cluster.willDeleteRecords?()
            for _ in 0..<cluster.deleteRecords(evenUnread: injection.parameter("unread") == 1) {
                injection.tookEffect()
            }
            return nil
        }
    }
}

extension SimulatedKafkaCluster {
    /// Deletes what may go of every partition, and returns how many records went.
    fileprivate func deleteRecords(evenUnread: Bool) -> Int64 {
        guard let metadata = controllerHost.controllerMetadata else { return 0 }
        // A group whose coordinator is away cannot be asked.
        let canAskEveryGroup = metadata.partitions.allSatisfy { partition in
            metadata.topics[partition.topic.index].name != InternalTopic.consumerOffsets
                || isUp(partition.leader)
        }
        guard canAskEveryGroup || evenUnread else { return 0 }
        var count: Int64 = 0
        for partition in metadata.partitions {
            let topic = metadata.topics[partition.topic.index].name
            guard !InternalTopic.isInternal(topic), isUp(partition.leader) else { continue }
            let leader = nodes[Int(partition.leader.rawValue)]
            let end = evenUnread ? Int64.max : lowestCommittedOffset(of: partition.id, in: topic)
            let deleted = leader.disturbBroker {
                $0.deleteRecords(of: partition.id, before: end, now: simulation.now, effects: &$1)
            }
            count += deleted ?? 0
        }
        return count
    }

    private func isUp(_ node: NodeID) -> Bool {
        node != .none && simulation.state(of: process(of: node)) == .running
    }

    /// The lowest offset that a reading group has committed; zero when one has committed nothing, or nobody reads.
    private func lowestCommittedOffset(of partition: PartitionID, in topic: String) -> Int64 {
        var lowest: Int64?
        var groups: [String] = []
        for node in nodes.dropFirst() {
            for (group, offset) in node.committedOffsets(of: partition, in: topic) {
                lowest = min(lowest ?? .max, offset ?? 0)
                groups.append(group)
            }
        }
        let unheard = readers.contains { $0.topics.contains(topic) && !groups.contains($0.group) }
        return unheard ? 0 : lowest ?? 0
    }
}
