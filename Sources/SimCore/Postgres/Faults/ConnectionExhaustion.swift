import Ports

extension PostgresFaults {
    /// Other clients take the connections that the server allows: whoever connects anew is refused with 53300.
    /// Source: PostgreSQL documentation, 20.3.1 (`max_connections`).
    static func connectionExhaustion(_ servers: Servers) -> FaultDefinition {
        FaultDefinition(
            "connection-exhaustion", summary: "others take the connections that the targets allow", targets: .processes,
            parameters: [FaultParameter("free", unit: "", default: 0, in: 0...10)],
            lasting: .milliseconds(500)...(.seconds(30))
        ) { injection in
            let servers = servers.disturbable(injection)
            for server in servers {
                server.exhaustConnections(injection.id, leaving: Int(injection.parameter("free")))
            }
            return { for server in servers { server.endExhaustion(injection.id) } }
        }
    }
}
