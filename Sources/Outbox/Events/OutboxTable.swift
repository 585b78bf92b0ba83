public import Ports

/// The outbox: events that a transaction wants published, inserted with its effects and never updated.
///
/// `id`, `aggregatetype`, `aggregateid`, `type` and `payload` are what Debezium's Outbox Event Router expects; the other
/// columns become headers. Every database of a service that publishes has this table.
public enum OutboxTable {
    public static let table = Table(
        "outbox",
        columns: [
            .column("id", .uuid), .column("aggregatetype", .text), .column("aggregateid", .text),
            .column("type", .text), .column("version", .int64), .column("occurred_at_microseconds", .int64),
            .column("causation_id", .text), .column("correlation_id", .text), .column("trace_parent", .text),
            .column("aggregate_version", .int64), .column("payload", .json),
        ],
        primaryKey: ["id"],
        indexes: [["occurred_at_microseconds"]])

    public static let id = table.column("id")
    /// Names the topic: `outbox.event.<aggregatetype>`.
    public static let aggregateType = table.column("aggregatetype")
    /// The record's key.
    public static let aggregateID = table.column("aggregateid")
    public static let type = table.column("type")
    public static let version = table.column("version")
    /// An integer, because Debezium would write a `timestamptz` header in a format of its own.
    public static let occurredAtMicroseconds = table.column("occurred_at_microseconds")
    public static let causationID = table.column("causation_id")
    public static let correlationID = table.column("correlation_id")
    public static let traceParent = table.column("trace_parent")
    /// Counts the events of one aggregate in the order of their transactions; a snapshot of the table is published by it.
    public static let aggregateVersion = table.column("aggregate_version")
    public static let payload = table.column("payload")

    /// What the topics of the router begin with (`route.topic.replacement=outbox.event.${routedByValue}`).
    public static let topicPrefix = "outbox.event."

    /// The value of `table.fields.additional.placement` that makes Debezium's router write ``EventHeader``'s headers.
    public static let debeziumFieldPlacement = """
        type:header:eventType,version:header:eventVersion,aggregateid:header:aggregateId,\
        occurred_at_microseconds:header:occurredAt,causation_id:header:causationId,\
        correlation_id:header:correlationId,trace_parent:header:traceparent
        """

    /// The topic on which events of an aggregate type are published.
    public static func topic(forAggregateType aggregateType: String) -> String { topicPrefix + aggregateType }
}
