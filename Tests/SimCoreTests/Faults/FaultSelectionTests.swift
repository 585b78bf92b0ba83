import Ports
import SimCore
import Testing

/// Which kinds are selected must not change what the others do.
struct FaultSelectionTests {
    private static let kinds = ["crash", "pause", "loss", "clock-jump"]

    private func schedule(seed: UInt64, only selected: [String]?) throws -> [ScheduledFault] {
        let simulation = Simulation(seed: seed)
        simulation.addProcess("first")
        simulation.addProcess("second")
        let plan = FaultPlan(
            entries: Self.kinds.map { .init($0, pool: ["first", "second"]) }, safetyPhase: .seconds(10),
            meanGap: .seconds(1))
        return try plan.drawSchedule(from: simulation.faults, decisions: &simulation.decisions, only: selected)
    }

    @Test("A kind that a seed draws has the same faults whichever kinds are selected beside it")
    func selectionLeavesTheOthersAsTheyWere() throws {
        var comparisonCount = 0
        for seed in 1...50 as ClosedRange<UInt64> {
            let all = try schedule(seed: seed, only: nil)
            for kind in Self.kinds where all.contains(where: { $0.kind == kind }) {
                #expect(try schedule(seed: seed, only: [kind]) == all.filter { $0.kind == kind })
                comparisonCount += 1
            }
        }
        #expect(comparisonCount > 50)
    }

    @Test("A seed that leaves a kind out draws it nevertheless when it is the only one selected")
    func selectedKindIsNeverLeftOut() throws {
        var leftOutCount = 0
        for seed in 1...50 as ClosedRange<UInt64> {
            let all = try schedule(seed: seed, only: nil)
            #expect(!all.isEmpty)
            for kind in Self.kinds where !all.contains(where: { $0.kind == kind }) {
                let alone = try schedule(seed: seed, only: [kind])
                #expect(!alone.isEmpty && alone.allSatisfy { $0.kind == kind })
                leftOutCount += 1
            }
        }
        #expect(leftOutCount > 50)
    }
}
