import Foundation
import Ports
import SimCore

/// `simulate replay`: one run again, from its file or its seed.
enum ReplayCommand: Command {
    static let name = "replay"
    static let summary = "run a failure file or one seed again, and compare"
    static let help = """
        simulate replay FILE [OPTIONS]       runs a failure file again: the same run, or where it first differs
        simulate replay --seed N [OPTIONS]   runs one seed, with the same options as run

        With FILE or --seed:
          --trace FILE         write every event, one JSON object a line
          --json               print one JSON object
        \(RunOptions.stuckAfterHelp)

        With --seed only; a file says all of it:
        \(RunOptions.scenarioHelp)

        Exit codes: 0 held (for a seed) or repeated exactly (for a file), 1 a seed's run violated a property,
        2 wrong usage, 3 a file's run did not repeat, 5 a seed's run missed a liveness bound.
        """

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let isJSON = arguments.takeFlag("--json")
        let traceFile = try arguments.takeValue("--trace")
        if let seed = try arguments.takeSeed("--seed") {
            let options = try RunOptions(&arguments)
            if let path = arguments.takeWord() {
                throw UsageError("'\(path)' and --seed are both given; expected a failure file or a seed")
            }
            try arguments.finish()
            return try replaySeed(seed, options, isJSON: isJSON, traceFile: traceFile)
        }
        guard let path = arguments.takeWord() else {
            throw UsageError("replay needs a failure file or --seed N")
        }
        guard path != traceFile else {
            throw UsageError("--trace is '\(path)', the failure file itself; expected another")
        }
        let stuckAfterSeconds = try RunOptions.takeStuckAfter(&arguments)
        if let word = arguments.firstLeft {
            throw UsageError("'\(word)' does not go with a failure file, which says how its run is made; see --help")
        }
        return try replayFile(
            path, stuckAfterSeconds: stuckAfterSeconds, isJSON: isJSON, traceFile: traceFile)
    }

    private static func replaySeed(
        _ seed: UInt64, _ options: RunOptions, isJSON: Bool, traceFile: String?
    ) throws -> ExitCode {
        let scenario = try ScenarioCatalogue.make(options.scenarioName, options.options)
        var settings = options.settings(seed: seed)
        settings.recordsTrace = traceFile != nil
        let report = try watched(limitSeconds: options.stuckAfterSeconds, options.commandLine) {
            try scenario.run(settings, faults: options.faults, stopwatch: Stopwatch.nanoseconds, monitor: $0)
        }
        if let traceFile, let trace = report.run.trace { try TraceFiles.write(trace, to: traceFile) }
        if isJSON {
            JSONLine.print(describe(report))
        } else {
            printText(report)
        }
        return ExitCode(report.run.violations)
    }

    private static func replayFile(
        _ path: String, stuckAfterSeconds: Int, isJSON: Bool, traceFile: String?
    ) throws -> ExitCode {
        let file = try FailureFiles.read(path)
        let scenario = try ScenarioCatalogue.make(file.scenario, ScenarioOptions(values: file.options))
        var settings = file.settings
        settings.recordsTrace = file.traceFile != nil || traceFile != nil
        settings.recordsDecisions = !file.overrides.isEmpty
        let report: ScenarioReport
        do {
            report = try watched(limitSeconds: stuckAfterSeconds, shellQuoted(path)) {
                try scenario.run(
                    settings, schedule: file.schedule, stopwatch: Stopwatch.nanoseconds, monitor: $0)
            }
        } catch let error as FaultScheduleError {
            throw UsageError("'\(path)': \(error)")
        } catch let error as KnobError {
            throw UsageError("'\(path)': \(error)")
        } catch let error as UnknownKnobError {
            throw UsageError("'\(path)': \(error)")
        }
        try checkOverrides(file, against: report.run, at: path)
        if let traceFile, let trace = report.run.trace { try TraceFiles.write(trace, to: traceFile) }
        let difference = difference(report.run, file)
        let isSame = difference == nil
        let isSameHash = report.run.traceHash.description == file.traceHash
        let parting = isSameHash ? nil : parting(of: report, from: file, at: path)
        if isJSON {
            var object = describe(report)
            object["repeated"] = isSame
            object["expected_trace_hash"] = file.traceHash
            if let difference { object["difference"] = difference }
            switch parting {
            case .known(let divergence)?: object["divergence"] = JSONLine.object(DivergenceRecord(divergence))
            case .unknown(let why)?: object["divergence_unknown"] = why
            case nil: break
            }
            JSONLine.print(object)
        } else {
            printText(report)
            StandardOutput.print(difference.map { "the run did NOT repeat: \($0)" } ?? "the run repeated exactly")
            switch parting {
            case .known(let divergence)?: StandardOutput.print(divergence)
            case .unknown(let why)?: StandardOutput.print("the first difference cannot be named: \(why)")
            case nil: break
            }
        }
        return isSame ? .held : .notDeterministic
    }

    /// What the run has otherwise than its file, in words; `nil` when it repeated exactly.
    private static func difference(_ run: RunReport, _ file: FailureFile) -> String? {
        if run.traceHash.description != file.traceHash { return "recorded hash \(file.traceHash)" }
        if run.eventCount != file.eventCount { return "recorded \(file.eventCount) events" }
        guard run.violations != file.violations else { return nil }
        let position = zip(run.violations, file.violations).enumerated().first { $1.0 != $1.1 }?.offset
        guard let position else {
            return "recorded \(file.violations.count) violations, and it has \(run.violations.count)"
        }
        return "recorded violation \(position + 1) is: \(file.violations[position])"
    }

    /// An override that decides nothing, or decides otherwise than it says, is not replayed: the file is refused.
    private static func checkOverrides(_ file: FailureFile, against run: RunReport, at path: String) throws {
        if let unused = run.unusedOverrides.first {
            throw UsageError(
                "'\(path)' overrides decision \(unused.index) of '\(unused.stream)', which the run never takes")
        }
        let values = file.settings.overrides
        for decision in run.decisions {
            guard let value = values[decision.address], value >= decision.bound else { continue }
            let address = decision.address
            throw UsageError(
                "'\(path)' overrides decision \(address.index) of '\(address.stream)' with \(value); expected 0 to \(decision.bound - 1)"
            )
        }
    }

    /// Where a run whose hash differs parts from the recorded one.
    private enum Parting {
        case known(Divergence)
        /// There is nothing to compare it with, or that is the same; says which.
        case unknown(String)
    }

    /// Never an error: that the run did not repeat has to be said, whatever has become of its trace.
    private static func parting(of report: ScenarioReport, from file: FailureFile, at path: String) -> Parting {
        guard let name = file.traceFile, let trace = report.run.trace else {
            return .unknown("the failure file names no recorded trace")
        }
        let beside = NSString(string: NSString(string: path).deletingLastPathComponent).appendingPathComponent(name)
        let recorded: Trace
        do { recorded = try TraceFiles.read(beside) } catch { return .unknown("\(error)") }
        // A long run's file ends before the run did: what lies beyond it cannot be compared.
        let isCut = UInt64(recorded.entries.count) < file.eventCount
        let comparable = isCut ? Trace(entries: Array(trace.entries.prefix(recorded.entries.count))) : trace
        return Divergence.first(between: recorded, and: comparable).map(Parting.known)
            ?? .unknown("the recorded events are the same; it lies beyond them, or the file's hash was changed")
    }

    private static func watched(
        limitSeconds: Int, _ what: String, _ body: (RunMonitor) throws -> ScenarioReport
    ) throws -> ScenarioReport {
        let monitor = RunMonitor()
        TrapReport.install(monitor, replayCommand: "simulate replay \(what)")
        let watchdog = Watchdog(monitor, limitSeconds: limitSeconds, replayCommand: "simulate replay \(what)")
        defer { watchdog.finish() }
        return try body(monitor)
    }

    private static func describe(_ report: ScenarioReport) -> [String: Any] {
        var faults: [String: Any] = [:]
        for fault in report.run.faults { faults[fault.kind] = fault.effectCount }
        var figures: [String: Any] = [:]
        for (name, value) in report.figures { figures[name] = value }
        return [
            "scenario": report.scenario, "seed": report.run.seed, "trace_hash": report.run.traceHash.description,
            "events": report.run.eventCount, "virtual_seconds": Double(report.run.virtualTime.rawValue) / 1e9,
            "faults": faults, "figures": figures, "knobs": report.run.knobs,
            "schedule": JSONLine.object(report.run.schedule.map(FaultRecord.init)),
            "violations": JSONLine.object(report.run.violations.map(ViolationRecord.init)),
        ]
    }

    private static func printText(_ report: ScenarioReport) {
        StandardOutput.print(
            "\(report.scenario) seed \(report.run.seed): \(report.run.eventCount) events, \(report.run.virtualTime) of virtual time, hash \(report.run.traceHash)"
        )
        for name in report.run.knobs.keys.sorted() {
            StandardOutput.print("  knob \(name) = \(report.run.knobs[name]!)")
        }
        for fault in report.run.schedule { StandardOutput.print("  fault \(fault)") }
        for (name, value) in report.figures { StandardOutput.print("  \(name): \(value)") }
        for property in report.run.properties {
            StandardOutput.print(
                "  property \(property.name): checked \(property.checkCount) times in about \(property.estimatedNanoseconds / 1_000) us"
            )
        }
        for violation in report.run.violations { StandardOutput.print("VIOLATED \(violation)") }
        if report.run.held { StandardOutput.print("every property held") }
    }
}
