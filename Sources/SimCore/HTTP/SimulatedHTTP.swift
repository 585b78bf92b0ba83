public import Ports

/// HTTP between the processes of a simulation: servers that run handlers, clients that call them, over connections that
/// fail as TCP's do.
public final class SimulatedHTTP: @unchecked Sendable {
    let simulation: Simulation
    let transport: Transport<HTTPWireMessage>

    /// HTTP for the processes of that simulation, which needs no more than one.
    public init(_ simulation: Simulation) {
        self.simulation = simulation
        transport = Transport(
            simulation, name: "http", byteCount: { $0.byteCount }, describe: { $0.description })
    }

    /// Serves requests until the process ends. Each runs in a task of a pool that grows with the requests at one time.
    ///
    /// - Parameter limits: what is refused before the handler sees it, by the rules of a real server's edge.
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    public func serve(
        _ context: ProcessContext, _ handler: any HTTPHandler, limits: HTTPEdgeLimits = HTTPEdgeLimits()
    ) async throws {
        try await context.requireAlive()
        let server = HTTPServerEnd(self, context: context, limits: limits)
        transport.listen(context.process, delegate: server)
        // A dead incarnation unwinds when its successor may listen already.
        defer { if context.isLive { transport.stopListening(context.process) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            while true {
                // The group's own task only adds workers: a worker cannot.
                try await server.waitForDemand()
                // A group keeps a task that has ended, with all its memory, until somebody asks for it.
                for _ in 0..<server.takeEndedWorkers() { try await group.next() }
                group.addTask { try await server.work(handler) }
            }
        }
    }

    /// A client of `server`'s handlers for the code of one incarnation.
    public func client(_ context: ProcessContext, to server: ProcessID) -> any HTTPClient {
        SimulatedHTTPClient(self, context: context, server: server)
    }
}
