import Domain
import Outbox

/// A mistake that can be planted in the shop or its configuration, and where it is looked for.
package struct ShopBug: Sendable {
    package let name: String
    /// What is done wrong, in a few words.
    package let summary: String
    /// The scenario that shows it.
    package let scenario: String
    /// Orders of one run of it.
    package let orderCount: Int
    let plant: @Sendable (inout ShopOptions) -> Void

    init(
        _ name: String, _ summary: String, scenario: String = "default", orders orderCount: Int = 100,
        plant: @escaping @Sendable (inout ShopOptions) -> Void
    ) {
        self.name = name
        self.summary = summary
        self.scenario = scenario
        self.orderCount = orderCount
        self.plant = plant
    }

    init(
        _ mistake: PlantedMistakes, _ summary: String, scenario: String = "default", orders orderCount: Int = 100
    ) {
        let name = PlantedMistakes.named.first { $0.mistake == mistake }!.name
        self.init(name, summary, scenario: scenario, orders: orderCount) { $0.mistakes.formUnion(mistake) }
    }
}

/// The mistakes that can be planted, by name: each is to be found by some property.
package enum ShopBugs {
    /// In a fixed order.
    package static let all: [ShopBug] = [
        ShopBug(.offsetCommittedBeforeDatabase, "offsets are committed before the database"),
        ShopBug(.noInbox, "an event that comes again is applied again"),
        ShopBug(.noStateGuard, "transitions do not ask from which state they start"),
        ShopBug(.eventKeyIsNotTheAggregateID, "records are keyed by event id, not by order id"),
        ShopBug(.checkThenActOnStock, "stock is read without a lock and written back", scenario: "black-friday"),
        ShopBug(.leaderAcknowledgementOnly, "the relay's producer takes the leader's word (acks=1)"),
        ShopBug(.offsetResetLatest, "a consumer without an offset starts at the end of the log"),
        ShopBug(.outboxOutsideTransaction, "the outbox is written after the effects are committed"),
        ShopBug(.expiryWithoutCompareAndSet, "the sweeper expires a payment whatever its state is by now"),
        ShopBug(.noRefundOnLateSuccess, "money captured after the end of a payment is kept"),
        ShopBug(.gatewayRetriedWithNewKey, "a repeated capture uses a new idempotency key"),
        ShopBug("release-without-tombstone", "a release that finds no reservation leaves no tombstone") {
            // Shows only when events of one order can overtake each other.
            $0.mistakes.formUnion([.releaseWithoutTombstone, .eventKeyIsNotTheAggregateID])
        },
        ShopBug(
            .idempotencyKeyOutsideTransaction, "the answer to an idempotency key is stored after the effects"),
        ShopBug(.notificationBeforeCommit, "subscribers are told before the transaction is committed"),
        ShopBug(.deadLetterSkips, "later events of an order overtake one that is parked"),
        ShopBug(.serializationFailureSkipped, "a database error that asks for a retry counts as an answer"),
        ShopBug(.positionConfirmedBeforeProduce, "the slot is confirmed before the records are acknowledged"),
        ShopBug(.noSnapshotAfterSlotLoss, "a slot that was lost is made anew, and what it had not sent is forgotten"),
        ShopBug("relay-omits-unread-types", "the relay leaves out events that no service reads") { options in
            // Whoever reads the topics later misses them; today nobody does, so only the log shows it.
            options.omittedEventTypes = ShopEventType.allCases
                .filter { type in !ShopServiceName.allCases.contains { $0.handles(type) } }.map(\.rawValue)
        },
        ShopBug("unclean-election", "a replica outside the ISR may lead, and one replica is enough") {
            $0.allowsUncleanElection = true
            $0.minimumInSyncReplicas = 1
        },
    ]

    /// Plants a mistake.
    ///
    /// - Throws: ``UnknownBug``
    package static func plant(_ name: String, into options: inout ShopOptions) throws(UnknownBug) {
        guard let bug = all.first(where: { $0.name == name }) else { throw UnknownBug(name: name) }
        bug.plant(&options)
        options.bug = name
    }

    /// A name that no mistake has.
    package struct UnknownBug: Error, CustomStringConvertible {
        let name: String
        package var description: String {
            "unknown bug '\(name)'; known are \(all.map(\.name).joined(separator: ", "))"
        }
    }
}
