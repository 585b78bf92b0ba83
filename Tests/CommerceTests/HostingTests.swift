import AdapterSystem
import Ports
import Synchronization
import Testing

@testable import commerce

@Suite struct HostingTests {
    private struct Silent: ServiceLog {
        let minimumLevel = LogLevel.error
        func write(_ level: LogLevel, _ message: String, _ fields: [LogField]) {}
    }

    private struct Echo: HTTPHandler {
        func respond(to request: HTTPRequest) async -> HTTPResponse {
            HTTPResponse(200, body: .json(["traceparent": .string(request.header("traceparent") ?? "")]))
        }
    }

    private func edge(_ readiness: Readiness, _ metrics: Metrics) -> EdgeHandler {
        EdgeHandler(
            Echo(), metrics: metrics, readiness: readiness, log: Silent(), openAPI: ["openapi": "3.1.0"],
            route: { _ in "/orders/{id}" })
    }

    @Test("A request without a trace begins one; a request of a trace goes on in it with a step of its own")
    func trace() async throws {
        let edge = edge(Readiness([]), Metrics(service: "order"))
        let fresh = await edge.respond(to: HTTPRequest(.get, "/orders"))
        let begun = try #require(fresh.json?["traceparent"]?.stringValue.flatMap { TraceParent($0) })
        #expect(fresh.header("traceparent") == begun.description)
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let next = await edge.respond(
            to: HTTPRequest(.get, "/orders", headers: [HTTPHeader("traceparent", parent)]))
        let child = try #require(next.json?["traceparent"]?.stringValue.flatMap { TraceParent($0) })
        #expect(child.traceID == "0af7651916cd43dd8448eb211c80319c")
        #expect(child.spanID != "b7ad6b7169203331")
    }

    @Test(
        "What is no traceparent is not taken for one",
        arguments: [
            "", "x", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "00-0-0-0",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ])
    func badTrace(text: String) { #expect(TraceParent(text) == nil) }

    @Test("Ready is 200 only when every part is, and says which is not")
    func ready() async {
        let readiness = Readiness(["database", "event log"])
        let edge = edge(readiness, Metrics(service: "order"))
        readiness.set("database", problem: nil)
        let notYet = await edge.respond(to: HTTPRequest(.get, "/health/ready"))
        #expect(notYet.status == 503)
        #expect(notYet.json?["parts"]?["event log"] == "starting")
        #expect(await edge.respond(to: HTTPRequest(.get, "/health/live")).status == 200)
        readiness.set("event log", problem: nil)
        #expect(await edge.respond(to: HTTPRequest(.get, "/health/ready")).status == 200)
    }

    @Test("Metrics count requests by route and status, and tell what the process has used")
    func metrics() async throws {
        let metrics = Metrics(service: "order")
        let edge = edge(Readiness([]), metrics)
        for _ in 1...3 { _ = await edge.respond(to: HTTPRequest(.get, "/orders/1")) }
        let answer = await edge.respond(to: HTTPRequest(.get, "/metrics"))
        guard case .text(let text, _) = answer.body else {
            Issue.record("metrics are no text")
            return
        }
        let line = "http_requests_total{service=\"order\",method=\"GET\",route=\"/orders/{id}\",status=\"200\"} 3"
        #expect(text.contains(line + "\n"), "\(text)")
        #expect(text.contains("http_request_duration_seconds_count{service=\"order\",route=\"/orders/{id}\"} 3\n"))
        let usage = try #require(ServiceUsage(text))
        #expect(usage.peakByteCount > 1_000_000)
        #expect(usage.processorMicroseconds > 0)
    }

    @Test("A part answers 503 until it is open, and 404 where it has no interface")
    func gate() async {
        let gate = GateHandler()
        let before = await gate.respond(to: HTTPRequest(.get, "/orders"))
        #expect(before.status == 503)
        #expect(before.header("retry-after") == "1")
        gate.open(nil)
        #expect(await gate.respond(to: HTTPRequest(.get, "/orders")).status == 404)
        gate.open(Echo())
        #expect(await gate.respond(to: HTTPRequest(.get, "/orders")).status == 200)
    }

    @Test("What a server refuses for good is not tried again; what may pass is, until the time is up")
    func patience() async throws {
        let patience = Patience(limit: .milliseconds(900), log: Silent())
        var attempts = 0
        let hopeless = await #expect(throws: StartupError.self) {
            try await patience.attempt("database of the order service") {
                attempts += 1
                throw DatabaseError.statement(.invalidPassword, message: "password authentication failed\nfor user")
            }
        }
        #expect(attempts == 1)
        #expect(hopeless?.description.hasPrefix("database of the order service: SQLSTATE 28P01") == true)
        #expect(hopeless?.description.contains("\n") == false)
        attempts = 0
        await #expect(throws: StartupError.self) {
            try await patience.attempt("database") {
                attempts += 1
                throw DatabaseError.connectionLost("refused")
            }
        }
        #expect(attempts > 1)
        var failuresLeft = 2
        let result = try await Patience(limit: .minutes(5), log: Silent()).attempt("database") {
            failuresLeft -= 1
            if failuresLeft >= 0 { throw DatabaseError.connectionLost("refused") }
            return 7
        }
        #expect(result == 7)
    }

    @Test("Something that happens once frees all who wait for it, and those who are cancelled")
    func endOfAll() async {
        let end = EndOfAll()
        await withTaskGroup(of: Void.self) { group in
            for _ in 1...5 { group.addTask { await end.wait() } }
            group.addTask { end.set() }
        }
        await end.wait()
        let never = EndOfAll()
        let task = Task { await never.wait() }
        task.cancel()
        await task.value
    }
}
