import Ports

extension FaultDefinition {
    /// Messages are lost. On a connection that costs time (retransmission), not data.
    public static let loss = FaultDefinition(
        "loss", summary: "messages between the targets and the others are lost", targets: .groups,
        parameters: [FaultParameter("probability", unit: "ppm", default: 50_000, in: 100...900_000)],
        lasting: .milliseconds(500)...(.seconds(60))
    ) { injection in
        injection.disturb(.lose(injection.probability), bothWays: true)
    }

    /// Datagrams arrive twice.
    public static let duplication = FaultDefinition(
        "duplication", summary: "datagrams between the targets and the others arrive twice", targets: .groups,
        parameters: [FaultParameter("probability", unit: "ppm", default: 50_000, in: 100...900_000)],
        lasting: .milliseconds(500)...(.seconds(60))
    ) { injection in
        injection.disturb(.duplicate(injection.probability), bothWays: true)
    }

    /// Datagrams overtake each other.
    public static let reordering = FaultDefinition(
        "reordering", summary: "datagrams between the targets and the others are held back and overtaken",
        targets: .groups,
        parameters: [
            FaultParameter("probability", unit: "ppm", default: 100_000, in: 100...900_000),
            FaultParameter("delay", unit: "us", default: 5_000, in: 1...1_000_000),
        ], lasting: .milliseconds(500)...(.seconds(60))
    ) { injection in
        injection.disturb(
            .reorder(injection.probability, delay: .microseconds(injection.parameter("delay"))), bothWays: true)
    }

    /// A node whose every message takes longer: a bad cable, an overloaded machine.
    public static let slowNode = FaultDefinition(
        "slow-node", summary: "every message from and to the targets takes longer", targets: .groups,
        parameters: [FaultParameter("factor", unit: "", default: 10, in: 2...1_000)],
        lasting: .seconds(1)...(.seconds(60))
    ) { injection in
        injection.disturb(.slow(factor: injection.parameter("factor")), bothWays: true)
    }
}

extension FaultInjection {
    fileprivate var probability: Probability { Probability(partsPerMillion: UInt32(parameter("probability"))) }
}
