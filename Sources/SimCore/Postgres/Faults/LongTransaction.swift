import Ports

extension PostgresFaults {
    /// Somebody opens a transaction and leaves it open: slots cannot be created meanwhile, and those that exist keep WAL back.
    /// Source: PostgreSQL documentation, 54.19 (`restart_lsn`), 20.11 (`idle_in_transaction_session_timeout`).
    static func longTransaction(_ servers: Servers) -> FaultDefinition {
        FaultDefinition(
            "long-transaction", summary: "a transaction stays open and holds back the slots of the targets",
            targets: .processes, lasting: .seconds(1)...(.seconds(60))
        ) { injection in
            var open: [(server: SimulatedPostgres, connection: PostgresConnectionID)] = []
            for server in servers.disturbable(injection) {
                if let connection = server.openTransaction(injection.id) { open.append((server, connection)) }
            }
            return {
                // An event of the server's own: one that is frozen notices when it goes on, one that is down has forgotten.
                for (server, connection) in open {
                    server.schedule(
                        .longTransactionEnd, after: .zero, first: connection.rawValue,
                        second: UInt64(injection.id.rawValue))
                }
            }
        }
    }
}
