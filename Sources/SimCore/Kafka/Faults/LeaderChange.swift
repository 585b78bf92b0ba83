import Ports

extension KafkaFaults {
    /// Leaders of partitions move to other in-sync replicas while everybody is up, as in a rolling restart or a preferred
    /// election: clients learn of it by NOT_LEADER_OR_FOLLOWER and stale epochs.
    static func leaderChange(_ cluster: SimulatedKafkaCluster) -> FaultDefinition {
        FaultDefinition(
            "kafka-leader-change", summary: "partitions get another leader among their in-sync replicas",
            targets: .none,
            parameters: [FaultParameter("share", unit: "percent", default: 100, in: 1...100)]
        ) { injection in
            let share = UInt64(injection.parameter("share"))
            let count = cluster.controllerHost.disturbController { controller, effects in
                controller.moveLeaders(
                    where: { _, topic in
                        !InternalTopic.isInternal(topic.name) && injection.draw(below: 100) < share
                    }, effects: &effects)
            }
            for _ in 0..<(count ?? 0) { injection.tookEffect() }
            return nil
        }
    }
}
