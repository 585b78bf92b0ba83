import Ports

extension KafkaFaults {
    /// Groups and transactions get another coordinator: the partitions of Kafka's own topics get another leader, which reads
    /// everything from the log, while clients ask the old one.
    static func coordinatorMove(_ cluster: SimulatedKafkaCluster) -> FaultDefinition {
        FaultDefinition(
            "kafka-coordinator-move", summary: "groups and transactions get another coordinator", targets: .none
        ) { injection in
            let count = cluster.controllerHost.disturbController { controller, effects in
                controller.moveLeaders(where: { _, topic in InternalTopic.isInternal(topic.name) }, effects: &effects)
            }
            for _ in 0..<(count ?? 0) { injection.tookEffect() }
            return nil
        }
    }
}
