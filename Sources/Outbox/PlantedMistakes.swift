/// Mistakes that the testbed can plant in the protocol, to prove that its properties find them. None by default, and no
/// public way to set any.
package struct PlantedMistakes: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Offsets are committed before the database transaction: a crash between loses events.
    package static let offsetCommittedBeforeDatabase = PlantedMistakes(rawValue: 1 << 0)
    /// No inbox: an event that comes again is applied again.
    package static let noInbox = PlantedMistakes(rawValue: 1 << 1)
    /// Transitions do not ask from which state they start.
    package static let noStateGuard = PlantedMistakes(rawValue: 1 << 2)
    /// The relay keys records by event id, so one order's events spread over partitions.
    package static let eventKeyIsNotTheAggregateID = PlantedMistakes(rawValue: 1 << 3)
    /// Stock is read without a lock at READ COMMITTED, checked, and written back as an absolute value.
    package static let checkThenActOnStock = PlantedMistakes(rawValue: 1 << 4)
    /// The relay's producer takes the leader's word (acks=1).
    package static let leaderAcknowledgementOnly = PlantedMistakes(rawValue: 1 << 5)
    /// Consumers without a committed offset start at the end of the log.
    package static let offsetResetLatest = PlantedMistakes(rawValue: 1 << 6)
    /// The outbox is written in a transaction of its own, after the effects are committed.
    package static let outboxOutsideTransaction = PlantedMistakes(rawValue: 1 << 7)
    /// The expiry sweeper overwrites whatever state the payment has meanwhile.
    package static let expiryWithoutCompareAndSet = PlantedMistakes(rawValue: 1 << 8)
    /// Money captured after the payment was cancelled or expired is kept.
    package static let noRefundOnLateSuccess = PlantedMistakes(rawValue: 1 << 9)
    /// A repeated capture uses a new idempotency key.
    package static let gatewayRetriedWithNewKey = PlantedMistakes(rawValue: 1 << 10)
    /// A release that finds no reservation leaves no tombstone. Shows only when events of an order can overtake each
    /// other, so it is planted together with ``eventKeyIsNotTheAggregateID``.
    package static let releaseWithoutTombstone = PlantedMistakes(rawValue: 1 << 11)
    /// The answer to an idempotency key is stored in a transaction of its own, after the effects are committed.
    package static let idempotencyKeyOutsideTransaction = PlantedMistakes(rawValue: 1 << 12)
    /// Subscribers are told before the transaction is committed.
    package static let notificationBeforeCommit = PlantedMistakes(rawValue: 1 << 13)
    /// A dead letter is skipped: later events of its aggregate overtake it.
    package static let deadLetterSkips = PlantedMistakes(rawValue: 1 << 14)
    /// Database errors that ask for a retry are treated as answers: the event is taken for handled.
    package static let serializationFailureSkipped = PlantedMistakes(rawValue: 1 << 15)
    /// The relay confirms its position before the records are acknowledged.
    package static let positionConfirmedBeforeProduce = PlantedMistakes(rawValue: 1 << 16)
    /// A relay that makes a lost slot anew goes on from there, without the outbox's rows from before.
    package static let noSnapshotAfterSlotLoss = PlantedMistakes(rawValue: 1 << 17)

    /// Every mistake with the name that the testbed's table gives it, in a fixed order.
    package static let named: [(name: String, mistake: PlantedMistakes)] = [
        ("offset-committed-before-database", .offsetCommittedBeforeDatabase),
        ("no-inbox", .noInbox),
        ("no-state-guard", .noStateGuard),
        ("event-key-is-not-the-aggregate-id", .eventKeyIsNotTheAggregateID),
        ("check-then-act-on-stock", .checkThenActOnStock),
        ("leader-acknowledgement-only", .leaderAcknowledgementOnly),
        ("offset-reset-latest", .offsetResetLatest),
        ("outbox-outside-transaction", .outboxOutsideTransaction),
        ("expiry-without-compare-and-set", .expiryWithoutCompareAndSet),
        ("no-refund-on-late-success", .noRefundOnLateSuccess),
        ("gateway-retried-with-new-key", .gatewayRetriedWithNewKey),
        ("release-without-tombstone", .releaseWithoutTombstone),
        ("idempotency-key-outside-transaction", .idempotencyKeyOutsideTransaction),
        ("notification-before-commit", .notificationBeforeCommit),
        ("dead-letter-skips", .deadLetterSkips),
        ("serialization-failure-skipped", .serializationFailureSkipped),
        ("position-confirmed-before-produce", .positionConfirmedBeforeProduce),
        ("no-snapshot-after-slot-loss", .noSnapshotAfterSlotLoss),
    ]
}
