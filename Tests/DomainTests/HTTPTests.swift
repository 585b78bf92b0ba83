import PortFakes
import Ports
import Synchronization
import Testing

@testable import Domain
@testable import Outbox

@Suite struct IdempotencyTests {
    @Test("The same key with the same body gives the same answer and acts once")
    func repeated() async throws {
        let shop = try await TestShop()
        let body = TestShop.orderBody(try await shop.stock())
        let first = await shop.post(shop.order, "/orders", body, key: "k-1")
        let second = await shop.post(shop.order, "/orders", body, key: "k-1")
        #expect(first.status == 201)
        #expect(second.status == 201)
        #expect(second.json == first.json)
        #expect(second.header("location") == first.header("location"))
        #expect(shop.orderDatabase.rows(of: OrdersTable.table).count == 1)
        let other = await shop.post(shop.order, "/orders", body, key: "k-2")
        #expect(other.json?["id"] != first.json?["id"])
    }

    @Test("The same key with another body, path or method is 422")
    func reused() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let first = await shop.post(shop.order, "/orders", TestShop.orderBody(product), key: "k")
        let orderID = first.json?["id"]?.stringValue ?? ""
        let other = await shop.post(shop.order, "/orders", TestShop.orderBody(product, quantity: 2), key: "k")
        #expect(other.status == 422)
        #expect(other.json?["field"] == "Idempotency-Key")
        #expect(await shop.post(shop.order, "/orders/\(orderID)/cancel", key: "k").status == 422)
        #expect(shop.orderDatabase.rows(of: OrdersTable.table).count == 1)
    }

    @Test("A refusal is not kept: the same key may succeed later")
    func refusalNotKept() async throws {
        let shop = try await TestShop()
        let product = shop.identifiers.next()
        let body = TestShop.orderBody(product)
        #expect(await shop.post(shop.order, "/orders", body, key: "k").status == 404)
        try await shop.inventory.stock([InventorySeed(id: product, name: "CD", unitPrice: 1_999, quantity: 1)])
        try await shop.settle()
        #expect(await shop.post(shop.order, "/orders", body, key: "k").status == 201)
    }

    @Test(
        "A key that is empty, too long or not plain text is 400",
        arguments: ["", "with space", "ü", String(repeating: "k", count: 201)])
    func badKey(key: String) async throws {
        let shop = try await TestShop()
        let body = TestShop.orderBody(try await shop.stock())
        let answer = await shop.post(shop.order, "/orders", body, key: key)
        #expect(answer.status == 400)
        #expect(answer.json?["field"] == "Idempotency-Key")
    }

    @Test("Two keys are 400: which of them counts is not guessed")
    func twoKeys() async throws {
        let shop = try await TestShop()
        let body = TestShop.orderBody(try await shop.stock())
        let headers = ["a", "b"].map { HTTPHeader("idempotency-key", $0) }
        let answer = await shop.order.handler.respond(
            to: HTTPRequest(.post, "/orders", headers: headers, body: .json(body)))
        #expect(answer.status == 400)
        #expect(answer.json?["field"] == "Idempotency-Key")
        #expect(shop.orderDatabase.rows(of: OrdersTable.table).isEmpty)
    }

    @Test("An unknown commit outcome acts once, with or without a key of the client's", arguments: ["k", nil])
    func unknownOutcome(key: String?) async throws {
        let shop = try await TestShop()
        let body = TestShop.orderBody(try await shop.stock())
        shop.orderDatabase.failNext(.afterCommit(.commitOutcomeUnknown("")))
        let first = await shop.post(shop.order, "/orders", body, key: key)
        #expect(first.status == 201)
        shop.orderDatabase.failNext(.commit(.commitOutcomeUnknown("")))
        let second = await shop.post(shop.order, "/orders", body, key: key.map { $0 + "2" })
        #expect(second.status == 201)
        let orders = shop.orderDatabase.rows(of: OrdersTable.table)
        #expect(Set(orders.map { $0.uuid(OrdersTable.id).description }).count == 2)
    }

    @Test("With the answer stored apart a lost answer makes two orders, and the property sees it")
    func planted() async throws {
        let shop = try await TestShop { $0.mistakes = .idempotencyKeyOutsideTransaction }
        let body = TestShop.orderBody(try await shop.stock())
        shop.orderDatabase.failNext(.afterCommit(.commitOutcomeUnknown("")))
        #expect(await shop.post(shop.order, "/orders", body, key: "k").status == 503)
        #expect(await shop.post(shop.order, "/orders", body, key: "k").status == 201)
        #expect(shop.orderDatabase.rows(of: OrdersTable.table).count == 2)
        #expect(shop.violations().contains { $0.property == .clientPromises })
    }

    @Test("Fingerprints of different requests differ")
    func fingerprints() {
        let bodies: [JSONValue?] = [
            nil, .null, true, false, 0, 1, .decimal(unscaled: 1, scale: 1), .decimal(unscaled: 1, scale: 2), "", "1",
            [], [1], [[1]], [1, 2], [2, 1], [:], ["a": 1], ["b": 1], ["a": 2], ["a": 1, "b": 2], "12345678",
            "123456789",
        ]
        var seen: Set<Int64> = []
        for path in ["/orders", "/orders/1"] {
            for method in [HTTPMethod.post, .put] {
                for body in bodies {
                    let request = HTTPRequest(method, path, body: body.map { .json($0) })
                    #expect(seen.insert(RequestFingerprint.of(request)).inserted)
                    #expect(RequestFingerprint.of(request) == RequestFingerprint.of(request))
                }
            }
        }
    }
}

@Suite struct PagingTests {
    @Test("Pages are newest first, and together hold each order once, also when many share an instant")
    func pages() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        var placed: [String] = []
        for count in 0..<60 {
            placed.append(await shop.place(product))
            if count % 25 == 0 { shop.clock.advance(by: .seconds(1)) }
        }
        var seen: [String] = []
        var cursor: String?
        var pageCount = 0
        repeat {
            var query = [HTTPHeader("limit", "7")]
            if let cursor { query.append(HTTPHeader("cursor", cursor)) }
            let page = await shop.get(shop.order, "/orders", query: query)
            #expect(page.status == 200)
            let items = page.json?["items"]?.arrayValue ?? []
            #expect(items.count <= 7)
            #expect(items.allSatisfy { $0["items"]?.arrayValue?.count == 1 })
            seen += items.compactMap { $0["id"]?.stringValue }
            cursor = page.json?["nextCursor"]?.stringValue
            pageCount += 1
        } while cursor != nil && pageCount < 50
        #expect(seen.count == 60)
        #expect(Set(seen) == Set(placed))
        let times = shop.orderDatabase.rows(of: OrdersTable.table)
        let timeOf = { (id: String) in
            times.first { $0.uuid(OrdersTable.id).description == id }!.timestamp(OrdersTable.createdAt)
        }
        #expect(zip(seen, seen.dropFirst()).allSatisfy { timeOf($0) >= timeOf($1) })
    }

    @Test(
        "A limit or cursor that is none is 400",
        arguments: [
            ("limit", "0"), ("limit", "-1"), ("limit", "101"), ("limit", "x"), ("limit", "99999999999999999999"),
            ("cursor", ""), ("cursor", "_"), ("cursor", "1_x"),
            ("cursor", "9223372036854775807_00000000-0000-0000-0000-000000000001"),
            ("cursor", "-9223372036854775808_00000000-0000-0000-0000-000000000001"),
        ])
    func wrong(parameter: (String, String)) async throws {
        let shop = try await TestShop()
        for (service, path) in [
            (shop.order as any ShopService, "/orders"), (shop.payment, "/payments"), (shop.shipping, "/shipments"),
            (shop.inventory, "/items"),
        ] {
            let answer = await shop.get(service, path, query: [HTTPHeader(parameter.0, parameter.1)])
            #expect(answer.status == 400)
            #expect(answer.json?["field"]?.stringValue == parameter.0)
        }
    }
}

@Suite struct WireFormatTests {
    @Test(
        "Timestamps are RFC 3339 in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (951_827_696_123_456, "2000-02-29T12:34:56.123456Z"),
            (852_114_600_000_000, "1997-01-01T10:30:00.000000Z"),
            (4_107_542_399_999_999, "2100-02-28T23:59:59.999999Z"),
            (-1, "1969-12-31T23:59:59.999999Z"), (-62_135_596_800_000_000 / 1_000, "1968-01-12T20:06:43.200000Z"),
        ])
    func timestamps(microseconds: Int64, text: String) {
        let instant = Instant(nanosecondsSinceEpoch: microseconds * 1_000)
        #expect(WireFormat.timestamp(instant) == .string(text))
    }

    @Test("Prices are read exactly or not at all")
    func prices() {
        #expect(WireFormat.minorUnits(7) == 700)
        #expect(WireFormat.minorUnits(.decimal(unscaled: 705, scale: 2)) == 705)
        #expect(WireFormat.minorUnits(.decimal(unscaled: 7, scale: 1)) == 70)
        #expect(WireFormat.minorUnits(.decimal(unscaled: 7_050, scale: 3)) == 705)
        #expect(WireFormat.minorUnits(.decimal(unscaled: 7_051, scale: 3)) == nil)
        #expect(WireFormat.minorUnits(.decimal(unscaled: .max, scale: 0)) == nil)
        #expect(WireFormat.minorUnits(.integer(.max)) == nil)
        #expect(WireFormat.minorUnits(.decimal(unscaled: 0, scale: 255)) == 0)
        #expect(WireFormat.minorUnits("7") == nil)
        #expect(WireFormat.price(705) == .decimal(unscaled: 705, scale: 2))
    }
}

/// Keeps what a stream sends, and ends it after so many events.
final class MemorySink: ServerSentEventSink {
    private let received = Mutex<[ServerSentEvent]>([])
    private let limit: Int

    init(limit: Int = .max) { self.limit = limit }

    var events: [ServerSentEvent] { received.withLock { $0 } }

    func send(_ event: ServerSentEvent) async throws {
        let count = received.withLock { received in
            received.append(event)
            return received.count
        }
        if count >= limit { throw HTTPError.connectionReset("enough") }
    }
}

@Suite struct SubscriptionTests {
    private func open(
        _ service: any ShopService, _ path: String, after lastEventID: String? = nil, query: [HTTPHeader] = []
    ) async throws -> @Sendable (any ServerSentEventSink) async throws -> Void {
        let headers = lastEventID.map { [HTTPHeader("last-event-id", $0)] } ?? []
        let response = await service.handler.respond(to: HTTPRequest(.get, path, query: query, headers: headers))
        guard case .events(let stream) = response.body else {
            throw HTTPError.status(response.status)
        }
        return stream
    }

    @Test("A finished order's stream replays every step after Last-Event-ID, once and in order, and ends")
    func replay() async throws {
        let shop = try await TestShop()
        let orderID = await shop.place(try await shop.stock())
        try await shop.settle()
        _ = await shop.post(shop.order, "/orders/\(orderID)/cancel")
        let whole = MemorySink()
        try await open(shop.order, "/orders/subscribe/" + orderID)(whole)
        #expect(whole.events.map(\.id) == ["1", "2", "3", "4"])
        #expect(
            whole.events.map { $0.data["status"] } == ["CREATED", "RESERVED", "PENDING_FOR_PAY", "CANCELLED"])
        #expect(whole.events.allSatisfy { $0.data["items"]?.arrayValue?.count == 1 })
        let rest = MemorySink()
        try await open(shop.order, "/orders/subscribe/" + orderID, after: "3")(rest)
        #expect(rest.events.map(\.id) == ["4"])
    }

    @Test("A subscriber that waits is told of each step as it is committed")
    func live() async throws {
        let shop = try await TestShop()
        let orderID = await shop.place(try await shop.stock())
        let sink = MemorySink()
        let stream = try await open(shop.order, "/orders/subscribe/" + orderID)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await stream(sink) }
            while sink.events.isEmpty { await Task.yield() }
            try await shop.settle()
            while sink.events.count < 3 { await Task.yield() }
            _ = await shop.post(shop.order, "/orders/\(orderID)/cancel")
            try await group.waitForAll()
        }
        try await shop.settle()
        #expect(sink.events.map { $0.data["status"] } == ["CREATED", "RESERVED", "PENDING_FOR_PAY", "CANCELLED"])
        let sightings = sink.events.map { event in
            OrderHistory.Sighting(
                stream: .order, subscriber: 1, id: Int64(event.id!)!,
                status: OrderStatus(rawValue: event.data["status"]!.stringValue!)!)
        }
        let violations = shop.violations { collector in
            for sighting in sightings { collector.observe(sighting, order: UniqueID(orderID)!) }
        }
        #expect(violations.filter { $0.property == .notifications } == [])
    }

    @Test("A step is never told without what it says, although the order goes on between the reads of a stream")
    func goesOnBetweenReads() async throws {
        var interrupted: InterruptedDatabase!
        let shop = try await TestShop(orderDatabase: { database in
            interrupted = InterruptedDatabase(database)
            return interrupted
        })
        let orderID = await shop.place(try await shop.stock())
        let sink = MemorySink(limit: 3)
        let stream = try await open(shop.order, "/orders/subscribe/" + orderID)
        let hasGoneOn = Mutex(false)
        // Nothing else uses it meanwhile.
        nonisolated(unsafe) let idleShop = shop
        interrupted.interruptNextReads {
            try await idleShop.settle()
            hasGoneOn.withLock { $0 = true }
        }
        await #expect(throws: HTTPError.self) { try await stream(sink) }
        #expect(hasGoneOn.withLock { $0 })
        #expect(sink.events.map { $0.data["status"] } == ["CREATED", "RESERVED", "PENDING_FOR_PAY"])
        #expect(sink.events.last?.data["paymentId"]?.stringValue == (await shop.paymentID(orderID)))
    }

    @Test("A waiting stream ends when its task is cancelled")
    func cancelled() async throws {
        let shop = try await TestShop()
        let orderID = await shop.place(try await shop.stock())
        let sink = MemorySink()
        let stream = try await open(shop.order, "/orders/subscribe/" + orderID)
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                do {
                    try await stream(sink)
                    return false
                } catch { return error is CancellationError }
            }
            while sink.events.isEmpty { await Task.yield() }
            group.cancelAll()
            #expect(await group.next() == true)
        }
    }

    @Test("The feed replays after Last-Event-ID, whole or of one order")
    func feed() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let first = await shop.place(product)
        let second = await shop.place(product)
        try await shop.settle()
        func statuses(_ after: String?, _ query: [HTTPHeader], limit: Int) async throws -> [ServerSentEvent] {
            let sink = MemorySink(limit: limit)
            let stream = try await open(shop.notification, "/notifications/subscribe", after: after, query: query)
            await #expect(throws: HTTPError.self) { try await stream(sink) }
            return sink.events
        }
        #expect(try await statuses(nil, [], limit: 6).map(\.id) == ["1", "2", "3", "4", "5", "6"])
        #expect(try await statuses("4", [], limit: 2).map(\.id) == ["5", "6"])
        let ofSecond = try await statuses(nil, [HTTPHeader("orderId", second)], limit: 3)
        #expect(ofSecond.map { $0.data["status"] } == ["CREATED", "RESERVED", "PENDING_FOR_PAY"])
        #expect(ofSecond.allSatisfy { $0.data["orderId"]?.stringValue == second })
        #expect(first != second)
        let page = await shop.get(
            shop.notification, "/notifications", query: [HTTPHeader("after", "2"), HTTPHeader("limit", "3")])
        #expect(page.json?["items"]?.arrayValue?.map { $0["id"] } == [3, 4, 5])
    }

    @Test("A Last-Event-ID that was never sent is 400, an unknown order 404")
    func wrong() async throws {
        let shop = try await TestShop()
        let orderID = await shop.place(try await shop.stock())
        for last in ["x", "-1", "", "99999999999999999999"] {
            await #expect(throws: HTTPError.status(400)) {
                _ = try await open(shop.order, "/orders/subscribe/" + orderID, after: last)
            }
            await #expect(throws: HTTPError.status(400)) {
                _ = try await open(shop.notification, "/notifications/subscribe", after: last)
            }
        }
        await #expect(throws: HTTPError.status(404)) {
            _ = try await open(shop.order, "/orders/subscribe/00000000-0000-4000-8000-000000000000")
        }
    }

    @Test("Told before the commit, a subscriber sees a step that never happened")
    func planted() async throws {
        let shop = try await TestShop { $0.mistakes = .notificationBeforeCommit }
        let orderID = await shop.place(try await shop.stock())
        let sink = MemorySink()
        let stream = try await open(shop.order, "/orders/subscribe/" + orderID)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await stream(sink) }
            while sink.events.isEmpty { await Task.yield() }
            for _ in 0..<1_000 { shop.orderDatabase.failNext(.commit(.connectionLost(""))) }
            #expect(await shop.post(shop.order, "/orders/\(orderID)/cancel").status == 503)
            try await group.waitForAll()
        }
        #expect(sink.events.last?.data["status"] == "CANCELLED")
        let last = OrderHistory.Sighting(
            stream: .order, subscriber: 1, id: Int64(sink.events.last!.id!)!, status: .cancelled)
        let violations = shop.violations { $0.observe(last, order: UniqueID(orderID)!) }
        #expect(violations.contains { $0.property == .notifications })
    }
}
