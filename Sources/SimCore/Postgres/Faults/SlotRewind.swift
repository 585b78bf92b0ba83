import Ports

extension PostgresFaults {
    /// A slot's position is durable at checkpoints only: after a crash it goes back, and changes come again.
    /// Source: PostgreSQL documentation, 49.2.2 Replication Slots.
    static func slotRewind(_ servers: Servers) -> FaultDefinition {
        FaultDefinition(
            "slot-rewind", summary: "the replication slots of the targets go back to their last checkpoint",
            targets: .processes
        ) { injection in
            for server in servers.disturbable(injection) {
                for _ in 0..<server.disturb({ $0.rewindSlots() }) { injection.tookEffect() }
            }
            return nil
        }
    }
}
