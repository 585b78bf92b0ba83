import Outbox
public import Ports

/// What is sold, and where every piece of it is.
public enum ItemsTable {
    public static let table = Table(
        "items",
        columns: [
            .column("id", .uuid), .column("name", .text), .column("image", .text), .column("unit_price", .int64),
            .column("available", .int64), .column("reserved", .int64), .column("committed", .int64),
            .column("stocked", .int64), .column("created_at", .timestamp), .column("version", .int64),
        ],
        primaryKey: ["id"],
        checks: [
            ("unit_price", { [$0[3] >= 0] }), ("available", { [$0[4] >= 0] }), ("reserved", { [$0[5] >= 0] }),
            ("committed", { [$0[6] >= 0] }),
        ],
        indexes: [["created_at", "id"]])

    public static let id = table.column("id")
    public static let name = table.column("name")
    public static let image = table.column("image")
    /// Minor units.
    public static let unitPrice = table.column("unit_price")
    /// Pieces that can be reserved.
    public static let available = table.column("available")
    /// Pieces held for orders that are not paid.
    public static let reserved = table.column("reserved")
    /// Pieces of paid orders.
    public static let committed = table.column("committed")
    /// All pieces that ever came in: the sum of the three above.
    public static let stocked = table.column("stocked")
    public static let createdAt = table.column("created_at")
    /// Counts the item's events.
    public static let version = table.column("version")

    static let keyed = KeyedTable(table, key: id)
}

/// What came in when, so that stock can be accounted for.
public enum RestocksTable {
    public static let table = Table(
        "restocks",
        columns: [
            .column("id", .uuid), .column("item_id", .uuid), .column("quantity", .int64),
            .column("restocked_at", .timestamp),
        ],
        primaryKey: ["id"],
        checks: [("quantity", { [$0[2] > 0] })])

    public static let id = table.column("id")
    public static let itemID = table.column("item_id")
    public static let quantity = table.column("quantity")
    public static let restockedAt = table.column("restocked_at")
}

/// The stock held for each order.
public enum ReservationsTable {
    public static let table = Table(
        "reservations",
        columns: [
            .column("order_id", .uuid), .column("status", .text), .column("revision", .int64), .column("lines", .json),
            .column("finished_at", .timestamp, nullable: true), .column("version", .int64),
        ],
        primaryKey: ["order_id"],
        indexes: [["finished_at"]])

    public static let orderID = table.column("order_id")
    public static let status = table.column("status")
    /// The revision of the order's items that it answers for.
    public static let revision = table.column("revision")
    /// What is held: an array of `{productId, quantity, unitPrice}`; empty in a tombstone.
    public static let lines = table.column("lines")
    public static let finishedAt = table.column("finished_at")
    /// Counts the reservation's events.
    public static let version = table.column("version")

    static let keyed = KeyedTable(table, key: orderID)
}
