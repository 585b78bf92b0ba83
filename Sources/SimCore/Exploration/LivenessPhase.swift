import Ports

/// Ends the safety phase: every fault heals, and from then on everything has to finish within a bound.
final class LivenessPhase: EventHandler {
    private enum Code: UInt16 {
        case begin = 1
        case bound = 2
    }

    private unowned let simulation: Simulation
    private let bound: Nanoseconds?
    private let unfinished: () -> [String]
    private var handler: HandlerID!

    init(
        _ simulation: Simulation, after safetyPhase: Nanoseconds, bound: Nanoseconds?,
        unfinished: @escaping () -> [String]
    ) {
        self.simulation = simulation
        self.bound = bound
        self.unfinished = unfinished
        handler = simulation.register(self)
        simulation.schedule(at: .epoch + safetyPhase, handler, code: Code.begin.rawValue)
        if let bound {
            simulation.schedule(at: .epoch + safetyPhase + bound, handler, code: Code.bound.rawValue)
        }
    }

    func handle(_ event: KernelEvent) {
        switch Code(rawValue: event.code) {
        case .begin: simulation.faults.healAll()
        case .bound: missBound()
        case nil: preconditionFailure("the liveness phase has no event code \(event.code)")
        }
    }

    private func missBound() {
        var message = "the run is not over \(bound!) after its faults have healed; "
        let rest = unfinished()
        if rest.isEmpty {
            message += "still waiting: \(simulation.waitingText())"
        } else {
            message += "unfinished: \(rest.prefix(5).joined(separator: "; "))"
            if rest.count > 5 { message += "; and \(rest.count - 5) more" }
        }
        simulation.fail(.liveness, "finish", message)
    }

    func describe(_ event: KernelEvent) -> String {
        event.code == Code.begin.rawValue ? "faults heal: the liveness phase begins" : "the liveness bound"
    }
}

extension Simulation {
    /// Heals all faults after the safety phase, and fails the run when it is not over within `bound` after that.
    func beginLivenessPhase(
        after safetyPhase: Nanoseconds, bound: Nanoseconds?, unfinished: @escaping () -> [String] = { [] }
    ) {
        _ = LivenessPhase(self, after: safetyPhase, bound: bound, unfinished: unfinished)
    }
}
