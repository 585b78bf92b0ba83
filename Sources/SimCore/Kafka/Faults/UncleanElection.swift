import Ports

extension KafkaFaults {
    /// The targets lead alone until they are the only members of their ISRs; then their machines are lost, and an operator has
    /// the others elected, behind as they are (`kafka-leader-election --election-type unclean`). Loses what was committed by
    /// the targets alone: nothing with min.insync.replicas above one, as a rule.
    static func uncleanElection(_ cluster: SimulatedKafkaCluster) -> FaultDefinition {
        FaultDefinition(
            "kafka-unclean-election",
            summary: "the targets lead alone, are lost, and replicas that are behind get elected", targets: .processes,
            parameters: [FaultParameter("restart_after", unit: "ms", default: 10_000, in: 1_000...60_000)],
            lasting: .seconds(12)...(.seconds(40))
        ) { injection in
            let leaders = cluster.brokers(injection)
            for leader in leaders { cluster.stallFollowers(of: leader) }
            let delay = Nanoseconds.milliseconds(injection.parameter("restart_after"))
            return {
                for leader in leaders {
                    cluster.resumeFollowers(of: leader)
                    cluster.loseLeader(leader, restartAfter: delay, fault: injection.id)
                }
            }
        }
    }
}

/// Committed records that only a lost leader was known to have, until the next leader of their partition shows what it has.
struct EndangeredRecords {
    let partition: PartitionID
    let records: [ConsumerRecord]
    let fault: FaultInstanceID
}

extension SimulatedKafkaCluster {
    /// Takes a broker's machine down, lets others be elected in its place at once, and reports what is lost by that.
    fileprivate func loseLeader(_ leader: KafkaNodeHost, restartAfter delay: Nanoseconds, fault: FaultInstanceID) {
        // Asked while it is up: what it knew as committed is gone with it.
        let alone = recordsCommittedAlone(by: leader)
        guard simulation.crash(leader.process, hostDown: true) else { return }
        endangered += alone.map { EndangeredRecords(partition: $0.partition, records: $0.records, fault: fault) }
        simulation.scheduleStart(of: leader.process, at: simulation.now + delay)
        // Where the topic allows it the controller elects by itself, as soon as it knows.
        controllerHost.disturbController { controller, effects in
            controller.fence(leader.node)
            _ = controller.electUncleanLeaders(effects: &effects)
        }
        reportLosses()
    }

    /// Looks which endangered records the next leader of their partition has, at the moment at which it is elected and has
    /// taken nothing in yet. Those of a partition without a leader stay endangered.
    func reportLosses() {
        guard let metadata = controllerHost.controllerMetadata else { return }
        let waiting = endangered
        endangered.removeAll()
        for entry in waiting {
            guard let leader = metadata.partition(entry.partition)?.leader, leader != .none else {
                endangered.append(entry)
                continue
            }
            // Not by offsets alone: other records may have taken their places meanwhile.
            let name = metadata.topicPartition(entry.partition)
            let left = Set(
                records(
                    of: entry.partition, name, on: nodes[Int(leader.rawValue)],
                    in: (entry.records.first?.offset ?? 0)..<((entry.records.last?.offset ?? -1) + 1)))
            let lost = entry.records.filter { !left.contains($0) }
            for _ in lost { simulation.faults.tookEffect(entry.fault) }
            if !lost.isEmpty { onLostRecords?(name, lost) }
        }
    }

    /// Records that a leader knows as committed and not every other replica has, by partition.
    private func recordsCommittedAlone(
        by leader: KafkaNodeHost
    ) -> [(partition: PartitionID, records: [ConsumerRecord])] {
        guard let metadata = controllerHost.controllerMetadata else { return [] }
        return metadata.partitions.compactMap { image in
            guard image.leader == leader.node, let committedEnd = leader.highWatermark(of: image.id) else { return nil }
            let others = nodes.dropFirst().filter { $0.node != leader.node && image.replicas.contains($0.node) }
            let start = others.map { commonEnd(of: image.id, leader, $0, upTo: committedEnd) }.min() ?? 0
            guard start < committedEnd else { return nil }
            return (
                image.id, records(of: image.id, metadata.topicPartition(image.id), on: leader, in: start..<committedEnd)
            )
        }
    }

    /// Where another replica's log parts from that of the leader: it ends there, or goes on with records of an earlier leader
    /// that it had no occasion to truncate yet.
    private func commonEnd(
        of partition: PartitionID, _ leader: KafkaNodeHost, _ other: KafkaNodeHost, upTo end: Int64
    ) -> Int64 {
        let otherEnd = min(end, other.logEndOffset(of: partition) ?? 0)
        let found = other.batches(of: partition, in: 0..<otherEnd)
        let otherStart = other.logStartOffset(of: partition) ?? 0
        var position = 0
        for batch in leader.batches(of: partition, in: 0..<end) where batch.lastOffset >= otherStart {
            while position < found.count, found[position].baseOffset < batch.baseOffset { position += 1 }
            guard position < found.count else { return min(batch.baseOffset, otherEnd) }
            // Of one epoch there was one leader: what is missing was compacted.
            if found[position].leaderEpoch != batch.leaderEpoch { return batch.baseOffset }
        }
        return otherEnd
    }

    private func records(
        of partition: PartitionID, _ name: TopicPartition, on leader: KafkaNodeHost, in span: Range<Int64>
    ) -> [ConsumerRecord] {
        var records: [ConsumerRecord] = []
        for batch in leader.batches(of: partition, in: span) {
            guard case .records(let contents) = batch.batch.contents else { continue }
            for index in contents.indices where span.contains(batch.offset(ofRecord: index)) {
                FetchedRecords(topicPartition: name, batch: batch, range: index..<index + 1).appendRecords(to: &records)
            }
        }
        return records
    }
}
