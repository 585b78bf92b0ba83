package import Domain
import Ports
package import SimCore
import Workloads

/// The scenarios of the shop.
package enum ShopScenarios {
    package struct Entry: Sendable {
        package let name: String
        package let summary: String
        let configure: @Sendable (inout ShopOptions) -> Void
    }

    package static let entries: [Entry] = [
        Entry(name: "calm", summary: "the whole shop without faults") { $0.faults = [] },
        Entry(name: "default", summary: "the whole shop under all faults, a different set of them for each seed") {
            $0.faults = ShopFaults.withinTolerance
            $0.faultGap = nil
            $0.instanceCount = nil
            $0.standby = nil
            $0.expirySweepInterval = nil
            $0.lastMomentPercent = nil
        },
        Entry(name: "kafka-chaos", summary: "brokers and controller crash, freeze and lose power") {
            $0.faults = [.kafka]
        },
        Entry(name: "postgres-failover", summary: "databases crash, fail over to their standbys, and lose slots") {
            $0.faults = [.postgres, .cdc]
            $0.standby = .synchronous
        },
        Entry(name: "network-split", summary: "partitions, loss, resets and answers that never come") {
            $0.faults = [.network]
        },
        Entry(name: "black-friday", summary: "many orders at once for little stock, with services that crash") {
            options in
            options.faults = [.services, .gateway]
            options.orderSpacing = .milliseconds(5)
            options.productCount = 5
            options.stockPerProduct = 60
            options.instanceCount = 2
        },
        Entry(
            name: "rolling-upgrade",
            summary: "services are replaced one by one by a release whose events the others do not know, and back"
        ) { options in
            options.faults = [.upgrade, .cdc]
            options.safetyPhase = .seconds(90)
            options.orderSpacing = max(options.orderSpacing, .seconds(80) / Int64(options.orderCount))
        },
        Entry(
            name: "lossy-election",
            summary: "brokers that lead alone are lost, and replicas that are behind take over: says what is lost"
        ) {
            $0.faults = [.uncleanElections]
            $0.allowsUncleanElection = true
            $0.minimumInSyncReplicas = 1
            $0.allowsLosses = true
        },
        Entry(
            name: "lossy-failover",
            summary: "databases fail over to standbys that are behind: says what is lost"
        ) {
            $0.faults = [.postgres, .cdc]
            $0.standby = .asynchronous
            $0.allowsLosses = true
        },
    ]

    /// A scenario by name.
    package static func named(_ name: String) -> Entry? { entries.first { $0.name == name } }

    /// A scenario with the options given.
    package static func make(_ entry: Entry, _ options: ShopOptions) -> Scenario {
        var options = options
        // Orders come all through the safety phase, which is as long as they need.
        options.orderSpacing = max(.milliseconds(5), options.safetyPhase / Int64(options.orderCount))
        options.safetyPhase = max(options.safetyPhase, options.orderSpacing * Int64(options.orderCount))
        entry.configure(&options)
        if let rate = options.arrivalsPerSecond {
            options.orderSpacing = .seconds(1) / Int64(rate)
            options.safetyPhase = max(options.safetyPhase, options.orderSpacing * Int64(options.orderCount))
        }
        let configured = options
        let scenario = Scenario(entry.name, summary: entry.summary, options: options.words) { simulation in
            let world = ShopWorld(simulation, configured)
            let plan = FaultPlan(
                entries: configured.faults.flatMap { $0.entries(world) }, start: ShopWorld.openingTime,
                safetyPhase: configured.safetyPhase, meanGap: configured.faultGap(simulation))
            return Scenario.Prepared(
                faultPlan: configured.faults.isEmpty ? nil : plan, livenessBound: configured.livenessBound,
                // It ends by itself before that, whether everything is finished or not.
                ownTimeLimit: ShopWorld.openingTime + configured.safetyPhase + configured.livenessBound + .minutes(1),
                figures: { world.figures }, unfinished: { world.unfinished }
            ) { context in
                try await world.drive(context)
            }
        }
        return scenario.knownToSimulate
    }
}

extension ShopWorld {
    /// What is not finished, as an observer from outside sees it.
    var unfinished: [String] { observer.judge.unfinished }

    /// What came of the orders.
    var figures: [(name: String, value: Int64)] {
        var figures: [(name: String, value: Int64)] = [
            ("orders", Int64(memory.placedCount)), ("acknowledged", Int64(memory.acknowledgedCount)),
            ("rejected", Int64(memory.rejectedCount)), ("unanswered", Int64(memory.unansweredCount)),
        ]
        for status in memory.outcomes.keys.sorted() { figures.append((status.lowercased(), memory.outcomes[status]!)) }
        if observer.losses.recordCount + observer.losses.commitCount > 0 {
            figures += [
                ("lost records", observer.losses.recordCount), ("lost transactions", observer.losses.commitCount),
                ("orders with losses", Int64(observer.judge.ordersWithLosses.count)),
                ("violations that losses account for", Int64(observer.judge.excusedViolations.count)),
            ]
        }
        for property in ShopProperty.allCases {
            let count = observer.judge.violations.count { $0.property == property }
            if count > 0 { figures.append(("violations of \(property.rawValue)", Int64(count))) }
        }
        return figures
    }
}

extension ShopProperty {
    /// The property that a violation of a run is about; `nil` for one that has nothing to do with the shop.
    package init?(of violation: SimCore.Violation) {
        switch violation.kind {
        case .liveness, .timeLimit: self = .liveness
        case .property:
            let name = violation.message.prefix { $0 != ":" }
            self.init(rawValue: String(name))
        default: return nil
        }
    }
}
