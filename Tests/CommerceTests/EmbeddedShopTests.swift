import AdapterSystem
import Domain
import Ports
import Synchronization
import Testing

@testable import commerce

/// The whole shop on simulated parts in real time, from outside.
@Suite(.timeLimit(.minutes(1))) struct EmbeddedShopTests {
    /// Runs a shop on a thread of its own while `body` uses it.
    private func withShop(_ body: @Sendable (EmbeddedShop) async throws -> Void) async throws {
        var settings = ShopSettings()
        settings.dispatchDelay = .milliseconds(20)
        settings.deliveryDelay = .milliseconds(20)
        settings.shippingSweepInterval = .milliseconds(50)
        let shop = EmbeddedShop(
            settings, catalogue: DemonstrationCatalogue.items(count: 3, stock: 100), refusalPercent: 0,
            minimumLogLevel: .error
        ) { _, _, _, _ in
        }
        let hasOpened = EndOfAll()
        let problems = Mutex<[String]?>(nil)
        let hasEnded = EndOfAll()
        DedicatedThread.start("shop") {
            let found = shop.run { hasOpened.set() }
            problems.withLock { $0 = found }
            hasOpened.set()
            hasEnded.set()
        }
        await hasOpened.wait()
        do { try await body(shop) } catch {
            shop.end()
            await hasEnded.wait()
            throw error
        }
        shop.end()
        await hasEnded.wait()
        #expect(problems.withLock { $0 } == [])
        let after = await shop.handler(of: "order").respond(to: HTTPRequest(.get, "/orders"))
        #expect(after.status == 503, "a shop that has ended answers \(after)")
    }

    private final class Statuses: ServerSentEventSink {
        let seen = Mutex<[String]>([])
        func send(_ event: ServerSentEvent) async throws {
            seen.withLock { $0.append(event.data["status"]?.stringValue ?? "") }
        }
    }

    @Test("An order goes from POST to COMPLETED, and its stream shows every step")
    func order() async throws {
        try await withShop { shop in
            let orders = shop.handler(of: "order")
            let items = await shop.handler(of: "inventory").respond(to: HTTPRequest(.get, "/items")).json
            let item = try #require(items?["items"]?.arrayValue?.first)
            let body: JSONValue = [
                "paymentMethod": "CARD",
                "items": [["productId": item["id"] ?? nil, "price": item["price"] ?? nil, "quantity": 2]],
            ]
            let placed = await orders.respond(to: HTTPRequest(.post, "/orders", body: .json(body)))
            #expect(placed.status == 201, "\(placed)")
            let id = try #require(placed.json?["id"]?.stringValue)
            let created = try #require(placed.json?["createdAt"]?.stringValue)
            #expect(created.prefix(4) >= "2024", "the time of day is \(created)")
            let response = await orders.respond(to: HTTPRequest(.get, "/orders/subscribe/\(id)"))
            guard case .events(let write) = response.body else {
                Issue.record("no stream: \(response)")
                return
            }
            let statuses = Statuses()
            async let following: Void = write(statuses)
            var paymentID: String?
            for _ in 1...2_000 where paymentID == nil {
                let order = await orders.respond(to: HTTPRequest(.get, "/orders/\(id)")).json
                #expect(order?["createdAt"]?.stringValue == created, "the time is not what was answered")
                if order?["status"] == "PENDING_FOR_PAY" { paymentID = order?["paymentId"]?.stringValue }
                try await Task.sleep(for: .milliseconds(5))
            }
            let path = "/payments/\(try #require(paymentID))/pay"
            let paid = await shop.handler(of: "payment").respond(to: HTTPRequest(.post, path))
            #expect(paid.json?["status"] == "SUCCESS", "\(paid)")
            try await following
            #expect(statuses.seen.withLock { $0 } == ["CREATED", "RESERVED", "PENDING_FOR_PAY", "PAID", "COMPLETED"])
        }
    }

    @Test("A stream whose client is gone ends inside as well")
    func clientGone() async throws {
        try await withShop { shop in
            let response = await shop.handler(of: "notification").respond(
                to: HTTPRequest(.get, "/notifications/subscribe"))
            guard case .events(let write) = response.body else {
                Issue.record("no stream: \(response)")
                return
            }
            let task = Task { try await write(Statuses()) }
            try await Task.sleep(for: .milliseconds(20))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            // The shop ends in good order afterwards, which it would not with a task that waits for ever.
        }
    }
}
