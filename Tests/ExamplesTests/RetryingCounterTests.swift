import Examples
import SimCore
import Testing

/// The smallest example as the README shows it, and its mistake.
struct RetryingCounterTests {
    @Test("Each request counts once, whatever the seed", arguments: 1...64 as ClosedRange<UInt64>)
    func eachRequestCountsOnce(seed: UInt64) throws {
        let report = try retryingCounter(remembersRequests: true).run(SimulationSettings(seed: seed))
        #expect(report.run.held, "\(report)")
    }

    @Test("A server that forgets its requests is found out within 64 seeds, and the message says how to see it again")
    func forgetfulServerIsFound() throws {
        let reports = try (1...64).map {
            try retryingCounter(remembersRequests: false).run(SimulationSettings(seed: $0))
        }
        let failure = try #require(reports.first { !$0.run.held })
        let violation = failure.run.violations[0]
        #expect(violation.name == "each request counts once")
        #expect(failure.run.faults.contains { $0.kind == "loss" && $0.effectCount > 0 })
        let text = "\(failure)"
        #expect(text.contains("seed \(failure.run.seed)"))
        #expect(text.contains("each request counts once at \(violation.at)"))
        #expect(
            text.hasSuffix(
                "replay: scenario.run(SimulationSettings(seed: \(failure.run.seed))), of the scenario with remembers=no"
            ))
    }
}
