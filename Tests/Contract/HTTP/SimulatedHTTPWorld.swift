import Ports
import SimCore

/// HTTP between two processes of a simulation.
struct SimulatedHTTPWorld: HTTPWorld {
    let name = "simulated"
    let context: ProcessContext
    var clock: any ServiceClock { context.clock }

    func makeDatabase(_ options: DatabaseOptions) async throws -> any DatabaseServer {
        throw ContractFailure("a world of HTTP has no database")
    }

    func makeHTTPServer(
        _ limits: HTTPEdgeLimits, _ handler: @escaping @Sendable (any ServiceClock) -> any HTTPHandler
    ) async throws -> any HTTPServerUnderTest {
        let simulation = context.simulation
        let http = SimulatedHTTP(simulation)
        let process = simulation.addProcess("server", startsWithRun: false) { context in
            try await http.serve(context, handler(context.clock), limits: limits)
        }
        let server = Server(context: context, http: http, process: process)
        try await server.start()
        return server
    }

    private struct Server: HTTPServerUnderTest {
        let context: ProcessContext
        let http: SimulatedHTTP
        let process: ProcessID

        func makeClient() -> any HTTPClient { http.client(context, to: process) }
        func crash() async throws { context.simulation.crash(process) }
        func start() async throws {
            context.simulation.start(process)
            // Its main function has not run yet.
            try await context.sleep(for: .milliseconds(1))
        }
        func discard() async { context.simulation.crash(process) }
    }

    /// Runs a case in a simulation of its own.
    static func run(_ contractCase: ContractCase) throws {
        let outcome = Outcome()
        let simulation = Simulation(seed: 1)
        let report = simulation.run { context in
            do {
                try await contractCase.body(SimulatedHTTPWorld(context: context))
            } catch {
                outcome.error = error
            }
        }
        if let error = outcome.error { throw error }
        guard report.held else { throw ContractFailure("the run did not hold: \(report.violations)") }
    }

    private final class Outcome: @unchecked Sendable {
        var error: (any Error)?
    }
}
