/// Names of the record headers that make up an event's envelope.
///
/// The event router of Debezium writes `id` by itself and the others through `table.fields.additional.placement`
/// (Debezium documentation, "Outbox Event Router"); ``OutboxRelay`` writes the same, so consumers cannot tell which of
/// the two published an event.
public enum EventHeader {
    /// The event's id, a UUID: the deduplication key.
    public static let id = "id"
    public static let type = "eventType"
    /// Version of the payload's schema within its type.
    public static let version = "eventVersion"
    /// What the event is about, for example an order id. Also the record's key.
    public static let aggregateID = "aggregateId"
    /// Microseconds since the Unix epoch, by the producing service's clock.
    public static let occurredAt = "occurredAt"
    /// Id of the event or request that led to this one.
    public static let causationID = "causationId"
    /// Id of the whole story, passed on unchanged from event to event.
    public static let correlationID = "correlationId"
    /// W3C trace context, passed on unchanged; empty when there is none.
    public static let traceParent = "traceparent"
}
