import Ports
import SimCore
import Testbed
import Testing

/// Schedules that once broke a property, brought down to the faults that it took.
@Suite struct FoundFailureTests {
    private func run(
        seed: UInt64, _ scheduling: Scheduling, knobs: [String: Int64], _ schedule: [ScheduledFault]
    ) throws -> ScenarioReport {
        var settings = SimulationSettings(seed: seed)
        settings.scheduling = scheduling
        settings.knobs = knobs
        return try ShopRuns.scenario("default", orders: 60).run(settings, schedule: schedule)
    }

    private static func fault(
        _ kind: String, at microseconds: Int64, for span: Int64 = 0, on targets: [String],
        _ parameters: [String: Int64] = [:]
    ) -> ScheduledFault {
        ScheduledFault(
            kind, at: .microseconds(microseconds), duration: .microseconds(span), targets: targets,
            parameters: parameters)
    }

    @Test("A snapshot of the outbox publishes nothing that the synchronous standby lacks")
    func snapshotOfUnconfirmedRows() throws {
        let report = try run(
            seed: 12_112, .priorities(depth: 3, stepCount: 10_000), knobs: ["standby": 3, "two_instances": 3, "expiry_sweep": 1, "last_moment_percent": 0],
            [
                Self.fault("partition-one-way", at: 13_589_041, for: 29_087_606, on: ["postgres-shipping-standby"]),
                Self.fault("re-snapshot", at: 13_629_520, on: ["cdc-shipping"]),
                Self.fault("failed-fsync", at: 14_389_458, for: 1_509_890, on: ["postgres-shipping"]),
                Self.fault(
                    "postgres-failover", at: 19_280_567, on: ["postgres-shipping", "postgres-notification"],
                    ["lag": 100, "promotion_after": 3_000]),
            ])
        #expect(report.run.violations.isEmpty)
    }
}
