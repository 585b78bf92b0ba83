import Outbox
public import Ports

/// The notification feed: what happened to orders, in one sequence without gaps.
public enum FeedTable {
    public static let table = Table(
        "feed",
        columns: [
            .column("position", .int64), .column("event_id", .uuid), .column("order_id", .uuid),
            .column("event_type", .text), .column("status", .text), .column("status_description", .text),
            .column("created_at", .timestamp),
        ],
        primaryKey: ["position"],
        indexes: [["order_id", "position"], ["created_at"]])

    /// Place in the feed, from 1; also the id of its server-sent event.
    public static let position = table.column("position")
    /// The event that told of it.
    public static let eventID = table.column("event_id")
    public static let orderID = table.column("order_id")
    public static let eventType = table.column("event_type")
    /// The order's status then.
    public static let status = table.column("status")
    public static let statusDescription = table.column("status_description")
    public static let createdAt = table.column("created_at")
}

/// The feed's length, one row. Its lock puts transactions that append in line, so that positions become visible in their
/// order; a database's own sequence would not do (its numbers are taken before the commit and can appear out of order).
public enum FeedLengthTable {
    public static let table = Table(
        "feed_length", columns: [.column("id", .int64), .column("length", .int64)], primaryKey: ["id"])

    public static let id = table.column("id")
    public static let length = table.column("length")

    /// Makes sure that the row exists.
    static let ensure = Statement.insert(
        Insert(into: table, rows: [[1, 0]], onConflict: .doNothing(key: table.primaryKey)))
    static let select = Select(from: table, where: [id == 1])
    static let lock = Statement.select(Select(from: table, where: [id == 1], lock: .forUpdate))
}
