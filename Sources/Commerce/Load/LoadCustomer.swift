import AdapterSystem
import Domain
import Ports
import Workloads

/// One order of a load run: placed, followed, paid. Sends again, with the same key, what had no answer, as a good client does.
struct LoadCustomer: Sendable {
    /// Something that the shop sells.
    struct Product: Hashable, Sendable {
        let id: String
        let name: String
        let price: JSONValue
    }

    let orders: any HTTPClient
    let payments: any HTTPClient
    let book: LoadBook
    let products: [Product]
    /// Tells this run's keys from those of others.
    let run: String
    private let clock = SystemClock()

    private static let requestTimeout = Nanoseconds.seconds(10)
    private static let attemptLimit = 120

    init(
        orders: any HTTPClient, payments: any HTTPClient, book: LoadBook, products: [Product], run: String
    ) {
        self.orders = orders
        self.payments = payments
        self.book = book
        self.products = products
        self.run = run
    }

    /// Places an order and pays it. Returns when it is paid, or over.
    func visit(_ number: Int, _ purchase: Purchase) async throws {
        guard let orderID = try await place(number, purchase) else { return }
        var lastID: Int64 = 0
        var isDone = false
        while !isDone {
            do {
                try await follow(number, orderID, &lastID, &isDone)
            } catch let error as HTTPError {
                // Broken: opened again where it ended.
                book.retried("following an order: \(error)")
                try await clock.sleep(for: .milliseconds(200))
            }
        }
    }

    private func place(_ number: Int, _ purchase: Purchase) async throws -> UniqueID? {
        let key = "\(run)-\(number)"
        let request = HTTPRequest(
            .post, "/orders", headers: [HTTPHeader("idempotency-key", key)], body: .json(order(number, purchase)))
        let start = book.now
        book.change(number) { $0.postedAt = start }
        guard let response = try await attempt(orders, request) else {
            book.failed(number, "POST /orders was never answered")
            return nil
        }
        guard response.status == 201, let text = response.json?["id"]?.stringValue, let id = UniqueID(text) else {
            let detail = response.json?["detail"]?.stringValue ?? ""
            book.failed(number, "POST /orders was answered with \(response.status): \(detail)")
            return nil
        }
        book.accepted(number, id, key: key)
        return id
    }

    /// The pieces of a purchase, spread over up to three products; the same for the same number.
    private func order(_ number: Int, _ purchase: Purchase) -> JSONValue {
        var state = UInt64(number) &+ 0x9E37_79B9_7F4A_7C15
        func draw(below limit: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(limit))
        }
        var left = Int64(purchase.pieceCount)
        var chosen: [Int] = []
        var lines: [JSONValue] = []
        let lineCount = min(1 + draw(below: 3), Int(purchase.pieceCount), products.count)
        while chosen.count < lineCount {
            let product = draw(below: products.count)
            if chosen.contains(product) { continue }
            chosen.append(product)
            let quantity = chosen.count == lineCount ? left : max(1, left / Int64(lineCount))
            left -= quantity
            lines.append([
                "productId": .string(products[product].id), "name": .string(products[product].name),
                "price": products[product].price, "quantity": .integer(quantity),
            ])
        }
        return ["paymentMethod": "CARD", "items": .array(lines)]
    }

    private func follow(
        _ number: Int, _ orderID: UniqueID, _ lastID: inout Int64, _ isDone: inout Bool
    ) async throws {
        let headers = lastID > 0 ? [HTTPHeader("last-event-id", String(lastID))] : []
        var (last, done) = (lastID, isDone)
        defer { (lastID, isDone) = (last, done) }
        try await orders.receiveEvents(
            HTTPRequest(.get, "/orders/subscribe/\(orderID)", headers: headers), idleTimeout: .seconds(120)
        ) { event in
            last = event.id.flatMap { Int64($0) } ?? last
            guard let status = event.data["status"]?.stringValue.flatMap({ OrderStatus(rawValue: $0) }) else {
                return true
            }
            book.saw(status, ofOrder: orderID, stream: .order, id: last)
            if status == .pendingForPay, let paymentID = event.data["paymentId"]?.stringValue {
                try await pay(number, paymentID)
            }
            done = status == .paid || status.isTerminal
            return !done
        }
    }

    private func pay(_ number: Int, _ paymentID: String) async throws {
        let request = HTTPRequest(
            .post, "/payments/\(paymentID)/pay", headers: [HTTPHeader("idempotency-key", "\(run)-pay-\(number)")])
        let start = book.now
        book.change(number) { $0.payStartedAt = start }
        let response = try await attempt(payments, request)
        if let response, response.status == 200, let text = response.json?["status"]?.stringValue,
            let status = PaymentStatus(rawValue: text)
        {
            book.change(number) { $0.promises.append(.paid(status)) }
        }
    }

    /// Sends until there is an answer that is not a server's error; `nil` when there never was one.
    private func attempt(_ client: any HTTPClient, _ request: HTTPRequest) async throws -> HTTPResponse? {
        for attempt in 1...Self.attemptLimit {
            do {
                let response = try await client.send(request, timeout: Self.requestTimeout)
                if response.status < 500 { return response }
                book.retried("\(request.method.rawValue) \(request.path): \(response.status)")
            } catch let error as HTTPError {
                book.retried("\(request.method.rawValue) \(request.path): \(error)")
            }
            try await clock.sleep(for: .milliseconds(Int64(min(2_000, 50 << min(attempt, 6)))))
        }
        return nil
    }
}
