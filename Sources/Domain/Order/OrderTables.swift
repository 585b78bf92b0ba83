import Outbox
public import Ports

/// Orders, one row each.
public enum OrdersTable {
    public static let table = Table(
        "orders",
        columns: [
            .column("id", .uuid), .column("request_key", .text), .column("status", .text),
            .column("status_description", .text), .column("payment_method", .text),
            .column("payment_id", .uuid, nullable: true), .column("total_items", .int64),
            .column("total_price", .int64), .column("revision", .int64), .column("line_count", .int64),
            .column("is_cancellation_requested", .bool), .column("created_at", .timestamp),
            .column("finished_at", .timestamp, nullable: true), .column("version", .int64),
        ],
        primaryKey: ["id"],
        checks: [("total_price", { [$0[7] >= 0] })],
        indexes: [["created_at", "id"], ["finished_at"]])

    public static let id = table.column("id")
    /// The idempotency key of the request that placed it. No unique key: that one request made one order is for the
    /// idempotency table to ensure and for a property to check.
    public static let requestKey = table.column("request_key")
    public static let status = table.column("status")
    public static let statusDescription = table.column("status_description")
    public static let paymentMethod = table.column("payment_method")
    public static let paymentID = table.column("payment_id")
    public static let totalItems = table.column("total_items")
    /// Minor units.
    public static let totalPrice = table.column("total_price")
    /// Grows with each change of the items; an answer of the inventory to an older revision counts for nothing.
    public static let revision = table.column("revision")
    /// How many lines were ever added; the next line's id is one more.
    public static let lineCount = table.column("line_count")
    public static let isCancellationRequested = table.column("is_cancellation_requested")
    public static let createdAt = table.column("created_at")
    /// When it reached a terminal state; from then on the archive's retention counts.
    public static let finishedAt = table.column("finished_at")
    /// Counts the order's events; also the id of its server-sent events.
    public static let version = table.column("version")

    static let keyed = KeyedTable(table, key: id)
}

/// The lines of orders.
public enum OrderItemsTable {
    public static let table = Table(
        "order_items",
        columns: [
            .column("order_id", .uuid), .column("id", .int64), .column("product_id", .uuid), .column("name", .text),
            .column("unit_price", .int64), .column("quantity", .int64),
        ],
        primaryKey: ["order_id", "id"],
        checks: [("quantity", { [$0[5] > 0] })])

    public static let orderID = table.column("order_id")
    /// Number of the line within its order.
    public static let id = table.column("id")
    public static let productID = table.column("product_id")
    public static let name = table.column("name")
    /// Minor units.
    public static let unitPrice = table.column("unit_price")
    public static let quantity = table.column("quantity")
}

/// Every step of every order, for subscribers that come late.
public enum OrderStepsTable {
    public static let table = Table(
        "order_steps",
        columns: [
            .column("order_id", .uuid), .column("version", .int64), .column("status", .text),
            .column("status_description", .text), .column("happened_at", .timestamp),
        ],
        primaryKey: ["order_id", "version"])

    public static let orderID = table.column("order_id")
    public static let version = table.column("version")
    public static let status = table.column("status")
    public static let statusDescription = table.column("status_description")
    public static let happenedAt = table.column("happened_at")
}

/// The prices that the inventory last announced, so that an order with another price is refused at once.
public enum ItemPricesTable {
    public static let table = Table(
        "item_prices",
        columns: [
            .column("product_id", .uuid), .column("name", .text), .column("unit_price", .int64),
            .column("item_version", .int64),
        ],
        primaryKey: ["product_id"])

    public static let productID = table.column("product_id")
    public static let name = table.column("name")
    /// Minor units.
    public static let unitPrice = table.column("unit_price")
    /// The item's version that the price belongs to; an older announcement changes nothing.
    public static let itemVersion = table.column("item_version")
}
