import Outbox
public import Ports

/// Shipments, one for each paid order.
public enum ShipmentsTable {
    public static let table = Table(
        "shipments",
        columns: [
            .column("order_id", .uuid), .column("id", .uuid), .column("status", .text),
            .column("due_at", .timestamp, nullable: true), .column("created_at", .timestamp),
            .column("finished_at", .timestamp, nullable: true), .column("version", .int64),
        ],
        primaryKey: ["order_id"],
        unique: [["id"]],
        indexes: [["due_at"], ["created_at", "id"], ["finished_at"]])

    public static let orderID = table.column("order_id")
    public static let id = table.column("id")
    public static let status = table.column("status")
    /// When the next step is due; null when there is none.
    public static let dueAt = table.column("due_at")
    public static let createdAt = table.column("created_at")
    public static let finishedAt = table.column("finished_at")
    /// Counts the shipment's events.
    public static let version = table.column("version")

    static let keyed = KeyedTable(table, key: orderID)
    static let keyedByID = KeyedTable(table, key: id)
}
