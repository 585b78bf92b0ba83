import Ports
import SimCore

/// Which instances of the services run, and in which release.
///
/// Every service has two places for instances, so that the next release can start beside the present one; the second is
/// empty unless the run has two instances of everything, or an upgrade is under way.
final class Deployment: @unchecked Sendable {
    private let simulation: Simulation
    let instanceCount: Int
    /// Names of processes that start in the next release.
    private var upgraded: Set<String> = []

    init(_ simulation: Simulation, instanceCount: Int) {
        self.simulation = simulation
        self.instanceCount = instanceCount
    }

    /// Names of the processes that may run instances of a service.
    static func places(of service: String) -> [String] { [service, service + "-2"] }

    /// Names of the processes that run when nothing is upgraded.
    func regularPlaces(of service: String) -> [String] { Array(Self.places(of: service).prefix(instanceCount)) }

    func isUpgraded(_ place: String) -> Bool { upgraded.contains(place) }

    func start(_ place: String) { simulation.start(simulation.process(named: place)!) }

    /// Ends what runs in a place; returns whether anything did.
    @discardableResult
    func stop(_ place: String) -> Bool { simulation.crash(simulation.process(named: place)!) }

    /// Has a place run the next release, or the present one, from now on: what runs there ends, and starts anew.
    func deploy(next isNext: Bool, in place: String) {
        if isNext { upgraded.insert(place) } else { upgraded.remove(place) }
        stop(place)
        start(place)
    }

    /// The places of a service that have a process which is up now, as a load balancer's health checks see it; all regular
    /// places when none is.
    func reachable(_ service: String) -> [String] {
        let up = Self.places(of: service).filter { place in
            let state = simulation.state(of: simulation.process(named: place)!)
            return state == .running || state == .paused
        }
        return up.isEmpty ? regularPlaces(of: service) : up
    }
}

/// A client of a service, whichever of its instances answers: requests go round those that are up.
final class BalancedClient: HTTPClient, @unchecked Sendable {
    private let deployment: Deployment
    private let service: String
    private let clients: [(place: String, client: any HTTPClient)]
    private var next = 0

    init(_ context: ProcessContext, _ http: SimulatedHTTP, _ deployment: Deployment, to service: String) {
        self.deployment = deployment
        self.service = service
        clients = Deployment.places(of: service).map { place in
            (place, http.client(context, to: context.simulation.process(named: place)!))
        }
    }

    private func choose() -> any HTTPClient {
        let reachable = deployment.reachable(service)
        next += 1
        let place = reachable[next % reachable.count]
        return clients.first { $0.place == place }!.client
    }

    func send(_ request: HTTPRequest, timeout: Nanoseconds) async throws -> HTTPResponse {
        try await choose().send(request, timeout: timeout)
    }

    func receiveEvents(
        _ request: HTTPRequest, idleTimeout: Nanoseconds, receive: (ServerSentEvent) async throws -> Bool
    ) async throws {
        try await choose().receiveEvents(request, idleTimeout: idleTimeout, receive: receive)
    }
}
