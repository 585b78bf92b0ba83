import Ports

extension KafkaFaults {
    /// A broker falls behind as a follower, as with a saturated network card: after `replica.lag.time.max.ms` leaders drop it
    /// from their ISRs. It goes on leading what it leads.
    static func inSyncReplicasShrink(_ cluster: SimulatedKafkaCluster) -> FaultDefinition {
        FaultDefinition(
            "kafka-isr-shrink", summary: "the targets replicate nothing, and drop out of the ISR", targets: .processes,
            lasting: .seconds(5)...(.seconds(40))
        ) { injection in
            let laggards = cluster.brokers(injection)
            for laggard in laggards {
                for leader in cluster.others(than: laggard) {
                    laggard.changeBroker { $0.stallFetches(from: leader.node) }
                }
                cluster.controllerHost.watches.append(.laggard(laggard.node, injection.id))
            }
            return {
                for laggard in laggards {
                    for leader in cluster.others(than: laggard) { laggard.resumeFetches(from: leader.node) }
                }
                cluster.controllerHost.endWatches(of: injection.id)
            }
        }
    }
}
