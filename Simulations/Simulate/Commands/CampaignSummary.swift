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
    var divergence: String?

    var exitCode: ExitCode {
        if divergence != nil { return .notDeterministic }
        if let first = result.failures.first?.violations.first {
            return first.kind == .liveness || first.kind == .timeLimit ? .livenessMissed : .violated
        }
        // A handful of seeds cannot be expected to make every fault bite.
        if !result.faultsWithoutEffect.isEmpty, result.seedCount >= 20 { return .faultWithoutEffect }
        return .held
    }

    func printText() {
        let rate = wallSeconds > 0 ? Double(result.eventCount) / wallSeconds : 0
        print(
            "\(options.scenarioName): \(result.seedCount) seeds, \(result.eventCount) events in \(format(wallSeconds)) s (\(Int(rate)) events/s)"
        )
        if isInterrupted { print("interrupted: this is what had run") }
        for name in result.figures.keys.sorted() { print("  \(name): \(result.figures[name]!)") }
        if !result.faults.isEmpty {
            print("faults (times scheduled, times it took effect):")
            for fault in result.faults {
                let name = fault.kind.padding(toLength: 24, withPad: " ", startingAt: 0)
                print(
                    "  \(name) \(fault.scheduledCount)  \(fault.effectCount)\(fault.effectCount == 0 ? "  never took effect" : "")"
                )
            }
        }
        if !result.properties.isEmpty {
            print("properties (times checked, time that took):")
            for property in result.properties {
                print(
                    "  \(property.name): \(property.checkCount) times, \(milliseconds(property.nanoseconds)) ms")
            }
        }
        for name in result.neverReached { print("never happened in any run: \(name)") }
        for failure in result.failures.prefix(10) {
            print("FAILED seed \(failure.seed): \(failure.violations.first.map(String.init(describing:)) ?? "")")
            print("  replay: simulate replay --seed \(failure.seed) \(options.commandLine)")
        }
        for file in failureFiles { print("  written: \(file)") }
        if result.failures.count > 10 { print("and \(result.failures.count - 10) more failing seeds") }
        if let divergence { print("NOT DETERMINISTIC: \(divergence)") }
        print(verdict)
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
        case .wrongUsage: "wrong usage"
        }
    }

    func printJSON() {
        for failure in result.failures {
            JSONLine.print([
                "seed": failure.seed, "trace_hash": failure.traceHash,
                "violations": JSONLine.object(failure.violations),
                "replay": "simulate replay --seed \(failure.seed) \(options.commandLine)",
            ])
        }
        var faults: [String: Any] = [:]
        for fault in result.faults { faults[fault.kind] = fault.effectCount }
        let orders = result.figures["orders"] ?? 0
        JSONLine.print([
            "scenario": options.scenarioName, "seeds": result.seedCount, "orders": orders,
            "events": result.eventCount, "violations": result.failures.count, "faults": faults,
            "figures": result.figures, "sometimes": result.sometimes, "never_happened": result.neverReached,
            "properties": JSONLine.object(result.properties),
            "trace_hash": hexadecimal(result.combinedHash), "wall_seconds": wallSeconds,
            "orders_per_second": wallSeconds > 0 ? Double(orders) / wallSeconds : 0,
            "events_per_second": wallSeconds > 0 ? Double(result.eventCount) / wallSeconds : 0,
            "cpu_seconds": Stopwatch.cpuSeconds(), "peak_rss_bytes": Stopwatch.peakResidentBytes(),
            "failure_files": failureFiles, "interrupted": isInterrupted,
            "deterministic": divergence == nil, "divergence": divergence ?? NSNull(), "words": options.words,
            "parts": JSONLine.object(parts), "result": JSONLine.object(result),
        ])
    }

    private func milliseconds(_ nanoseconds: UInt64) -> String { String(format: "%.1f", Double(nanoseconds) / 1e6) }
    private func format(_ seconds: Double) -> String { String(format: "%.1f", seconds) }
    private func hexadecimal(_ word: UInt64) -> String { String(format: "%016llx", word) }
}
