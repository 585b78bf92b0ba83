import Ports

/// A world that has HTTP servers, beside whatever else it has.
protocol HTTPWorld: ContractWorld {
    /// A server with a handler that is given the server's own clock. It listens when this returns.
    func makeHTTPServer(
        _ limits: HTTPEdgeLimits, _ handler: @escaping @Sendable (any ServiceClock) -> any HTTPHandler
    ) async throws -> any HTTPServerUnderTest
}

/// One server of a case, and what can be done to it.
protocol HTTPServerUnderTest: Sendable {
    /// A client of its own, with a pool of its own.
    func makeClient() -> any HTTPClient
    /// Ends the server at once; its connections break.
    func crash() async throws
    /// Starts it again at the same place.
    func start() async throws
    /// Ends the case.
    func discard() async
}

/// A handler that is a function.
struct FunctionHandler: HTTPHandler {
    let function: @Sendable (HTTPRequest) async -> HTTPResponse

    init(_ function: @escaping @Sendable (HTTPRequest) async -> HTTPResponse) { self.function = function }

    func respond(to request: HTTPRequest) async -> HTTPResponse { await function(request) }
}

extension ContractCase {
    /// A case about one HTTP server and one client of it.
    static func http(
        _ id: String, _ rule: String, limits: HTTPEdgeLimits = HTTPEdgeLimits(),
        server handler: @escaping @Sendable (HTTPRequest, any ServiceClock) async -> HTTPResponse,
        script: @escaping @Sendable (any HTTPClient, any HTTPServerUnderTest, any ServiceClock) async throws -> Void
    ) -> ContractCase {
        ContractCase("http/" + id, rule, area: .http) { world in
            guard let world = world as? any HTTPWorld else { throw ContractFailure("\(world.name) has no HTTP") }
            let server = try await world.makeHTTPServer(limits) { clock in
                FunctionHandler { await handler($0, clock) }
            }
            do {
                try await script(server.makeClient(), server, world.clock)
            } catch {
                await server.discard()
                throw error
            }
            await server.discard()
        }
    }
}

/// The error that a call must end with.
///
/// - Throws: ``ContractFailure`` when it ends otherwise.
func httpError(
    file: String = #fileID, line: UInt = #line, _ call: () async throws -> Void
) async throws -> HTTPError {
    do {
        try await call()
    } catch let error as HTTPError {
        return error
    } catch {
        throw ContractFailure("must fail as HTTP, but got \(error)", file: file, line: line)
    }
    throw ContractFailure("must fail, but succeeded", file: file, line: line)
}

extension HTTPClient {
    func get(_ path: String, _ headers: [HTTPHeader] = []) async throws -> HTTPResponse {
        try await send(HTTPRequest(.get, path, headers: headers), timeout: .seconds(5))
    }

    func post(_ path: String, _ body: Payload?, _ headers: [HTTPHeader] = []) async throws -> HTTPResponse {
        try await send(HTTPRequest(.post, path, headers: headers, body: body), timeout: .seconds(5))
    }

    /// All events of a stream that ends by itself.
    func events(_ path: String, _ headers: [HTTPHeader] = []) async throws -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        try await receiveEvents(HTTPRequest(.get, path, headers: headers), idleTimeout: .seconds(5)) { event in
            events.append(event)
            return true
        }
        return events
    }
}
