import Ports

extension PostgresFaults {
    /// A bulk load writes more WAL than a slot may hold back: the next checkpoint invalidates the slots that have not moved
    /// on, which on a quiet database are all of them. Takes effect only where the server has a limit.
    /// Source: PostgreSQL documentation, 20.6.1 (`max_slot_wal_keep_size`).
    static func walCap(_ servers: Servers) -> FaultDefinition {
        FaultDefinition(
            "wal-cap", summary: "a bulk load writes more WAL than slots may hold back", targets: .processes,
            parameters: [FaultParameter("amount", unit: "MB", default: 128, in: 16...1_024)]
        ) { injection in
            for server in servers.disturbable(injection) {
                server.startBulkLoad(injection.id, megabytes: Int(injection.parameter("amount")))
            }
            return nil
        }
    }
}
