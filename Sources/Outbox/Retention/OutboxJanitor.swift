public import Ports

/// Deletes what the outbox library no longer needs.
public struct OutboxJanitor: Sendable {
    /// How long outbox rows stay. Until then a slot that was lost can be made good from the table; rows deleted before
    /// they were published are gone, so keep it longer than any outage of the relay.
    public var outboxRetention: Nanoseconds
    /// How long inbox rows stay: at least as long as the log keeps events, or a replay is applied a second time.
    public var inboxRetention: Nanoseconds

    public init(outboxRetention: Nanoseconds = .hours(24), inboxRetention: Nanoseconds = .hours(24 * 8)) {
        self.outboxRetention = outboxRetention
        self.inboxRetention = inboxRetention
    }

    /// What deletes the rows that have had their time, to be run now and then as one transaction.
    public func statements(at now: Instant) -> [Statement] {
        let outboxLimit = (now - outboxRetention).nanosecondsSinceEpoch / 1_000
        let inboxLimit = Value.timestamp(now - inboxRetention)
        return [
            .delete(
                Delete(from: OutboxTable.table, where: [OutboxTable.occurredAtMicroseconds < .int64(outboxLimit)])),
            .delete(Delete(from: InboxTable.table, where: [InboxTable.receivedAt < inboxLimit])),
            .delete(Delete(from: IgnoredEventsTable.table, where: [IgnoredEventsTable.ignoredAt < inboxLimit])),
        ]
    }
}

/// The tables of this library, for the schema of a service that publishes and consumes events.
public enum OutboxSchema {
    public static let tables = [
        OutboxTable.table, RelayTable.table, InboxTable.table, IgnoredEventsTable.table, ParkedEventsTable.table,
    ]
}
