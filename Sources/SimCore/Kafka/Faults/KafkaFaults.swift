import Ports

/// The kinds of faults that a Kafka cluster has beside those of any process and disk. One file each.
public enum KafkaFaults {
    /// Makes the kinds known to a simulation. Targets are names of the cluster's processes.
    public static func register(with controller: FaultController, cluster: SimulatedKafkaCluster) {
        for definition in [
            leaderChange(cluster), coordinatorMove(cluster), controllerLoss, inSyncReplicasShrink(cluster),
            logTruncation(cluster), rebalanceStorm(cluster), logRetention(cluster), uncleanElection(cluster),
        ] {
            controller.register(definition)
        }
    }
}

extension SimulatedKafkaCluster {
    /// The controller's shell.
    var controllerHost: KafkaNodeHost { nodes[0] }

    /// The brokers among the targets of a fault.
    func brokers(_ injection: FaultInjection) -> [KafkaNodeHost] {
        nodes.dropFirst().filter { injection.targets.contains($0.process) }
    }

    /// All brokers but one.
    func others(than host: KafkaNodeHost) -> [KafkaNodeHost] { nodes.dropFirst().filter { $0 !== host } }

    /// Stops the other brokers' fetches from one, or lets them go on.
    func stallFollowers(of leader: KafkaNodeHost) {
        for follower in others(than: leader) { follower.changeBroker { $0.stallFetches(from: leader.node) } }
    }

    func resumeFollowers(of leader: KafkaNodeHost) {
        for follower in others(than: leader) { follower.resumeFetches(from: leader.node) }
    }
}

extension KafkaNodeHost {
    /// Lets the broker fetch from a leader again: at once if it is up, otherwise when it comes back.
    func resumeFetches(from leader: NodeID) {
        changeBroker { $0.allowFetches(from: leader) }
        _ = disturbBroker { $0.settle(now: simulation.now, effects: &$1) }
    }
}
