import Outbox
public import Ports

/// What orders owe, one payment each.
public enum PaymentsTable {
    public static let table = Table(
        "payments",
        columns: [
            .column("order_id", .uuid), .column("id", .uuid), .column("amount", .int64), .column("currency", .text),
            .column("method", .text), .column("status", .text), .column("status_description", .text),
            .column("expires_at", .timestamp), .column("due_at", .timestamp, nullable: true),
            .column("created_at", .timestamp), .column("finished_at", .timestamp, nullable: true),
            .column("version", .int64),
        ],
        primaryKey: ["order_id"],
        unique: [["id"]],
        checks: [("amount", { [$0[2] >= 0] })],
        indexes: [["due_at"], ["created_at", "id"], ["finished_at"]])

    public static let orderID = table.column("order_id")
    public static let id = table.column("id")
    /// Minor units.
    public static let amount = table.column("amount")
    public static let currency = table.column("currency")
    public static let method = table.column("method")
    public static let status = table.column("status")
    public static let statusDescription = table.column("status_description")
    /// The deadline, by the clock of this service, which alone judges it.
    public static let expiresAt = table.column("expires_at")
    /// The deadline while the payment is pending; null afterwards, so that the sweeper looks at pending ones only.
    public static let dueAt = table.column("due_at")
    public static let createdAt = table.column("created_at")
    public static let finishedAt = table.column("finished_at")
    /// Counts the payment's events.
    public static let version = table.column("version")

    static let keyed = KeyedTable(table, key: orderID)
    static let keyedByID = KeyedTable(table, key: id)
}

/// What was asked of the gateway for each payment, written before it was asked.
public enum GatewayAttemptsTable {
    public static let table = Table(
        "gateway_attempts",
        columns: [
            .column("payment_id", .uuid), .column("order_id", .uuid), .column("idempotency_key", .text),
            .column("state", .text), .column("detail", .text), .column("started_at", .timestamp),
            .column("check_at", .timestamp, nullable: true), .column("check_count", .int64),
        ],
        primaryKey: ["payment_id"],
        unique: [["order_id"]],
        indexes: [["check_at"]])

    public static let paymentID = table.column("payment_id")
    public static let orderID = table.column("order_id")
    /// The key of the capture, the same in every retry.
    public static let idempotencyKey = table.column("idempotency_key")
    public static let state = table.column("state")
    /// The provider's reference, or its reason to refuse.
    public static let detail = table.column("detail")
    public static let startedAt = table.column("started_at")
    /// When the reconciler looks at it next; null when it is settled.
    public static let checkAt = table.column("check_at")
    public static let checkCount = table.column("check_count")

    static let keyed = KeyedTable(table, key: paymentID)
}
