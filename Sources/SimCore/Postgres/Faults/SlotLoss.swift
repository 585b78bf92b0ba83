import Ports

extension PostgresFaults {
    /// Slots are invalidated, whatever the cause: their consumers have to make new ones, and what was committed in between
    /// is not in any stream. Source: PostgreSQL documentation, 54.19 (`wal_status`, `invalidation_reason`).
    static func slotLoss(_ servers: Servers) -> FaultDefinition {
        FaultDefinition(
            "slot-loss", summary: "the replication slots of the targets are invalidated", targets: .processes
        ) { injection in
            for server in servers.disturbable(injection) {
                for _ in 0..<server.disturb({ $0.loseSlots() }) { injection.tookEffect() }
            }
            return nil
        }
    }
}
