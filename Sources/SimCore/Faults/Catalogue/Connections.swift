import Ports

extension FaultDefinition {
    /// Open connections are reset: a middlebox that restarts, a kernel out of memory.
    public static let connectionReset = FaultDefinition(
        "connection-reset", summary: "the open connections between the targets and the others are reset",
        targets: .groups
    ) { injection in
        let count = injection.simulation.network.resetConnections(
            between: ProcessSet(injection.targets), and: ProcessSet(injection.others))
        for _ in 0..<count { injection.tookEffect() }
        return nil
    }

    /// The request takes effect and its answer is lost with the connection: the caller cannot know.
    public static let applyThenFail = FaultDefinition(
        "apply-then-fail",
        summary: "the targets carry out what the others ask, and the answer is lost with the connection",
        targets: .groups
    ) { injection in
        _ = injection.simulation.network.loseNextAnswers(
            from: ProcessSet(injection.targets), to: ProcessSet(injection.others), fault: injection.id)
        return nil
    }
}
