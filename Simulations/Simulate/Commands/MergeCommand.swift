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

    /// What a campaign printed last.
    private struct ResultLine: Decodable {
        let result: CampaignResult
        let wallSeconds: Double
        /// The words that repeat it, but for its seeds.
        let words: [String]
        let parts: [CampaignPart]
        let isInterrupted: Bool
        let isDeterministic: Bool
        let divergence: String?

        enum CodingKeys: String, CodingKey {
            case result
            case wallSeconds = "wall_seconds"
            case words
            case parts
            case isInterrupted = "interrupted"
            case isDeterministic = "deterministic"
            case divergence
        }
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let isJSON = arguments.takeFlag("--json")
        var lines: [(path: String, line: ResultLine)] = []
        while let path = arguments.takeWord() {
            let line = try read(path)
            for earlier in lines { try check(line, at: path, fits: earlier.line, at: earlier.path) }
            lines.append((path, line))
        }
        try arguments.finish()
        guard let first = lines.first else { throw UsageError("merge needs the result files of shards") }
        var total = CampaignResult()
        for (_, line) in lines { total.merge(line.result) }
        var words = Arguments(first.line.words)
        var summary = CampaignSummary(
            result: total, options: try RunOptions(&words), wallSeconds: lines.map(\.line.wallSeconds).max()!,
            isInterrupted: lines.contains { $0.line.isInterrupted }, parts: lines.flatMap(\.line.parts))
        if let (path, line) = lines.first(where: { !$0.line.isDeterministic }) {
            summary.divergence = "\(path): \(line.divergence ?? "one seed gave two runs")"
        }
        isJSON ? summary.printJSON() : summary.printText()
        return summary.exitCode
    }

    /// - Throws: when the two are not of one campaign, or count a seed twice.
    private static func check(
        _ line: ResultLine, at path: String, fits earlier: ResultLine, at earlierPath: String
    ) throws {
        guard line.words == earlier.words else {
            func text(_ words: [String]) -> String { words.map(shellQuoted).joined(separator: " ") }
            throw UsageError(
                "'\(path)' is of '\(text(line.words))', '\(earlierPath)' of '\(text(earlier.words))'; expected the same"
            )
        }
        for part in line.parts {
            for other in earlier.parts {
                guard let seed = part.firstCommonSeed(other) else { continue }
                throw UsageError(
                    "'\(path)' (\(part)) has seed \(seed), and so has '\(earlierPath)' (\(other)); expected each seed once"
                )
            }
        }
    }

    private static func read(_ path: String) throws -> ResultLine {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw UsageError("cannot read '\(path)'; expected the output of simulate run --json")
        }
        for line in data.split(separator: UInt8(ascii: "\n")).reversed() {
            if let line = try? JSONDecoder().decode(ResultLine.self, from: line) { return line }
        }
        throw UsageError("'\(path)' has no campaign result; expected the output of simulate run --json")
    }
}
