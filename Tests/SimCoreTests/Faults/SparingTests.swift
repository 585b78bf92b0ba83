import Ports
import SimCore
import Testing

/// What a system is not built to take is left out at the moment of the fault.
struct SparingTests {
    @Test(
        "A spared process stays up, and the fault counts as without effect", arguments: ["crash", "host-crash", "stop"])
    func sparedProcessStaysUp(kind: String) {
        let simulation = Simulation(seed: 1)
        let kept = simulation.addProcess("kept")
        let other = simulation.addProcess("other")
        simulation.faults.spare { $0 == kept }
        let report = simulation.run { context in
            try simulation.faults.inject(kind, targets: ["kept", "other"])
            #expect(simulation.state(of: kept) == .running)
            #expect(simulation.state(of: other) == .crashed)
            #expect(simulation.faults.efficacy.map(\.effectCount) == [1])
        }
        #expect(report.held, "\(report.violations)")
    }

    @Test("A missed liveness bound names what the domain has not finished")
    func missedBoundNamesTheUnfinished() throws {
        let scenario = Scenario("stuck", summary: "waits for ever") { _ in
            let plan = FaultPlan(
                entries: [.init("pause", pool: ["driver"])], safetyPhase: .seconds(1), meanGap: .hours(1))
            return Scenario.Prepared(
                faultPlan: plan, livenessBound: .seconds(10), unfinished: { (1...7).map { "order \($0)" } }
            ) { context in
                try await context.sleep(for: .hours(1))
            }
        }
        let report = try scenario.run(SimulationSettings(seed: 1), faults: .none)
        let message = try #require(report.run.violations.first).message
        #expect(message.contains("unfinished: order 1; order 2; order 3; order 4; order 5; and 2 more"), "\(message)")
    }
}
