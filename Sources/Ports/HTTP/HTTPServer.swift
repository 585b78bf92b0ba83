/// What answers requests: a service's whole HTTP interface behind one function.
public protocol HTTPHandler: Sendable {
    /// Answers one request. Does not throw: what goes wrong is a response of its own (a problem document, 5xx).
    func respond(to request: HTTPRequest) async -> HTTPResponse
}

/// The HTTP port's client side, used by customers and by calls between services.
public protocol HTTPClient: Sendable {
    /// Sends a request and waits for the whole answer.
    ///
    /// - Parameter timeout: how long to wait; then the outcome is unknown.
    /// - Throws: ``HTTPError``.
    func send(_ request: HTTPRequest, timeout: Nanoseconds) async throws -> HTTPResponse

    /// Opens an event stream and hands over its events until the server ends it, it breaks, or `receive` returns false.
    ///
    /// - Throws: ``HTTPError`` when it could not be opened or broke.
    func receiveEvents(
        _ request: HTTPRequest, idleTimeout: Nanoseconds, receive: (ServerSentEvent) async throws -> Bool
    ) async throws
}

/// Why a request has no answer, in terms of what the caller may conclude.
public enum HTTPError: Error, Hashable, Sendable {
    /// Nobody listens there: the request had no effect.
    case connectionRefused(String)
    /// The connection broke: the request may have taken effect.
    case connectionReset(String)
    /// No answer in time: the request may have taken effect, or may still.
    case timedOut(after: Nanoseconds)
    /// The stream was refused with this status.
    case status(Int)

    /// Whether the request is known to have had no effect.
    public var hadNoEffect: Bool {
        switch self {
        case .connectionRefused, .status: true
        case .connectionReset, .timedOut: false
        }
    }
}
