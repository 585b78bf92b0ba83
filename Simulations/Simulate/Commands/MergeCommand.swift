import Foundation
import SimCore

/// `simulate merge`: the results of shards as one.
enum MergeCommand: Command {
    static let name = "merge"
    static let summary = "add up the JSON results of a campaign's shards"
    static let help = """
        simulate merge FILE... [--json]: adds up what `simulate run --json --shard I/N` printed, one file for each shard.
        All of them must have been run with the same options but for seeds and shard, and no seed may be in two of them.
        The sum of all shards is what one machine would have found. Exit codes are those of run.
        """

    /// What one campaign printed.
    private struct ShardResult {
        let path: String
        let record: CampaignRecord
        let result: CampaignResult
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let isJSON = arguments.takeFlag("--json")
        var shards: [ShardResult] = []
        while let path = arguments.takeWord() {
            for shard in try read(path) {
                for earlier in shards { try check(shard, fits: earlier) }
                shards.append(shard)
            }
        }
        try arguments.finish()
        guard let first = shards.first else { throw UsageError("merge needs the result files of shards") }
        var total = CampaignResult()
        for shard in shards { total.merge(shard.result) }
        let records = shards.map(\.record)
        var words = Arguments(first.record.words)
        var summary = CampaignSummary(
            result: total, options: try RunOptions(&words), wallSeconds: records.map(\.wallSeconds).max()!,
            isInterrupted: records.contains { $0.interrupted }, parts: records.flatMap(\.parts))
        summary.failureFiles = records.flatMap(\.failureFiles)
        summary.costs = (records.map(\.cpuSeconds).reduce(0, +), records.map(\.peakRssBytes).max()!)
        let seedsRunTwice = records.compactMap(\.seedsRunTwice)
        if !seedsRunTwice.isEmpty { summary.seedsRunTwice = seedsRunTwice.reduce(0, +) }
        if let shard = shards.first(where: { !$0.record.deterministic }) {
            summary.divergence = "\(shard.path): \(shard.record.divergence ?? "one seed gave two runs")"
        }
        isJSON ? summary.printJSON() : summary.printText()
        return summary.exitCode
    }

    /// - Throws: when the two are not of one campaign, or count a seed twice.
    private static func check(_ shard: ShardResult, fits earlier: ShardResult) throws {
        guard shard.record.words == earlier.record.words else {
            func text(_ shard: ShardResult) -> String { shard.record.words.map(shellQuoted).joined(separator: " ") }
            throw UsageError(
                "'\(shard.path)' is of '\(text(shard))', '\(earlier.path)' of '\(text(earlier))'; expected the same")
        }
        for part in shard.record.parts {
            for other in earlier.record.parts {
                guard let seed = part.firstCommonSeed(other) else { continue }
                throw UsageError(
                    "'\(shard.path)' (\(part)) has seed \(seed), and so has '\(earlier.path)' (\(other)); expected each seed once"
                )
            }
        }
    }

    /// Reads every result of a file: the lines of failing seeds, and the one that ends them.
    private static func read(_ path: String) throws -> [ShardResult] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw UsageError("cannot read '\(path)'; expected the output of simulate run --json")
        }
        var shards: [ShardResult] = []
        var failures: [FailedSeed] = []
        for line in data.split(separator: UInt8(ascii: "\n")) {
            if let failure = JSONLine.read(FailureRecord.self, from: line) {
                failures.append(failure.failure)
                continue
            }
            try checkForm(of: line, at: path)
            // Anything else is no result: somebody may have written other lines to the same file.
            guard let record = JSONLine.read(CampaignRecord.self, from: line) else { continue }
            guard let result = record.result(failures: failures) else {
                throw UsageError(
                    "'\(path)' counts \(record.violations) failing seeds and lists \(failures.count); expected a line for each before the result, as simulate run --json prints them"
                )
            }
            shards.append(ShardResult(path: path, record: record, result: result))
            failures = []
        }
        guard !shards.isEmpty else {
            throw UsageError("'\(path)' has no campaign result; expected the output of simulate run --json")
        }
        return shards
    }

    /// - Throws: when the line is a result in the form of another version, or of another version's runs.
    private static func checkForm(of line: Data, at path: String) throws {
        struct Form: Decodable {
            let seeds: Int
            let traceHash: String
            let format: Int?
            let toolVersion: String?
        }
        guard let form = JSONLine.read(Form.self, from: line) else { return }
        // The first form did not say so.
        let format = form.format ?? 1
        guard format == CampaignRecord.currentFormat else {
            throw UsageError(
                "'\(path)' has format \(format); this version reads format \(CampaignRecord.currentFormat)")
        }
        if let version = form.toolVersion, version != FailureFiles.toolVersion {
            throw UsageError(
                "'\(path)' is of version \(version), and runs repeat within one version only; expected \(FailureFiles.toolVersion)"
            )
        }
    }
}
