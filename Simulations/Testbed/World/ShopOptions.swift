package import Outbox
package import Ports
package import Workloads

/// What publishes the outboxes.
package enum ShopPublisher: String, Sendable, CaseIterable {
    /// The relay of the Outbox library.
    case relay
    /// Debezium's connector with the Outbox Event Router.
    case debezium
}

/// What a run of the shop is set to, before its seed draws the rest.
package struct ShopOptions: Sendable {
    package var orderCount = 100
    /// Where the orders come from.
    package var log: PurchaseLog
    /// Mean span between two orders in virtual time.
    package var orderSpacing = Nanoseconds.milliseconds(100)
    package var brokerCount = 3
    package var productCount = 40
    /// Pieces of each product when the shop opens; the smaller, the more orders fail for want of stock.
    package var stockPerProduct: Int64 = 1_000_000
    package var partitionCount: Int32 = 3
    /// Faults begin within this span from the opening.
    package var safetyPhase = Nanoseconds.seconds(60)
    /// After faults have healed, everything has to finish within this. Holds the longest chain of deadlines: a payment's
    /// life, its sweep, the customer who pays late, retries, and the restart of what was down.
    package var livenessBound = Nanoseconds.minutes(20)
    package var faults: [ShopFaults] = []
    /// What publishes the outboxes.
    package var publisher = ShopPublisher.relay
    /// A mistake to be planted.
    package var mistakes: PlantedMistakes = []
    /// Mistakes of the cluster's configuration.
    package var allowsUncleanElection = false
    package var minimumInSyncReplicas = 2
    /// When finished orders are judged and forgotten; `nil` for the protocol's default.
    package var archiveRetention: Nanoseconds?

    package init(log: PurchaseLog) { self.log = log }
}
