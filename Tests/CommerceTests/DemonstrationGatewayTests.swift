import AdapterGateway
import AdapterSystem
import Ports
import Synchronization
import Testing

@testable import commerce

@Suite struct DemonstrationGatewayTests {
    /// Calls a handler without any network between.
    private struct Direct: HTTPClient {
        let handler: any HTTPHandler

        func send(_ request: HTTPRequest, timeout: Nanoseconds) async throws -> HTTPResponse {
            await handler.respond(to: request)
        }
        func receiveEvents(
            _ request: HTTPRequest, idleTimeout: Nanoseconds, receive: (ServerSentEvent) async throws -> Bool
        ) async throws {}
    }

    private final class Callbacks: Sendable {
        let paths = Mutex<[String]>([])
    }

    private func gateway(refusing percent: Int = 0) -> (HTTPPaymentGateway, DemonstrationGateway, Callbacks) {
        let callbacks = Callbacks()
        let provider = DemonstrationGateway(identifiers: RandomIdentifiers(), refusalPercent: percent) { path in
            callbacks.paths.withLock { $0.append(path) }
        }
        return (HTTPPaymentGateway(Direct(handler: provider)), provider, callbacks)
    }

    private let price = Money(minorUnits: 1_999, currency: "USD")

    @Test("The same key captures once, and each capture is notified")
    func once() async throws {
        let (gateway, provider, callbacks) = gateway()
        for _ in 1...3 {
            let outcome = try await gateway.capture(price, idempotencyKey: "k", callback: "/payments/1/callback")
            #expect(outcome == .captured(reference: "ref-k"))
        }
        let books = await provider.respond(to: HTTPRequest(.get, "/captures")).json?["items"]?.arrayValue
        #expect(books?.count == 1)
        #expect(books?.first?["amount"] == 1_999)
        #expect(callbacks.paths.withLock { $0 } == Array(repeating: "/payments/1/callback", count: 3))
    }

    @Test("A refund is given once, and a key that was never seen is unknown")
    func refund() async throws {
        let (gateway, _, _) = gateway()
        #expect(try await gateway.outcome(of: "k") == .unknownKey)
        #expect(try await gateway.refund(captureKey: "k") == .unknownKey)
        _ = try await gateway.capture(price, idempotencyKey: "k", callback: "/c")
        #expect(try await gateway.refund(captureKey: "k") == .refunded(reference: "ref-k"))
        #expect(try await gateway.outcome(of: "k") == .refunded(reference: "ref-k"))
    }

    @Test("A refused card stays refused, and has nothing to refund")
    func refused() async throws {
        let (gateway, _, _) = gateway(refusing: 100)
        for _ in 1...2 {
            let outcome = try await gateway.capture(price, idempotencyKey: "k", callback: "/c")
            #expect(outcome == .refused(reason: "card refused"))
        }
        #expect(try await gateway.refund(captureKey: "k") == .refused(reason: "card refused"))
    }

    @Test("A request that lacks something is 400 and names it", arguments: ["key", "amount", "currency", "callback"])
    func missing(field: String) async {
        let (_, provider, _) = gateway()
        let members = [
            JSONMember("key", "k"), JSONMember("amount", 1), JSONMember("currency", "USD"),
            JSONMember("callback", "/c"),
        ]
        let body = JSONValue.object(members.filter { $0.name != field })
        let answer = await provider.respond(to: HTTPRequest(.post, "/captures", body: .json(body)))
        #expect(answer.status == 400)
        #expect(answer.json?["field"] == .string(field))
    }
}
