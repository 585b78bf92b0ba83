import Foundation
import SimCore

/// Runs seeds again in processes of their own, and tells where two runs of one seed part.
enum Determinism {
    /// What the check came to.
    struct Outcome {
        /// Seeds that were run here and in another process.
        var seedCount = 0
        /// What differs first; `nil` when every hash agrees.
        var divergence: String?
    }

    /// Checks one seed in ten of the campaign's shard, at least one unless it has none.
    static func check(_ campaign: Campaign, _ options: RunOptions) throws -> Outcome {
        let scenario = try ScenarioCatalogue.make(options.scenarioName, options.options)
        let seeds = campaign.seeds.lazy.filter { campaign.shard.contains($0) }
        var outcome = Outcome()
        for (position, seed) in seeds.enumerated() where position % 10 == 0 {
            let here = try scenario.run(options.settings(seed: seed), faults: options.faults)
            guard let there = try runElsewhere(seed: seed, options, traceFile: nil) else {
                outcome.divergence = "seed \(seed): it ran here, and another process that ran it gave no answer"
                return outcome
            }
            outcome.seedCount += 1
            guard there != here.run.traceHash.description else { continue }
            outcome.divergence = try explain(seed: seed, scenario, options)
            return outcome
        }
        return outcome
    }

    /// Runs a seed in another process of this very program and returns its hash; `nil` when there was no answer.
    private static func runElsewhere(seed: UInt64, _ options: RunOptions, traceFile: String?) throws -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments =
            ["replay", "--seed", String(seed), "--json"] + options.words + (traceFile.map { ["--trace", $0] } ?? [])
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        return object?["trace_hash"] as? String
    }

    private static func explain(seed: UInt64, _ scenario: Scenario, _ options: RunOptions) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "simulate-\(ProcessInfo.processInfo.processIdentifier)-\(seed).trace.jsonl"
        ).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = try runElsewhere(seed: seed, options, traceFile: path)
        var settings = options.settings(seed: seed)
        settings.recordsTrace = true
        let here = try scenario.run(settings, faults: options.faults)
        guard let mine = here.run.trace,
            let divergence = Divergence.first(between: try TraceFiles.read(path), and: mine)
        else { return "seed \(seed): hashes differ and the recorded events do not" }
        return "seed \(seed): \(divergence)"
    }
}
