import Ports

/// The kinds of faults that PostgreSQL servers have beside those of any process and disk. One file each.
public enum PostgresFaults {
    /// Makes the kinds known to a simulation. Targets are names of these servers' processes.
    public static func register(with controller: FaultController, servers: [SimulatedPostgres]) {
        let servers = Servers(servers)
        for definition in [
            crash(servers), failover(servers), slotLoss(servers), slotRewind(servers), longTransaction(servers),
            walCap(servers), connectionExhaustion(servers), privilegeLoss(servers),
        ] {
            controller.register(definition)
        }
    }

    /// The servers, found by process.
    struct Servers: Sendable {
        private let servers: [SimulatedPostgres]

        init(_ servers: [SimulatedPostgres]) { self.servers = servers }

        /// Those targets of a fault that are servers, run, and have recovered.
        func disturbable(_ injection: FaultInjection) -> [SimulatedPostgres] {
            servers.filter { injection.targets.contains($0.process) && $0.isDisturbable }
        }
    }
}
