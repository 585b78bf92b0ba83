import Ports

extension FaultDefinition {
    /// Nothing gets from the targets to the others, while the way back is open.
    public static let partitionOneWay = FaultDefinition(
        "partition-one-way", summary: "nothing gets from the targets to the others; the way back is open",
        targets: .groups, lasting: .milliseconds(100)...(.seconds(30))
    ) { injection in
        injection.disturb(.block, bothWays: false)
    }

    /// Nothing gets from one group to the other, either way.
    public static let partition = FaultDefinition(
        "partition", summary: "nothing gets between the targets and the others", targets: .groups,
        lasting: .milliseconds(100)...(.seconds(30))
    ) { injection in
        injection.disturb(.block, bothWays: true)
    }

    /// A partition that comes and goes.
    public static let flapping = FaultDefinition(
        "flapping", summary: "a partition between the targets and the others that comes and goes", targets: .groups,
        parameters: [FaultParameter("period", unit: "ms", default: 500, in: 10...10_000)],
        lasting: .seconds(1)...(.seconds(30))
    ) { injection in
        Flapping(injection).start()
    }

    /// A link that takes everything and gives nothing until it clears: then all of it, in order.
    public static let clog = FaultDefinition(
        "clog", summary: "messages between the targets and the others pile up and arrive when it ends",
        targets: .groups,
        lasting: .milliseconds(10)...(.seconds(5))
    ) { injection in
        injection.disturb(.hold, bothWays: true)
    }
}

extension FaultInjection {
    /// Installs a disturbance from targets to others (and back), and returns what takes it away.
    func disturb(_ effect: NetworkDisturbance.Effect, bothWays: Bool) -> FaultDefinition.Healing {
        let (left, right) = (ProcessSet(targets), ProcessSet(others))
        let entity = simulation.faults.decisionEntity(of: id)
        var installed = [
            simulation.network.disturb(
                NetworkDisturbance(from: left, to: right, effect: effect, fault: id, decisionEntity: entity))
        ]
        if bothWays {
            installed.append(
                simulation.network.disturb(
                    NetworkDisturbance(from: right, to: left, effect: effect, fault: id, decisionEntity: entity)))
        }
        return { for disturbance in installed { self.simulation.network.undisturb(disturbance) } }
    }
}

/// Installs and removes a partition in turn, until it is healed.
private final class Flapping: EventHandler {
    private let injection: FaultInjection
    private var handler: HandlerID!
    private var healing: FaultDefinition.Healing?
    private var isOver = false

    init(_ injection: FaultInjection) {
        self.injection = injection
        handler = injection.simulation.register(self)
    }

    func start() -> FaultDefinition.Healing {
        flip()
        return {
            self.isOver = true
            self.healing?()
            self.healing = nil
        }
    }

    private func flip() {
        if let healing {
            healing()
            self.healing = nil
        } else {
            healing = injection.disturb(.block, bothWays: true)
        }
        let period = Nanoseconds.milliseconds(injection.parameter("period"))
        injection.simulation.schedule(at: injection.simulation.now + period, handler, code: 1)
    }

    func handle(_ event: KernelEvent) { if !isOver { flip() } }
    func describe(_ event: KernelEvent) -> String { "flapping partition flips" }
}
