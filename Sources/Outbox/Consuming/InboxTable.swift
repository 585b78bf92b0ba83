public import Ports

/// The inbox: one row for each event that a consumer has applied, inserted in the transaction of the effects.
///
/// Its primary key decides whether an event is new: a replay, a duplicate and an unknown commit outcome are all settled
/// by it. Rows may go once the log has forgotten the event.
public enum InboxTable {
    public static let table = Table(
        "inbox",
        columns: [
            .column("consumer", .text), .column("event_id", .uuid), .column("aggregate_id", .text),
            .column("received_at", .timestamp),
        ],
        primaryKey: ["consumer", "event_id"],
        indexes: [["received_at"]])

    public static let consumer = table.column("consumer")
    public static let eventID = table.column("event_id")
    public static let aggregateID = table.column("aggregate_id")
    public static let receivedAt = table.column("received_at")

    /// Locks the rows of events that were applied before, so that committing confirms them (decision 14): only then may the
    /// offsets pass the events.
    static func confirm(_ eventIDs: [UniqueID], consumer: String) -> Statement {
        .select(
            Select(
                from: table, where: [self.consumer == .text(consumer), eventID.isIn(eventIDs.map { .uuid($0) })],
                orderedBy: [.ascending(eventID)], lock: .forUpdate))
    }

    /// Inserts what is not there yet, and returns those rows.
    ///
    /// Rows are in the order of their ids, so that two consumers of the same events wait for each other instead of
    /// deadlocking.
    static func insertNew(_ events: [Event], consumer: String, at now: Instant) -> Statement {
        let consumer = Value.text(consumer)
        let now = Value.timestamp(now)
        var ids: [(id: UniqueID, position: Int)] = []
        ids.reserveCapacity(events.count)
        for (position, event) in events.enumerated() { ids.append((event.id, position)) }
        ids.sort { $0.id < $1.id }
        var rows: [[Value]] = []
        rows.reserveCapacity(events.count)
        for (id, position) in ids { rows.append([consumer, .uuid(id), .text(events[position].aggregateID), now]) }
        return .insert(
            Insert(into: table, rows: rows, onConflict: .doNothing(key: table.primaryKey), returning: true))
    }
}

/// Events that no longer applied when they came: recorded, so that a no-op can be told from a lost event.
public enum IgnoredEventsTable {
    public static let table = Table(
        "ignored_events",
        columns: [
            .column("consumer", .text), .column("event_id", .uuid), .column("aggregate_id", .text),
            .column("event_type", .text), .column("reason", .text), .column("ignored_at", .timestamp),
        ],
        primaryKey: ["consumer", "event_id"],
        indexes: [["ignored_at"]])

    public static let consumer = table.column("consumer")
    public static let eventID = table.column("event_id")
    public static let aggregateID = table.column("aggregate_id")
    public static let eventType = table.column("event_type")
    public static let reason = table.column("reason")
    public static let ignoredAt = table.column("ignored_at")

    static func row(_ event: Event, consumer: String, reason: String, at now: Instant) -> [Value] {
        [
            .text(consumer), .uuid(event.id), .text(event.aggregateID), .text(event.type), .text(reason),
            .timestamp(now),
        ]
    }
}
