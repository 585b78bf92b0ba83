import Ports

extension KafkaFaults {
    /// A leader appends what no follower fetches, then loses its leadership: as a follower it has to cut that off again
    /// (KIP-101, KIP-279). What was acknowledged under acks=all is not among it.
    static func logTruncation(_ cluster: SimulatedKafkaCluster) -> FaultDefinition {
        FaultDefinition(
            "kafka-log-truncation",
            summary: "the targets append alone for a while, then others lead and they have to cut their logs",
            targets: .processes, lasting: .milliseconds(200)...(.seconds(8))
        ) { injection in
            let leaders = cluster.brokers(injection)
            for leader in leaders {
                cluster.stallFollowers(of: leader)
                leader.watches.append(.truncation(beyond: leader.truncatedRecordCount, injection.id))
            }
            return {
                for leader in leaders {
                    _ = cluster.controllerHost.disturbController { controller, effects in
                        controller.moveLeaders(
                            where: { partition, _ in partition.leader == leader.node }, effects: &effects)
                    }
                    cluster.resumeFollowers(of: leader)
                }
            }
        }
    }
}
