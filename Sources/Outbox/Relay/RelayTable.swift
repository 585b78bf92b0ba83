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
            .column("snapshot_token", .uuid, nullable: true),
        ],
        primaryKey: ["slot_name"])

    public static let slotName = table.column("slot_name")
    /// Whether everything committed before the slot existed has been published.
    public static let isSnapshotComplete = table.column("is_snapshot_complete")
    public static let beatAt = table.column("beat_at")
    /// Names the snapshot that was last asked for: only who has made that one may call it complete.
    public static let snapshotToken = table.column("snapshot_token")

    /// Asks for a snapshot, and takes back whatever was said of earlier ones.
    static func demandSnapshot(_ token: UniqueID, slot: String, at now: Instant) -> Statement {
        .insert(
            Insert(
                into: table, rows: [[.text(slot), .bool(false), .timestamp(now), .uuid(token)]],
                onConflict: .doUpdate(
                    key: table.primaryKey,
                    assignments: [
                        .setExcluded(isSnapshotComplete), .setExcluded(beatAt), .setExcluded(snapshotToken),
                    ],
                    condition: [])))
    }

    /// Says that the snapshot is complete, unless another was asked for meanwhile: then no row is affected.
    static func completeSnapshot(_ token: UniqueID, slot: String, at now: Instant) -> Statement {
        .update(
            Update(
                table, set: [.set(isSnapshotComplete, .bool(true)), .set(beatAt, .timestamp(now))],
                where: [slotName == .text(slot), snapshotToken == .uuid(token)]))
    }

    static func select(slot: String) -> Statement {
        .select(Select(from: table, where: [slotName == .text(slot)]))
    }

    static func beat(slot: String, at now: Instant) -> Statement {
        .update(Update(table, set: [.set(beatAt, .timestamp(now))], where: [slotName == .text(slot)]))
    }
}
