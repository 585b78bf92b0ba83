public import Ports

/// What a relay remembers in the database whose outbox it publishes, one row for each slot.
///
/// The table belongs to the slot: writing it is the heartbeat that moves the slot on when nothing else does
/// (`heartbeat.action.query` of Debezium).
public enum RelayTable {
    public static let table = Table(
        "outbox_relay",
        columns: [
            .column("slot_name", .text), .column("is_snapshot_complete", .bool), .column("beat_at", .timestamp),
        ],
        primaryKey: ["slot_name"])

    public static let slotName = table.column("slot_name")
    /// Whether everything committed before the slot existed has been published.
    public static let isSnapshotComplete = table.column("is_snapshot_complete")
    public static let beatAt = table.column("beat_at")

    static func setSnapshotComplete(_ isComplete: Bool, slot: String, at now: Instant) -> Statement {
        .insert(
            Insert(
                into: table, rows: [[.text(slot), .bool(isComplete), .timestamp(now)]],
                onConflict: .doUpdate(
                    key: table.primaryKey, assignments: [.setExcluded(isSnapshotComplete), .setExcluded(beatAt)],
                    condition: [])))
    }

    static func beat(slot: String, at now: Instant) -> Statement {
        .update(Update(table, set: [.set(beatAt, .timestamp(now))], where: [slotName == .text(slot)]))
    }
}
