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

extension SimulatedKafkaCluster {
    /// Takes a broker's machine down, lets others be elected in its place at once, and reports what is lost by that.
    fileprivate func loseLeader(_ leader: KafkaNodeHost, restartAfter delay: Nanoseconds, fault: FaultInstanceID) {
        // Asked while it is up: what it knew as committed is gone with it.
        let endangered = recordsCommittedAlone(by: leader)
        guard simulation.crash(leader.process, hostDown: true) else { return }
        simulation.scheduleStart(of: leader.process, at: simulation.now + delay)
        let elected = controllerHost.disturbController { controller, effects in
            controller.fence(leader.node)
            return controller.electUncleanLeaders(effects: &effects)
        }
        for (partition, records) in endangered where elected?.contains(partition) ?? false {
            guard let metadata = controllerHost.controllerMetadata, let image = metadata.partition(partition),
                image.leader != .none
            else { continue }
            let end = nodes[Int(image.leader.rawValue)].logEndOffset(of: partition) ?? 0
            let lost = records.filter { $0.offset >= end }
            for _ in lost { simulation.faults.tookEffect(fault) }
            if !lost.isEmpty { onLostRecords?(metadata.topicPartition(partition), lost) }
        }
    }

    /// Records that a leader knows as committed and not every other replica has, by partition.
    private func recordsCommittedAlone(by leader: KafkaNodeHost) -> [(partition: PartitionID, records: [ConsumerRecord])]
    {
        guard let metadata = controllerHost.controllerMetadata else { return [] }
        return metadata.partitions.compactMap { image in
            guard image.leader == leader.node, let committedEnd = leader.highWatermark(of: image.id) else { return nil }
            let others = nodes.dropFirst().filter { $0.node != leader.node && image.replicas.contains($0.node) }
            let start = others.map { $0.logEndOffset(of: image.id) ?? 0 }.min() ?? 0
            guard start < committedEnd else { return nil }
            return (image.id, records(of: image.id, metadata.topicPartition(image.id), on: leader, from: start))
        }
    }

    private func records(
        of partition: PartitionID, _ name: TopicPartition, on leader: KafkaNodeHost, from start: Int64
    ) -> [ConsumerRecord] {
        var records: [ConsumerRecord] = []
        for batch in leader.committedBatches(of: partition, from: start).batches {
            guard case .records(let contents) = batch.batch.contents else { continue }
            for index in contents.indices where batch.offset(ofRecord: index) >= start {
                FetchedRecords(topicPartition: name, batch: batch, range: index..<index + 1).appendRecords(to: &records)
            }
        }
        return records
    }
}
