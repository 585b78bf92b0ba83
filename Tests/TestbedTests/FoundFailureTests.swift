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

    @Test("A repeated answer and a stream tell nothing that the synchronous standby lacks")
    func answerOfUnconfirmedRows() throws {
        let report = try run(
            seed: 10_072, .priorities(depth: 3, stepCount: 10_000),
            knobs: ["standby": 3, "two_instances": 0, "expiry_sweep": 2, "last_moment_percent": 12],
            [
                Self.fault("partition", at: 39_127_350, for: 22_826_601, on: ["postgres-order-standby"]),
                Self.fault("postgres-crash", at: 44_774_325, on: ["postgres-order"], ["restart_after": 50]),
                Self.fault(
                    "postgres-failover", at: 49_816_765, on: ["postgres-order"],
                    ["lag": 5_000, "promotion_after": 200]),
            ])
        #expect(report.run.violations.isEmpty)
        #expect(
            report.run.faults.contains { $0.kind == "postgres-failover" && $0.effectCount > 0 }, "\(report.run.faults)")
    }

    @Test("A snapshot of the outbox publishes nothing that the synchronous standby lacks")
    func snapshotOfUnconfirmedRows() throws {
        let report = try run(
            seed: 12_112, .priorities(depth: 3, stepCount: 10_000),
            knobs: ["standby": 3, "two_instances": 3, "expiry_sweep": 1, "last_moment_percent": 0],
            [
                Self.fault("partition-one-way", at: 13_589_041, for: 29_087_606, on: ["postgres-shipping-standby"]),
                Self.fault("re-snapshot", at: 13_629_520, on: ["cdc-shipping"]),
                Self.fault("failed-fsync", at: 14_389_458, for: 1_509_890, on: ["postgres-shipping"]),
                Self.fault(
                    "postgres-failover", at: 19_280_567, on: ["postgres-shipping", "postgres-notification"],
                    ["lag": 100, "promotion_after": 3_000]),
            ])
        #expect(report.run.violations.isEmpty)
        #expect(
            report.run.faults.contains { $0.kind == "postgres-failover" && $0.effectCount > 0 }, "\(report.run.faults)")
    }
}
