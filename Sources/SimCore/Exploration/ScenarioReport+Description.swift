/// A run in words, for the message of a test that failed.
extension ScenarioReport: CustomStringConvertible {
    /// Says the seed, each violated property with its virtual time, and the command that repeats the run.
    public var description: String {
        var lines = ["\(scenario), seed \(run.seed): \(run.held ? "every property held" : "violated")"]
        lines += run.violations.map { "  \($0)" }
        lines.append(
            "  replay: \(replayCommand ?? "no command can say it; write a FailureFile of it, and replay that")")
        return lines.joined(separator: "\n")
    }

    /// The command that repeats the run, for a scenario that the `simulate` command knows; `nil` for a run that was more than
    /// its seed, options, faults, scheduling and knobs: with a schedule or overrides of its own, or with other limits or
    /// another start than usual. Such a run is repeated from a ``FailureFile``.
    public var replayCommand: String? {
        guard isDrawnFromSeed else { return nil }
        var words = ["--scenario", scenario, "--seed", String(run.seed), "--scheduling", scheduling.word]
        if faults != .all { words += ["--faults", faults.word] }
        for name in fixedKnobs.keys.sorted() { words += ["--knob", "\(name)=\(fixedKnobs[name]!)"] }
        for name in options.keys.sorted() { words += ["--option", "\(name)=\(options[name]!)"] }
        return (["simulate", "replay"] + words.map(shellQuoted)).joined(separator: " ")
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
