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
        guard simulation.crash(leader.process, hostDown: true) else { return }
        simulation.scheduleStart(of: leader.process, at: simulation.now + delay)
        let elected = controllerHost.disturbController { controller, effects in
            controller.fence(leader.node)
            return controller.electUncleanLeaders(effects: &effects)
        }
        for partition in elected ?? [] {
            guard let metadata = controllerHost.controllerMetadata, let image = metadata.partition(partition),
                image.leader != .none
            else { continue }
            let lost = committedRecords(of: partition, beyond: nodes[Int(image.leader.rawValue)])
            for _ in lost { simulation.faults.tookEffect(fault) }
            if !lost.isEmpty { onLostRecords?(metadata.topicPartition(partition), lost) }
        }
    }

    /// Records that some replica knows as committed and a new leader does not have.
    private func committedRecords(of partition: PartitionID, beyond leader: KafkaNodeHost) -> [ConsumerRecord] {
        guard let metadata = controllerHost.controllerMetadata else { return [] }
        let end = leader.logEndOffset(of: partition) ?? 0
        let knowing = nodes.dropFirst().max { highWatermark($0, partition) < highWatermark($1, partition) }
        guard let knowing, highWatermark(knowing, partition) > end else { return [] }
        var records: [ConsumerRecord] = []
        for batch in knowing.committedBatches(of: partition, from: end).batches {
            guard case .records(let contents) = batch.batch.contents else { continue }
            for index in contents.indices where batch.offset(ofRecord: index) >= end {
                FetchedRecords(
                    topicPartition: metadata.topicPartition(partition), batch: batch, range: index..<index + 1
                ).appendRecords(to: &records)
            }
        }
        return records
    }

    private func highWatermark(_ node: KafkaNodeHost, _ partition: PartitionID) -> Int64 {
        node.highWatermark(of: partition) ?? -1
    }
}
