import Foundation
import SimCore

/// `simulate run`: a campaign.
enum RunCommand: Command {
    static let name = "run"
    static let summary = "run a campaign of seeds with faults (the default)"
    static let help = """
        simulate run [OPTIONS]: runs a scenario under many seeds, each with faults of its own.

        \(RunOptions.help)
          --seeds A..B         which seeds (default 1..200)
          --jobs N             simulations at one time (default: one per core)
          --shard I/N          run only part I of N of the seeds; merge the results with `simulate merge`
          --until-failure      end at the first failing seed
          --failures DIR       where failure files go (default failures): SCENARIO-SEED.json, with a mark of the other
                               options where there are any, and the trace beside it
          --check-determinism  run one seed in ten again in a process of its own and compare hashes
          --json               print one JSON object a line

        SIGINT (Ctrl-C) lets the runs under way end, and the campaign end in a summary of what ran. Seeds that had failed are named,
        and not run again for failure files; `simulate replay --seed` does that. A run that traps ends the tool by that signal (132
        in a shell), with its seed on standard error.

        Exit codes: 0 held, 1 violated, 2 wrong usage, 3 not deterministic, 4 a fault never took effect, 5 liveness missed,
        130 interrupted, and nothing had failed until then.
        """

    struct Plan: Sendable {
        var campaign: Campaign
        var failureDirectory: String
        var isJSON: Bool
        var checksDeterminism: Bool
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let options = try RunOptions(&arguments)
        let plan = try plan(&arguments)
        try arguments.finish()
        let scenario = try ScenarioCatalogue.make(options.scenarioName, options.options)
        try scenario.check(options.faults)
        try FailureFiles.checkDirectory(plan.failureDirectory)

        let control = Campaign.Control()
        let monitor = RunMonitor()
        let replayCommand = "simulate replay \(options.commandLine)"
        TrapReport.install(monitor, replayCommand: replayCommand)
        let watchdog = Watchdog(monitor, limitSeconds: options.stuckAfterSeconds, replayCommand: replayCommand)
        let interrupt = Interrupt(control)
        let progress = Progress(control, total: Int(plan.campaign.seedCount), monitor: monitor, isWanted: !plan.isJSON)
        let start = Stopwatch.nanoseconds()
        let faults = options.faults
        let result = try plan.campaign.run(control: control) { seed in
            try scenario.run(
                options.settings(seed: seed), faults: faults, stopwatch: Stopwatch.nanoseconds, monitor: monitor)
        }
        let seconds = Double(Stopwatch.nanoseconds() - start) / 1e9
        // Also when what follows throws: its error is to stand on a line of its own.
        defer { progress.finish() }
        interrupt.finish()
        watchdog.finish()

        var summary = CampaignSummary(
            result: result, options: options, wallSeconds: seconds,
            isInterrupted: control.stopReason == .asked, parts: [CampaignPart(plan.campaign)])
        // Who interrupts wants the summary now.
        let writeError = summary.isInterrupted ? nil : try writeFailures(scenario, options, plan, progress, &summary)
        progress.finish()
        if plan.checksDeterminism, !summary.isInterrupted, summary.divergence == nil {
            let outcome = try Determinism.check(plan.campaign, options)
            (summary.seedsRunTwice, summary.divergence) = (outcome.seedCount, outcome.divergence)
        }
        plan.isJSON ? summary.printJSON() : summary.printText()
        if let writeError { StandardError.print(writeError) }
        return summary.exitCode
    }

    private static func plan(_ arguments: inout Arguments) throws -> Plan {
        let seeds = try arguments.takeSeeds("--seeds") ?? 1...200
        let jobs = try arguments.takeInteger("--jobs", in: 1...1_024) ?? ProcessInfo.processInfo.activeProcessorCount
        var shard = Shard.whole
        if let text = try arguments.takeValue("--shard") {
            guard let read = Shard(text) else {
                throw UsageError("--shard is '\(text)'; expected I/N with I from 1 to N, for example 2/8")
            }
            shard = read
        }
        return Plan(
            campaign: Campaign(
                seeds: seeds, shard: shard, jobCount: jobs, stopsAtFailure: arguments.takeFlag("--until-failure")),
            failureDirectory: try arguments.takeValue("--failures") ?? "failures",
            isJSON: arguments.takeFlag("--json"), checksDeterminism: arguments.takeFlag("--check-determinism"))
    }

    /// Writes the first ten failures, and notes in the summary where they are and whether they repeat.
    ///
    /// - Returns: why they could not be written. What the campaign found is not to be lost for that.
    private static func writeFailures(
        _ scenario: Scenario, _ options: RunOptions, _ plan: Plan, _ progress: Progress,
        _ summary: inout CampaignSummary
    ) throws -> UsageError? {
        for failure in summary.result.failures.prefix(10) {
            progress.note("seed \(failure.seed) failed, and runs again for its trace")
            do {
                let written = try writeFailure(seed: failure.seed, scenario, options, plan)
                summary.failureFiles.append(written.path)
                if written.traceHash != failure.traceHash, summary.divergence == nil {
                    summary.divergence =
                        "seed \(failure.seed): hash \(failure.traceHash) in the campaign, \(written.traceHash) when it was run again"
                }
            } catch let error as UsageError {
                return error
            }
        }
        return nil
    }

    /// Runs a failing seed again with its trace recorded, and writes both.
    private static func writeFailure(
        seed: UInt64, _ scenario: Scenario, _ options: RunOptions, _ plan: Plan
    ) throws -> (path: String, traceHash: String) {
        var settings = options.settings(seed: seed)
        settings.recordsTrace = true
        let report = try scenario.run(settings, faults: options.faults)
        let file = FailureFile(
            toolVersion: FailureFiles.toolVersion, commit: FailureFiles.commit, options: options.options.values,
            settings: settings, report: report, traceFile: nil)
        let path = try FailureFiles.write(
            file, words: options.wordsBesideScenario, trace: report.run.trace, directory: plan.failureDirectory)
        return (path, file.traceHash)
    }
}
