import Domain
import Ports
import SimCore

/// One customer with one order: browses, orders, follows it, pays (or not), cancels (or not), and sees it end.
///
/// Retries what had no answer with the same idempotency key, as a good client does, and writes down what it was told.
struct Customer {
    let context: ProcessContext
    let orders: any HTTPClient
    let payments: any HTTPClient
    let items: any HTTPClient
    let memory: ClientMemory
    let observer: ShopObserver
    let number: Int
    let plan: CustomerPlan

    private static let requestTimeout = Nanoseconds.seconds(6)
    private static let attemptLimit = 60

    /// The order as the customer last saw it.
    private struct Seen {
        var status = ""
        var paymentID: String?
        var version: Int64 = 0

        var isTerminal: Bool { status == "COMPLETED" || status == "CANCELLED" || status == "FAILED" }
        var isPayable: Bool { status == "PENDING_FOR_PAY" && paymentID != nil }
    }

    /// Runs the whole visit.
    ///
    /// - Throws: `ProcessStopped` only.
    func run() async throws {
        if plan.browses { _ = try await attempt(items, HTTPRequest(.get, "/items"), limit: 1) }
        guard let orderID = try await place() else { return }
        var seen = Seen()
        if plan.cancellation == .atOnce { try await cancel(orderID) }
        try await follow(orderID, &seen) { $0.isTerminal || $0.isPayable }
        if plan.cancellation == .beforePaying { try await cancel(orderID) }
        if seen.isPayable, let paymentID = seen.paymentID { try await pay(paymentID, of: orderID) }
        if plan.cancellation == .afterPaying { try await cancel(orderID) }
        try await follow(orderID, &seen) { $0.isTerminal }
        memory.openOrders.remove(orderID)
        memory.finishedCount += 1
        memory.outcomes[seen.status, default: 0] += 1
    }

    // MARK: Requests

    private func place() async throws -> UniqueID? {
        let key = "order-\(number)"
        memory.placedCount += 1
        let body: JSONValue = [
            "paymentMethod": plan.paysCash ? "CASH" : "CARD",
            "items": .array(
                plan.lines.map { line in
                    [
                        "productId": .string(line.product.id.description), "name": .string(line.product.name),
                        "price": .decimal(unscaled: line.product.unitPrice, scale: 2),
                        "quantity": .integer(line.quantity),
                    ]
                }),
        ]
        let request = HTTPRequest(
            .post, "/orders", headers: [HTTPHeader("idempotency-key", key)], body: .json(body))
        guard let response = try await attempt(orders, request, limit: Self.attemptLimit) else {
            memory.unansweredCount += 1
            return nil
        }
        guard response.status == 201, let text = response.json?["id"]?.stringValue, let id = UniqueID(text) else {
            memory.rejectedCount += 1
            return nil
        }
        memory.acknowledgedCount += 1
        memory.openOrders.insert(id)
        observer.observe(.placed(key: key), order: id)
        return id
    }

    private func cancel(_ orderID: UniqueID) async throws {
        let request = HTTPRequest(
            .post, "/orders/\(orderID)/cancel", headers: [HTTPHeader("idempotency-key", "cancel-\(number)")])
        let response = try await attempt(orders, request, limit: 5)
        if let response, response.status < 300, let text = response.json?["status"]?.stringValue,
            let status = OrderStatus(rawValue: text)
        {
            observer.observe(.cancelled(status), order: orderID)
        }
    }

    private func pay(_ paymentID: String, of orderID: UniqueID) async throws {
        switch plan.payment {
        case .never: return
        case .prompt:
            try await context.sleep(for: plan.hesitation)
            try await pay(paymentID, of: orderID, key: "pay-\(number)")
        case .twice:
            try await context.sleep(for: plan.hesitation)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pay(paymentID, of: orderID, key: "pay-\(number)-a") }
                group.addTask { try await pay(paymentID, of: orderID, key: "pay-\(number)-b") }
                try await group.waitForAll()
            }
        case .lastMoment:
            guard let left = try await timeLeft(for: paymentID) else { return }
            // Where the request meets the sweep: while it travels, or while the gateway thinks.
            try await context.sleep(for: left - plan.hesitation / 50)
            try await pay(paymentID, of: orderID, key: "pay-\(number)")
        case .late:
            // Past the deadline, often before the sweeper has come by.
            try await context.sleep(for: .seconds(61) + plan.hesitation * 20)
            try await pay(paymentID, of: orderID, key: "pay-\(number)")
        }
    }

    /// How long the payment may still be paid, as the shop says; `nil` when it does not say, or no longer.
    private func timeLeft(for paymentID: String) async throws -> Nanoseconds? {
        guard let response = try await attempt(payments, HTTPRequest(.get, "/payments/\(paymentID)"), limit: 10),
            let text = response.json?["expiredAt"]?.stringValue, let timeOfDay = Self.timeOfDay(text)
        else { return nil }
        let left = (timeOfDay - context.clock.now.nanosecondsSinceEpoch % Self.day + Self.day) % Self.day
        return left > Self.day / 2 ? nil : Nanoseconds(left)
    }

    private static let day = Nanoseconds.hours(24).rawValue

    /// Reads the time from `1970-01-01T10:30:00.000000Z`, in nanoseconds.
    private static func timeOfDay(_ text: String) -> Int64? {
        guard let time = text.split(separator: "T").last?.dropLast() else { return nil }
        let parts = time.split { $0 == ":" || $0 == "." }.compactMap { Int64($0) }
        guard parts.count == 4 else { return nil }
        return ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1_000_000_000 + parts[3] * 1_000
    }

    private func pay(_ paymentID: String, of orderID: UniqueID, key: String) async throws {
        let request = HTTPRequest(.post, "/payments/\(paymentID)/pay", headers: [HTTPHeader("idempotency-key", key)])
        let response = try await attempt(payments, request, limit: 10)
        if let response, response.status == 200, let text = response.json?["status"]?.stringValue,
            let status = PaymentStatus(rawValue: text)
        {
            observer.observe(.paid(status), order: orderID)
        }
    }

    /// Sends a request until it has an answer that is not a server's error; `nil` when it never had one.
    private func attempt(_ client: any HTTPClient, _ request: HTTPRequest, limit: Int) async throws -> HTTPResponse? {
        for attempt in 1...limit {
            do {
                let response = try await client.send(request, timeout: Self.requestTimeout)
                if response.status < 500 { return response }
            } catch is HTTPError {
                // No answer: what the request did is unknown, so it is sent again with the same key.
            }
            try await context.sleep(for: .milliseconds(Int64(min(2_000, 50 << min(attempt, 6)))))
        }
        return nil
    }

    // MARK: Following the order

    private func follow(_ orderID: UniqueID, _ seen: inout Seen, until isEnough: (Seen) -> Bool) async throws {
        while !isEnough(seen) {
            if plan.subscribes {
                try await subscribe(orderID, &seen, until: isEnough)
            } else {
                try await ask(orderID, &seen)
            }
            if !isEnough(seen) { try await context.sleep(for: .milliseconds(500)) }
        }
    }

    private func ask(_ orderID: UniqueID, _ seen: inout Seen) async throws {
        guard let response = try await attempt(orders, HTTPRequest(.get, "/orders/\(orderID)"), limit: 1),
            response.status == 200, let order = response.json
        else { return }
        note(order, &seen)
    }

    private func subscribe(_ orderID: UniqueID, _ seen: inout Seen, until isEnough: (Seen) -> Bool) async throws {
        var headers: [HTTPHeader] = []
        if seen.version > 0 { headers.append(HTTPHeader("last-event-id", String(seen.version))) }
        var current = seen
        defer { seen = current }
        do {
            try await orders.receiveEvents(
                HTTPRequest(.get, "/orders/subscribe/\(orderID)", headers: headers), idleTimeout: .seconds(30)
            ) { event in
                let version = event.id.flatMap { Int64($0) } ?? 0
                current.version = version
                note(event.data, &current)
                if let status = OrderStatus(rawValue: current.status) {
                    observer.observe(
                        OrderHistory.Sighting(stream: .order, subscriber: number, id: version, status: status),
                        order: orderID)
                }
                return !isEnough(current)
            }
        } catch is HTTPError {
            // Broken or idle: the stream is opened again where it ended.
        }
    }

    private func note(_ order: JSONValue, _ seen: inout Seen) {
        if let status = order["status"]?.stringValue { seen.status = status }
        if let paymentID = order["paymentId"]?.stringValue { seen.paymentID = paymentID }
    }
}
