/// A run in words, for the message of a test that failed.
extension ScenarioReport: CustomStringConvertible {
    /// Says the seed, each violated property with its virtual time, and the command that repeats the run.
    public var description: String {
        var lines = ["\(scenario), seed \(run.seed): \(run.held ? "every property held" : "violated")"]
        lines += run.violations.map { "  \($0)" }
        lines.append("  replay: \(replayCommand)")
        return lines.joined(separator: "\n")
    }

    /// The command that repeats the run, for a scenario that the `simulate` command knows and whose faults were drawn from
    /// the seed. A run with a schedule of its own is repeated from a ``FailureFile``.
    public var replayCommand: String {
        var words = ["simulate replay --scenario \(scenario) --seed \(run.seed) --scheduling \(scheduling.word)"]
        for name in options.keys.sorted() { words.append("--option \(name)=\(options[name]!)") }
        return words.joined(separator: " ")
    }
}

extension Scheduling {
    /// What ``init(_:)`` reads.
    var word: String {
        switch self {
        case .inOrder: "in-order"
        case .random: "random"
        case .priorities: "pct"
        }
    }
}
