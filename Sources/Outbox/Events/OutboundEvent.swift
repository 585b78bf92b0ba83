public import Ports

/// What an event says of where it came from: the ids that tie it to its cause, kept as the text they travel as.
public struct EventCause: Hashable, Sendable {
    /// Id of the event or request that led to it.
    public var causationID: String
    /// Id of the whole story.
    public var correlationID: String
    /// W3C `traceparent`; empty when there is none.
    public var traceParent: String

    public init(causationID: String, correlationID: String, traceParent: String = "") {
        self.causationID = causationID
        self.correlationID = correlationID
        self.traceParent = traceParent
    }
}

/// An event to be written to the outbox.
public struct OutboundEvent: Sendable {
    public var id: UniqueID
    /// Names the topic, see ``OutboxTable/topic(forAggregateType:)``.
    public var aggregateType: String
    /// The record's key: events of one key keep their order.
    public var aggregateID: String
    public var type: String
    /// Version of the payload's schema within its type.
    public var version: Int64
    public var occurredAt: Instant
    /// Position among the aggregate's events, counted by the service under the aggregate's row lock.
    public var aggregateVersion: Int64
    public var payload: JSONValue

    public init(
        id: UniqueID, aggregateType: String, aggregateID: String, type: String, version: Int64 = 1, occurredAt: Instant,
        aggregateVersion: Int64, payload: JSONValue
    ) {
        self.id = id
        self.aggregateType = aggregateType
        self.aggregateID = aggregateID
        self.type = type
        self.version = version
        self.occurredAt = occurredAt
        self.aggregateVersion = aggregateVersion
        self.payload = payload
    }

    /// The row of ``OutboxTable`` that publishes it.
    public func row(causedBy cause: EventCause) -> [Value] {
        [
            .uuid(id), .text(aggregateType), .text(aggregateID), .text(type), .int64(version),
            .int64(occurredAt.nanosecondsSinceEpoch / 1_000), .text(cause.causationID), .text(cause.correlationID),
            .text(cause.traceParent), .int64(aggregateVersion), .json(payload),
        ]
    }
}
