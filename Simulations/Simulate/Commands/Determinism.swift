import Foundation
import SimCore

/// Runs seeds again in processes of their own, and tells where two runs of one seed part.
enum Determinism {
    /// Checks one seed in ten, at least one.
    ///
    /// - Returns: `nil` when every hash agrees, otherwise what differs first.
    static func check(_ result: CampaignResult, _ options: RunOptions, seeds: ClosedRange<UInt64>) throws -> String? {
        let scenario = try ScenarioCatalogue.make(options.scenarioName, options.options)
        let count = seeds.upperBound - seeds.lowerBound + 1
        for seed in stride(from: seeds.lowerBound, through: seeds.upperBound, by: Int(max(1, min(10, count / 2)))) {
            let here = try scenario.run(options.settings(seed: seed), faults: options.faults)
            let there = try runElsewhere(seed: seed, options, traceFile: nil)
            guard there != here.run.traceHash.description else { continue }
            return try explain(seed: seed, scenario, options)
        }
        return nil
    }

    /// Runs a seed in another process of this very program and returns its hash.
    private static func runElsewhere(seed: UInt64, _ options: RunOptions, traceFile: String?) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        var words = ["replay", "--seed", String(seed), "--json"]
        words += options.commandLine.split(separator: " ").map(String.init)
        if let traceFile { words += ["--trace", traceFile] }
        process.arguments = words
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        return object?["trace_hash"] as? String ?? "no answer"
    }

    private static func explain(seed: UInt64, _ scenario: Scenario, _ options: RunOptions) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("simulate-\(seed).trace.jsonl").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = try runElsewhere(seed: seed, options, traceFile: path)
        var settings = options.settings(seed: seed)
        settings.recordsTrace = true
        let here = try scenario.run(settings, faults: options.faults)
        guard let mine = here.run.trace,
            let divergence = Divergence.first(between: try FailureFiles.readTrace(path), and: mine)
        else { return "seed \(seed): hashes differ and the recorded events do not" }
        return "seed \(seed): \(divergence)"
    }
}
