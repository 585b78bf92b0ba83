import Ports
import Synchronization

/// Answers 503 until there is a handler to hand requests on to.
final class GateHandler: HTTPHandler {
    private enum Gate {
        case closed
        case open((any HTTPHandler)?)
    }

    private let gate = Mutex(Gate.closed)

    /// - Parameter handler: `nil` for a part that has no interface of its own.
    func open(_ handler: (any HTTPHandler)?) { gate.withLock { $0 = .open(handler) } }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        switch gate.withLock({ $0 }) {
        case .closed:
            var response = ProblemDocument(503, "Service Unavailable", detail: "the service is starting").response
            response.headers.append(HTTPHeader("retry-after", "1"))
            return response
        case .open(let handler?): return await handler.respond(to: request)
        case .open(nil):
            let detail = "there is no \(request.method.rawValue) \(request.path) here"
            return ProblemDocument(404, "Not Found", detail: detail).response
        }
    }
}
