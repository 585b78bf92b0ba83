/// A run in words, for the message of a test that failed.
extension ScenarioReport: CustomStringConvertible {
    /// Says the seed, each violated property with its virtual time, and what repeats the run: the harness's command where the
    /// scenario has one, otherwise the library's call.
    public var description: String {
        var lines = ["\(scenario), seed \(run.seed): \(run.held ? "every property held" : "violated")"]
        lines += run.violations.map { "  \($0)" }
        lines.append("  replay: \(replayCommand ?? replayCall ?? "write a FailureFile of it, and run what that holds")")
        return lines.joined(separator: "\n")
    }

    /// The command that repeats the run, as the scenario's ``Scenario/replayCommand`` has it; `nil` for a scenario without one,
    /// and for a run that ``replayArguments`` cannot say.
    public var replayCommand: String? { replayArguments == nil ? nil : harnessCommand?(self) }

    /// The words that repeat the run for a tool that reads them as `simulate replay` does, as a shell reads them: `--scenario`,
    /// `--seed`, `--scheduling`, `--faults`, `--knob` and `--option`.
    ///
    /// `nil` for a run that was more than its seed, options, faults, scheduling and knobs: with a schedule or overrides of its
    /// own, or with other limits or another start than usual. Such a run is repeated from a ``FailureFile``.
    public var replayArguments: String? {
        guard isDrawnFromSeed else { return nil }
        var words = ["--scenario", scenario, "--seed", String(run.seed), "--scheduling", scheduling.word]
        if faults != .all { words += ["--faults", faults.word] }
        for name in fixedKnobs.keys.sorted() { words += ["--knob", "\(name)=\(fixedKnobs[name]!)"] }
        for name in options.keys.sorted() { words += ["--option", "\(name)=\(options[name]!)"] }
        return words.map(shellQuoted).joined(separator: " ")
    }

    /// The call of ``Scenario/run(_:faults:schedule:stopwatch:monitor:)`` that repeats the run, in Swift, with the options that
    /// the scenario has to be made with; `nil` as for ``replayArguments``.
    public var replayCall: String? {
        guard isDrawnFromSeed else { return nil }
        var settings = "SimulationSettings(seed: \(run.seed)"
        if scheduling != .inOrder { settings += ", scheduling: \(scheduling.expression)" }
        if !fixedKnobs.isEmpty {
            let knobs = fixedKnobs.keys.sorted().map { "\($0.debugDescription): \(fixedKnobs[$0]!)" }
            settings += ", knobs: [\(knobs.joined(separator: ", "))]"
        }
        let selection =
            switch faults {
            case .all: ""
            case .none: ", faults: .none"
            case .only(let kinds): ", faults: .only([\(kinds.map(\.debugDescription).joined(separator: ", "))])"
            }
        let with = options.keys.sorted().map { "\($0)=\(options[$0]!)" }.joined(separator: ", ")
        return "scenario.run(\(settings))\(selection))" + (with.isEmpty ? "" : ", of the scenario with \(with)")
    }
}

extension Scenario {
    /// The scenario as one of those that the `simulate` command knows: its reports say how that repeats a run.
    package var knownToSimulate: Scenario {
        var scenario = self
        scenario.replayCommand = { "simulate replay \($0.replayArguments!)" }
        return scenario
    }
}

extension Scheduling {
    /// The policy as Swift has it.
    fileprivate var expression: String {
        switch self {
        case .inOrder: ".inOrder"
        case .random: ".random"
        case .priorities(let depth, let stepCount): ".priorities(depth: \(depth), stepCount: \(stepCount))"
        }
    }
}

extension SimulationSettings {
    /// Whether the seed, the scheduling and the knobs say all that there is to say.
    var haveUsualLimits: Bool {
        let usual = SimulationSettings(seed: seed)
        return overrides.isEmpty && start == usual.start && timeLimit == usual.timeLimit
            && instantStepLimit == usual.instantStepLimit
    }
}
