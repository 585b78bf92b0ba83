import Foundation
import SimCore

/// `simulate merge`: the results of shards as one.
enum MergeCommand: Command {
    static let name = "merge"
    static let summary = "add up the JSON results of a campaign's shards"
    static let help = """
        simulate merge FILE... [--json]: adds up what `simulate run --json --shard I/N` printed, one file for each shard.
        The sum is what one machine would have found. Exit codes are those of run.
        """

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let isJSON = arguments.takeFlag("--json")
        var total = CampaignResult()
        var options: RunOptions?
        var seconds = 0.0
        var fileCount = 0
        while let path = arguments.takeWord() {
            let (scenario, result, wall) = try read(path)
            var none = Arguments(["--scenario", scenario])
            if options == nil { options = try RunOptions(&none) }
            guard options?.scenarioName == scenario else {
                throw UsageError(
                    "'\(path)' is of scenario '\(scenario)', the files before it of '\(options!.scenarioName)'")
            }
            total.merge(result)
            seconds = max(seconds, wall)
            fileCount += 1
        }
        try arguments.finish()
        guard let options, fileCount > 0 else { throw UsageError("merge needs the result files of shards") }
        let summary = CampaignSummary(result: total, options: options, wallSeconds: seconds, isInterrupted: false)
        isJSON ? summary.printJSON() : summary.printText()
        return summary.exitCode
    }

    private static func read(_ path: String) throws -> (scenario: String, result: CampaignResult, wallSeconds: Double) {
        struct Line: Decodable {
            let scenario: String
            let result: CampaignResult
            let wallSeconds: Double

            enum CodingKeys: String, CodingKey {
                case scenario
                case result
                case wallSeconds = "wall_seconds"
            }
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw UsageError("cannot read '\(path)'; expected the output of simulate run --json")
        }
        for line in data.split(separator: UInt8(ascii: "\n")).reversed() {
            if let line = try? JSONDecoder().decode(Line.self, from: line) {
                return (line.scenario, line.result, line.wallSeconds)
            }
        }
        throw UsageError("'\(path)' has no campaign result; expected the output of simulate run --json")
    }
}
