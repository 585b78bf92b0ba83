import Ports
import SimCore
import Testing

/// Event streams over simulated HTTP.
struct EventStreamTests {
    /// Streams one event to each client, and then waits for something that never comes.
    private final class QuietHandler: HTTPHandler, @unchecked Sendable {
        var openStreamCount = 0
        private let context: ProcessContext

        init(_ context: ProcessContext) { self.context = context }

        func respond(to request: HTTPRequest) async -> HTTPResponse {
            HTTPResponse(
                200,
                body: .events { [self] sink in
                    openStreamCount += 1
                    defer { openStreamCount -= 1 }
                    try await sink.send(ServerSentEvent(id: "1", event: "first", data: .null))
                    // As a library does that knows nothing of the kernel.
                    let never = AsyncStream<Void> { _ in }
                    for await _ in never {}
                    try Task.checkCancellation()
                })
        }
    }

    @Test("A handler that has nothing to send learns that its client is gone")
    func quietStreamsEnd() {
        let simulation = Simulation(seed: 1)
        let http = SimulatedHTTP(simulation)
        let handlers = Handlers()
        let server = simulation.addProcess("server") { context in
            let handler = QuietHandler(context)
            handlers.all.append(handler)
            try await http.serve(context, handler)
        }
        let report = simulation.run { context in
            let client = http.client(context, to: server)
            for _ in 0..<20 {
                try await client.receiveEvents(HTTPRequest(.get, "/"), idleTimeout: .seconds(5)) { _ in false }
                try await context.sleep(for: .seconds(2))
            }
            let open = try #require(handlers.all.first).openStreamCount
            #expect(open <= 1, "\(open) of 20 streams are still written, though nobody reads them")
        }
        #expect(report.held, "\(report.violations)")
    }

    private final class Handlers: @unchecked Sendable { var all: [QuietHandler] = [] }
}
