import AdapterHTTP
import AdapterSystem
import Ports
import Synchronization

/// What every part of the shop answers beside its own interface: health, metrics, the description of the interface. Gives each
/// request its place in a trace, counts it, and writes one line about it.
struct EdgeHandler: HTTPHandler {
    let handler: any HTTPHandler
    let metrics: Metrics
    let readiness: Readiness
    let log: any ServiceLog
    /// The OpenAPI document; `nil` for a part without an interface of its own.
    let openAPI: JSONValue?
    /// The template of a request's path, for counting: `/orders/{id}`.
    let route: @Sendable (HTTPRequest) -> String

    private let clock = SystemClock()
    private let identifiers = RandomIdentifiers()

    init(
        _ handler: any HTTPHandler, metrics: Metrics, readiness: Readiness, log: any ServiceLog, openAPI: JSONValue?,
        route: @escaping @Sendable (HTTPRequest) -> String
    ) {
        self.handler = handler
        self.metrics = metrics
        self.readiness = readiness
        self.log = log
        self.openAPI = openAPI
        self.route = route
    }

    /// The settings of a server in front of this handler, which counts and logs what the server itself refuses, too.
    func watching(_ settings: HTTPServerSettings) -> HTTPServerSettings {
        var settings = settings
        let pending = PendingLines()
        settings.onRefusal = { [metrics, log] problem in
            metrics.requestRefused(status: problem.status)
            // Not here: a log that takes no more must not hold up the server's thread. What is too much is counted only.
            guard pending.begin() else { return }
            Task {
                log.log(
                    .info, "request refused",
                    [LogField("status", String(problem.status)), LogField("reason", problem.detail)])
                pending.end()
            }
        }
        return settings
    }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        if let response = answerItself(request.path) {
            return request.method == .get ? response : .methodNotAllowed(request, allowed: [.get])
        }
        let received = request.header("traceparent").flatMap { TraceParent($0) }
        let trace = received.map { TraceParent(childOf: $0, identifiers) } ?? TraceParent(identifiers)
        var passed = request
        passed.headers.removeAll { $0.name == "traceparent" }
        passed.headers.append(HTTPHeader("traceparent", trace.description))
        metrics.requestBegan()
        let start = clock.monotonicNow
        var response = await handler.respond(to: passed)
        let span = clock.monotonicNow - start
        metrics.requestEnded(request.method, route: route(request), status: response.status, span: span)
        writeLine(request, response, trace, span)
        response.headers.append(HTTPHeader("traceparent", trace.description))
        return response
    }

    private func answerItself(_ path: String) -> HTTPResponse? {
        switch path {
        case "/health/live": HTTPResponse(200, body: .json(["status": "live"]))
        case "/health/ready": readiness.response
        case "/metrics": HTTPResponse(200, body: .text(metrics.text, contentType: "text/plain; version=0.0.4"))
        case "/openapi.json": openAPI.map { HTTPResponse(200, body: .json($0)) }
        default: nil
        }
    }

    private func writeLine(
        _ request: HTTPRequest, _ response: HTTPResponse, _ trace: TraceParent, _ span: Nanoseconds
    ) {
        let level: LogLevel = response.status >= 500 ? .warning : .info
        guard level >= log.minimumLevel else { return }
        var fields = [
            LogField("method", request.method.rawValue), LogField("path", request.path),
            LogField("status", String(response.status)), LogField("seconds", Metrics.seconds(span)),
            LogField("trace", trace.traceID),
        ]
        if let order = Self.orderID(request, response) { fields.append(LogField("order", order)) }
        log.write(level, "request", fields)
    }

    /// The order that a request is about, as far as path and answer tell.
    private static func orderID(_ request: HTTPRequest, _ response: HTTPResponse) -> String? {
        if let order = response.json?["orderId"]?.stringValue { return order }
        let segments = (response.header("location") ?? request.path).split(separator: "/")
        guard segments.first == "orders" else { return nil }
        return segments.dropFirst().first { UniqueID($0) != nil }.map { String($0) }
    }
}

/// How many lines wait to be written.
private final class PendingLines: Sendable {
    private static let limit = 64
    private let count = Mutex(0)

    /// Returns whether there is room for one more.
    func begin() -> Bool {
        count.withLock { count in
            guard count < Self.limit else { return false }
            count += 1
            return true
        }
    }

    func end() { count.withLock { $0 -= 1 } }
}
