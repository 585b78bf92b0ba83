import Ports

extension KafkaFaults {
    /// The groups that the targets coordinate rebalance again and again, as with a member that comes and goes: what is under
    /// way when partitions are revoked comes again elsewhere, and offset commits are refused.
    static func rebalanceStorm(_ cluster: SimulatedKafkaCluster) -> FaultDefinition {
        FaultDefinition(
            "kafka-rebalance-storm", summary: "the groups that the targets coordinate rebalance again and again",
            targets: .processes,
            parameters: [
                FaultParameter("times", unit: "", default: 10, in: 1...100),
                FaultParameter("period", unit: "ms", default: 500, in: 20...5_000),
            ]
        ) { injection in
            for broker in cluster.brokers(injection) {
                broker.stormPeriod = .milliseconds(injection.parameter("period"))
                broker.rebalanceGroups(injection.id, timesLeft: Int(injection.parameter("times")))
            }
            return nil
        }
    }
}

extension KafkaNodeHost {
    /// One gust of a storm; the next one follows unless the faults are over.
    func rebalanceGroups(_ fault: FaultInstanceID, timesLeft: Int) {
        guard timesLeft > 0, !simulation.faults.areHealed else { return }
        let count = disturbBroker { $0.rebalanceGroups(now: simulation.now, effects: &$1) }
        for _ in 0..<(count ?? 0) { simulation.faults.tookEffect(fault) }
        schedule(rebalancesOf: fault, after: stormPeriod, timesLeft: timesLeft - 1)
    }
}
