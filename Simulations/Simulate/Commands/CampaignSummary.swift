import Foundation
import SimCore

/// What a campaign prints at its end.
struct CampaignSummary {
    let result: CampaignResult
    let options: RunOptions
    let wallSeconds: Double
    let isInterrupted: Bool
    /// The seeds that it is the result of.
    let parts: [CampaignPart]
    var failureFiles: [String] = []
    /// Of the shards together; `nil` for a campaign of this process.
    var costs: (cpuSeconds: Double, peakResidentBytes: Int)?
    /// How many seeds were run in another process as well; `nil` when that was not asked for, or did not come to pass.
    var seedsRunTwice: Int?
    var divergence: String?

    var exitCode: ExitCode {
        if divergence != nil { return .notDeterministic }
        if !result.failures.isEmpty { return ExitCode(result.failures.flatMap(\.violations)) }
        // What did not run may be what fails.
        if isInterrupted { return .interrupted }
        // A handful of seeds cannot be expected to make every fault bite.
        if !result.faultsWithoutEffect.isEmpty, result.seedCount >= 20 { return .faultWithoutEffect }
        return .held
    }

    /// How many seeds there were to run.
    private var plannedSeedCount: UInt64 { parts.reduce(0) { $0 + $1.seedCount } }

    // MARK: For people

    func printText() {
        guard plannedSeedCount > 0 else {
            return StandardOutput.print(
                "\(options.scenarioName): nothing to run: \(parts.map(\.emptiness).joined(separator: "; "))")
        }
        let rate = wallSeconds > 0 ? Double(result.eventCount) / wallSeconds : 0
        StandardOutput.print(
            "\(options.scenarioName): \(result.seedCount) seeds, \(result.eventCount) events in \(format(wallSeconds)) s (\(Int(rate)) events/s)"
        )
        if isInterrupted { StandardOutput.print("interrupted: this is what had run") }
        for name in result.figures.keys.sorted() { StandardOutput.print("  \(name): \(result.figures[name]!)") }
        printFaults()
        if !result.properties.isEmpty {
            StandardOutput.print("properties (times checked, time that took):")
            for property in result.properties {
                StandardOutput.print(
                    "  \(property.name): \(property.checkCount) times, \(milliseconds(property.nanoseconds)) ms")
            }
        }
        for name in result.neverReached { StandardOutput.print("never happened in any run: \(name)") }
        printFailures()
        if let divergence {
            StandardOutput.print("NOT DETERMINISTIC: \(divergence)")
        } else if let seedsRunTwice {
            StandardOutput.print(
                "determinism: \(seedsRunTwice) of \(result.seedCount) seeds run again in a process of their own, every hash the same"
            )
        }
        StandardOutput.print(verdict)
    }

    private func printFaults() {
        guard !result.faults.isEmpty else { return }
        StandardOutput.print("faults (times scheduled, times it took effect):")
        Self.rows(of: result.faults).forEach { StandardOutput.print($0) }
    }

    /// A line for each kind, in columns as wide as what stands in them.
    static func rows(of faults: [FaultEfficacy]) -> [String] {
        let width = faults.map(\.kind.count).max() ?? 0
        let scheduledWidth = faults.map { String($0.scheduledCount).count }.max() ?? 0
        let effectWidth = faults.map { String($0.effectCount).count }.max() ?? 0
        return faults.map { fault in
            let scheduled = String(fault.scheduledCount).rightAligned(to: scheduledWidth)
            let effects = String(fault.effectCount).rightAligned(to: effectWidth)
            let note = fault.effectCount == 0 ? "  never took effect" : ""
            return "  \(fault.kind.padded(to: width))  \(scheduled)  \(effects)\(note)"
        }
    }

    private func printFailures() {
        for failure in result.failures.prefix(10) {
            StandardOutput.print(
                "FAILED seed \(failure.seed): \(failure.violations.first.map(String.init(describing:)) ?? "")")
            StandardOutput.print("  replay: \(replayCommand(failure))")
        }
        for file in failureFiles { StandardOutput.print("  written: \(file)") }
        if result.failures.count > 10 {
            StandardOutput.print("and \(result.failures.count - 10) more failing seeds")
        }
    }

    private var verdict: String {
        switch exitCode {
        case .held: "every property held"
        case .violated: "\(result.failures.count) of \(result.seedCount) seeds violated a property"
        case .livenessMissed:
            "\(result.failures.count) of \(result.seedCount) seeds failed; the first missed a liveness bound"
        case .faultWithoutEffect:
            "no violation, but these faults never took effect: \(result.faultsWithoutEffect.joined(separator: ", "))"
        case .notDeterministic: "the same seed gave two different runs"
        case .interrupted:
            "interrupted after \(result.seedCount) of \(plannedSeedCount) seeds: every property held in those"
        case .wrongUsage, .outputLost: preconditionFailure("a campaign's result is never \(exitCode)")
        }
    }

    // MARK: For machines

    func printJSON() {
        for failure in result.failures {
            JSONLine.print(FailureRecord(failure, replay: replayCommand(failure)))
        }
        JSONLine.print(CampaignRecord(self))
    }

    private func replayCommand(_ failure: FailedSeed) -> String {
        "simulate replay --seed \(failure.seed) \(options.commandLine)"
    }

    private func milliseconds(_ nanoseconds: UInt64) -> String { String(format: "%.1f", Double(nanoseconds) / 1e6) }
    private func format(_ seconds: Double) -> String { String(format: "%.1f", seconds) }
}
