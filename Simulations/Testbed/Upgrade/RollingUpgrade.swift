import Ports
import SimCore

/// A rolling upgrade: service after service, a new instance of the next release starts beside the old one, the old one is
/// replaced, the helper goes. Then all the way back, and up again for good.
final class RollingUpgrade: EventHandler, @unchecked Sendable {
    private enum Step {
        /// Something runs in a place from now on, in that release.
        case deploy(place: String, isNext: Bool)
        case stop(place: String)
    }

    private let simulation: Simulation
    private let deployment: Deployment
    private var handler: HandlerID!
    private var steps: ArraySlice<Step> = []
    private var pause = Nanoseconds.zero
    private var fault = FaultInstanceID(rawValue: 0)

    init(_ simulation: Simulation, _ deployment: Deployment) {
        self.simulation = simulation
        self.deployment = deployment
        handler = simulation.register(self)
    }

    /// Registers the kind of fault that starts one.
    func register(services: [String]) {
        simulation.faults.register(
            FaultDefinition(
                "rolling-upgrade",
                summary: "services are replaced one by one by a release whose events the others do not know",
                targets: .none,
                parameters: [
                    FaultParameter("pause", unit: "ms", default: 1_500, in: 100...5_000),
                    FaultParameter("back", unit: "", default: 1, in: 0...1),
                ], lasting: .seconds(30)...(.seconds(120))
            ) { [unowned self] injection in
                guard steps.isEmpty else { return nil }
                begin(
                    services, goesBack: injection.parameter("back") == 1,
                    pause: .milliseconds(injection.parameter("pause")), injection.id)
                return { [unowned self] in finish(services) }
            })
    }

    private func begin(_ services: [String], goesBack: Bool, pause: Nanoseconds, _ fault: FaultInstanceID) {
        self.pause = pause
        self.fault = fault
        var steps = roll(services, toNext: true)
        if goesBack { steps += roll(services.reversed(), toNext: false) + roll(services, toNext: true) }
        self.steps = steps[...]
        simulation.schedule(at: simulation.now, handler, code: 1)
    }

    private func roll(_ services: [String], toNext isNext: Bool) -> [Step] {
        services.flatMap { service -> [Step] in
            let places = Deployment.places(of: service)
            let steps: [Step] = [
                .deploy(place: places[1], isNext: isNext), .deploy(place: places[0], isNext: isNext),
            ]
            return deployment.instanceCount > 1 ? steps : steps + [.stop(place: places[1])]
        }
    }

    /// Everything that is left is done at once: only the next release knows what it has written.
    private func finish(_ services: [String]) {
        steps = []
        for service in services {
            for place in Deployment.places(of: service) {
                if deployment.regularPlaces(of: service).contains(place) {
                    if !deployment.isUpgraded(place) { deployment.deploy(next: true, in: place) }
                } else {
                    deployment.stop(place)
                }
            }
        }
    }

    func handle(_ event: KernelEvent) {
        guard let step = steps.popFirst() else { return }
        switch step {
        case .deploy(let place, let isNext):
            deployment.deploy(next: isNext, in: place)
            simulation.faults.tookEffect(fault)
        case .stop(let place): deployment.stop(place)
        }
        simulation.schedule(at: simulation.now + pause, handler, code: 1)
    }

    func describe(_ event: KernelEvent) -> String { "the upgrade goes on" }
}
