public import Ports

/// Why an event is parked.
public enum ParkedState: String, Hashable, Sendable, CaseIterable {
    /// It failed for good and went to the dead-letter topic; it waits for ``EventConsumerLoop/replayParked(aggregateID:)``.
    case dead = "DEAD"
    /// Its type or version is not known here; it is applied by the first version that knows it.
    case unknownType = "UNKNOWN_TYPE"
    /// An earlier event of its aggregate is parked.
    case waiting = "WAITING"
}

/// Events that could not be applied, and those of the same aggregates that came after them, in order.
public enum ParkedEventsTable {
    public static let table = Table(
        "parked_events",
        columns: [
            .column("consumer", .text), .column("event_id", .uuid), .column("aggregate_id", .text),
            .column("position", .int64), .column("state", .text), .column("cause", .text),
            .column("event_type", .text), .column("topic", .text), .column("topic_partition", .int64),
            .column("record_offset", .int64), .column("record_timestamp", .timestamp),
            .column("record_key", .text, nullable: true), .column("headers", .json),
            .column("payload", .json, nullable: true), .column("raw_payload", .bytes, nullable: true),
            .column("parked_at", .timestamp),
        ],
        primaryKey: ["consumer", "event_id"],
        indexes: [["consumer", "aggregate_id"]])

    public static let consumer = table.column("consumer")
    public static let eventID = table.column("event_id")
    public static let aggregateID = table.column("aggregate_id")
    /// Order among the parked events of one aggregate.
    public static let position = table.column("position")
    public static let state = table.column("state")
    public static let cause = table.column("cause")
    public static let eventType = table.column("event_type")
    public static let topic = table.column("topic")
    public static let topicPartition = table.column("topic_partition")
    public static let recordOffset = table.column("record_offset")
    public static let recordTimestamp = table.column("record_timestamp")
    public static let recordKey = table.column("record_key")
    public static let headers = table.column("headers")
    public static let payload = table.column("payload")
    public static let rawPayload = table.column("raw_payload")
    public static let parkedAt = table.column("parked_at")
}
