import Foundation
import SimCore

/// What `run` and `replay` have in common: scenario, its options, faults, scheduling.
struct RunOptions: Sendable {
    static let defaultScenario = "default"

    var scenarioName: String
    var options = ScenarioOptions()
    var faults: FaultSelection
    var scheduling: Scheduling?
    /// How long one step of a run may take.
    var stuckAfterSeconds: Int

    static let help = """
          --scenario NAME      what to run (see `simulate scenarios`)
          --orders N           how many orders, where the scenario has orders
          --workload FILE      a purchase log, where the scenario takes one
          --option NAME=VALUE  any other option of the scenario; may be repeated
          --faults LIST        all (default), none, or kinds separated by commas (see `simulate faults`)
          --scheduling POLICY  which ready task runs next: in-order, random, pct (default: drawn from the seed)
          --stuck-after N      seconds of real time after which a process that never awaits is reported (default 60)
        """

    init(_ arguments: inout Arguments) throws {
        scenarioName = try arguments.takeValue("--scenario") ?? Self.defaultScenario
        if let orders = try arguments.takeInteger("--orders", in: 1...100_000_000) {
            options.values["orders"] = String(orders)
        }
        if let workload = try arguments.takeValue("--workload") { options.values["workload"] = workload }
        while let pair = try arguments.takeValue("--option") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { throw UsageError("--option is '\(pair)'; expected NAME=VALUE") }
            options.values[String(parts[0])] = String(parts[1])
        }
        stuckAfterSeconds = try arguments.takeInteger("--stuck-after", in: 1...86_400) ?? 60
        faults = FaultSelection(try arguments.takeValue("--faults") ?? "all")
        if let text = try arguments.takeValue("--scheduling") {
            guard let policy = Scheduling(text) else {
                throw UsageError("--scheduling is '\(text)'; expected in-order, random or pct")
            }
            scheduling = policy
        }
    }

    /// Settings of one seed. Unless fixed, the scheduling policy is part of the swarm: the seed draws it.
    func settings(seed: UInt64) -> SimulationSettings {
        var settings = SimulationSettings(seed: seed)
        settings.scheduling = scheduling ?? Scheduling.drawn(seed: seed)
        return settings
    }

    /// The words that repeat this run on the command line, but for the seed, as a shell reads them.
    var commandLine: String { words.map { $0.contains(" ") ? "'\($0)'" : $0 }.joined(separator: " ") }

    /// The words that repeat this run on the command line, but for the seed.
    var words: [String] {
        var words = ["--scenario", scenarioName]
        for name in options.values.keys.sorted() {
            switch name {
            case "orders", "workload": words += ["--\(name)", options.values[name]!]
            default: words += ["--option", "\(name)=\(options.values[name]!)"]
            }
        }
        switch faults {
        case .all: break
        case .none: words += ["--faults", "none"]
        case .only(let kinds): words += ["--faults", kinds.joined(separator: ",")]
        }
        switch scheduling {
        case .inOrder: words += ["--scheduling", "in-order"]
        case .random: words += ["--scheduling", "random"]
        case .priorities: words += ["--scheduling", "pct"]
        case nil: break
        }
        return words
    }
}
