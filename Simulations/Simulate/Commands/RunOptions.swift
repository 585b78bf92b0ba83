import Foundation
import SimCore

/// What `run` and `replay` have in common: scenario, its options, faults, scheduling.
struct RunOptions: Sendable {
    static let defaultScenario = "default"

    var scenarioName: String
    var options = ScenarioOptions()
    var faults: FaultSelection
    var scheduling: Scheduling?
    /// Knobs that are not to be drawn.
    var knobs: [String: Int64] = [:]
    /// How long one step of a run may take.
    var stuckAfterSeconds: Int

    static let help = "\(scenarioHelp)\n\(stuckAfterHelp)"
    static let scenarioHelp = """
          --scenario NAME      what to run (see `simulate scenarios`)
          --orders N           how many orders, where the scenario has orders
          --workload FILE      a purchase log, where the scenario takes one: a line for each order with customer id, date
                               (YYYYMMDD), pieces and value, separated by spaces, tabs or commas
          --option NAME=VALUE  any other option of the scenario; may be repeated
          --faults LIST        all (default), none, or kinds separated by commas (see `simulate faults`)
          --scheduling POLICY  which ready task runs next: in-order, random, pct, or pct=DEPTH,STEPS (default: drawn from
                               the seed)
          --knob NAME=VALUE    a number that the scenario draws otherwise; may be repeated
        """
    static let stuckAfterHelp =
        "  --stuck-after N      seconds of real time after which a process that never awaits is reported (default 60)"

    static func takeStuckAfter(_ arguments: inout Arguments) throws -> Int {
        try arguments.takeInteger("--stuck-after", in: 1...86_400) ?? 60
    }

    init(_ arguments: inout Arguments) throws {
        scenarioName = try arguments.takeValue("--scenario") ?? Self.defaultScenario
        if let orders = try arguments.takeInteger("--orders", in: 1...100_000_000) {
            options.values["orders"] = String(orders)
        }
        if let workload = try arguments.takeValue("--workload") { options.values["workload"] = workload }
        while let pair = try arguments.takeValue("--option") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { throw UsageError("--option is '\(pair)'; expected NAME=VALUE") }
            let name = String(parts[0])
            guard options.values[name] == nil else {
                throw UsageError("option \(name) is given twice; expected it once")
            }
            options.values[name] = String(parts[1])
        }
        while let pair = try arguments.takeValue("--knob") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let value = Int64(parts[1]) else {
                throw UsageError("--knob is '\(pair)'; expected NAME=VALUE with a whole number")
            }
            let name = String(parts[0])
            guard knobs[name] == nil else { throw UsageError("knob \(name) is given twice; expected it once") }
            knobs[name] = value
        }
        stuckAfterSeconds = try Self.takeStuckAfter(&arguments)
        let selection = try arguments.takeValue("--faults") ?? "all"
        faults = FaultSelection(selection)
        if faults == .only([]) {
            throw UsageError("--faults is '\(selection)'; expected all, none, or kinds separated by commas")
        }
        if let text = try arguments.takeValue("--scheduling") {
            guard let policy = Scheduling(text) else {
                throw UsageError("--scheduling is '\(text)'; expected in-order, random, pct or pct=DEPTH,STEPS")
            }
            scheduling = policy
        }
    }

    /// Settings of one seed. Unless fixed, the scheduling policy is part of the swarm: the seed draws it.
    func settings(seed: UInt64) -> SimulationSettings {
        var settings = SimulationSettings(seed: seed)
        settings.scheduling = scheduling ?? Scheduling.drawn(seed: seed)
        settings.knobs = knobs
        return settings
    }

    /// The words that repeat this run on the command line, but for the seed, as a shell reads them.
    var commandLine: String { words.map(shellQuoted).joined(separator: " ") }

    /// The words that repeat this run on the command line, but for the seed.
    var words: [String] { ["--scenario", scenarioName] + wordsBesideScenario }

    /// What is not as usual, in words: none when only the scenario is named.
    var wordsBesideScenario: [String] {
        var words: [String] = []
        for name in options.values.keys.sorted() {
            switch name {
            case "orders", "workload": words += ["--\(name)", options.values[name]!]
            default: words += ["--option", "\(name)=\(options.values[name]!)"]
            }
        }
        if faults != .all { words += ["--faults", faults.word] }
        if let scheduling { words += ["--scheduling", scheduling.word] }
        for name in knobs.keys.sorted() { words += ["--knob", "\(name)=\(knobs[name]!)"] }
        return words
    }
}
