import SimCore
import Testbed
import Workloads

/// Runs of the shop as `simulate run` does them: a seed draws the scheduling policy beside everything else.
enum ShopRuns {
    static let log = Result { try PurchaseLog.bundled() }

    /// A scenario of few orders, so that a debug build gets through tens of seeds.
    static func scenario(
        _ name: String, orders orderCount: Int, bug: String? = nil, publisher: ShopPublisher = .relay
    ) throws -> Scenario {
        guard let entry = ShopScenarios.named(name) else { throw UnknownScenario(name: name) }
        var options = ShopOptions(log: try log.get())
        options.orderCount = orderCount
        options.publisher = publisher
        if let bug { try ShopBugs.plant(bug, into: &options) }
        return ShopScenarios.make(entry, options)
    }

    static func run(
        _ scenario: Scenario, seed: UInt64, faults: FaultSelection = .all, schedule: [ScheduledFault]? = nil
    ) throws -> ScenarioReport {
        var settings = SimulationSettings(seed: seed)
        settings.scheduling = Scheduling.drawn(seed: seed)
        return try scenario.run(settings, faults: faults, schedule: schedule)
    }

    struct UnknownScenario: Error { let name: String }
}
