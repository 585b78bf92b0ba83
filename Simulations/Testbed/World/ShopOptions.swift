package import Outbox
package import Ports
import SimCore
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
    package static let usualOrderCount = 100
    package static let usualPublisher = ShopPublisher.relay

    package var orderCount = ShopOptions.usualOrderCount
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
    package var publisher = ShopOptions.usualPublisher
    /// Mean span between two faults of one kind; `nil`: each seed draws it.
    package var faultGap: Nanoseconds? = .seconds(10)
    /// Instances of each service; `nil`: each seed draws one or two.
    package var instanceCount: Int? = 1
    /// Whether databases have a standby; `nil`: each seed draws none or a synchronous one.
    package var standby: Standby? = Standby.none
    /// How often overdue payments are looked for; `nil`: each seed draws it.
    package var expirySweepInterval: Nanoseconds? = .seconds(15)
    /// Of a hundred customers, how many pay just before the deadline; `nil`: each seed draws it.
    package var lastMomentPercent: UInt64? = 2
    /// Types of events that the relay does not publish: a planted mistake.
    var omittedEventTypes: [String] = []
    /// A mistake to be planted.
    package var mistakes: PlantedMistakes = []
    /// Mistakes of the cluster's configuration.
    package var allowsUncleanElection = false
    package var minimumInSyncReplicas = 2
    /// Whether faults may lose what was acknowledged. Then it has to be proven what was lost, and of all other orders every
    /// property has to hold.
    package var allowsLosses = false
    /// When finished orders are judged and forgotten; `nil` for the protocol's default.
    package var archiveRetention: Nanoseconds?
    /// How long topics keep events: shorter where finished orders are forgotten.
    package var topicRetention: Nanoseconds { archiveRetention == nil ? .minutes(10) : .minutes(1) }
    /// How many orders arrive in a virtual second; `nil`: as many as spread them over the safety phase.
    package var arrivalsPerSecond: Int?

    /// The mistake that was planted by name, if any.
    package var bug: String?

    package init(log: PurchaseLog) { self.log = log }

    /// What a database's standby is worth.
    package enum Standby: Sendable {
        case none
        /// Commits wait for it and slots are kept in step: a failover loses nothing that was acknowledged.
        case synchronous
        /// A failover loses what had not arrived, and the slots.
        case asynchronous
    }

    func instanceCount(_ simulation: Simulation) -> Int {
        instanceCount ?? (simulation.knob("two_instances", in: 0...3) == 3 ? 2 : 1)
    }

    func standby(_ simulation: Simulation) -> Standby {
        standby ?? (simulation.knob("standby", in: 0...3) == 3 ? .synchronous : .none)
    }

    /// From the protocol's default down to where every deadline meets a sweep.
    func expirySweepInterval(_ simulation: Simulation) -> Nanoseconds {
        let drawn: [Nanoseconds] = [.seconds(15), .seconds(1), .milliseconds(200), .milliseconds(50)]
        return expirySweepInterval ?? drawn[Int(simulation.knob("expiry_sweep", in: 0...3))]
    }

    func lastMomentPercent(_ simulation: Simulation) -> UInt64 {
        lastMomentPercent ?? UInt64(simulation.knob("last_moment_percent", in: 0...20))
    }

    func faultGap(_ simulation: Simulation) -> Nanoseconds {
        faultGap ?? .seconds(simulation.knob("fault_gap_seconds", in: 5...60))
    }

    /// What has to be said on the command line to have them again, but for the workload.
    var words: [String: String] {
        var words = ["orders": String(orderCount)]
        words["bug"] = bug
        if publisher != Self.usualPublisher { words["cdc"] = publisher.rawValue }
        if let arrivalsPerSecond { words["arrivals-per-second"] = String(arrivalsPerSecond) }
        if let archiveRetention { words["archive-after-seconds"] = String(archiveRetention.rawValue / 1_000_000_000) }
        return words
    }
}
