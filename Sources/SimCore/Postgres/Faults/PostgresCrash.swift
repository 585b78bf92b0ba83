import Ports

extension PostgresFaults {
    /// A backend dies by a signal (out of memory, a broken extension): the postmaster ends all others, and recovers.
    /// Source: PostgreSQL documentation, 19.4.4 and 20.14 (`restart_after_crash`).
    static func crash(_ servers: Servers) -> FaultDefinition {
        FaultDefinition(
            "postgres-crash", summary: "a backend dies, and with it every session; the server recovers from its WAL",
            targets: .processes,
            parameters: [FaultParameter("restart_after", unit: "ms", default: 50, in: 1...5_000)]
        ) { injection in
            let delay = Nanoseconds.milliseconds(injection.parameter("restart_after"))
            for server in servers.disturbable(injection) {
                for _ in 0..<server.server.connectionCount { injection.tookEffect() }
                server.simulation.crash(server.process)
                server.simulation.scheduleStart(of: server.process, at: server.simulation.now + delay)
            }
            return nil
        }
    }
}
