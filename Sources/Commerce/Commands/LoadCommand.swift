import AdapterHTTP
import AdapterSystem
import Domain
import Ports
import Workloads

/// `commerce load`: the purchase log's orders at a running shop, measured and judged.
struct LoadCommand {
    private let options: LoadOptions
    private let environment: Environment
    private let host: String
    private let clock = SystemClock()
    /// How long orders may take to end after the last one was paid.
    private static let patience = Nanoseconds.seconds(180)

    init(_ arguments: [String], _ environment: Environment) throws {
        options = try LoadOptions(arguments)
        self.environment = environment
        host = try environment.text(Variables.shopHost)
    }

    #if os(Linux)
        /// Returns the exit status: 1 when an order was not taken or did not end, or a property did not hold.
        func run() async throws -> Int32 {
            let purchases = try options.purchases()
            let clients = try clients()
            let products = try await products()
            try await waitForPrices(products)
            let before = await usages(clients)
            let book = LoadBook(orderCount: options.orderCount)
            let customer = LoadCustomer(
                orders: try client(OrderService.name), payments: try client(PaymentService.name), book: book,
                products: products, run: "load-\(RandomIdentifiers().next())")
            let progress = LoadProgress(book, isShown: !options.isJSON)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await progress.run() }
                group.addTask { [self] in try await watchFeed(book) }
                try await placeOrders(customer, purchases, book)
                try await waitForEnd(book)
                group.cancelAll()
                // Both go on until they are cancelled.
                while let result = await group.nextResult() {
                    if case .failure(let error) = result, !(error is CancellationError) { throw error }
                }
            }
            progress.finish()
            let judgement = try await judge(book)
            let report = LoadReport(
                book, customerCount: options.customerCount, usages: Self.spent(before, await usages(clients)),
                judgement: judgement)
            Terminal.print(options.isJSON ? JSONLine.text(report.json) : report.text)
            return report.isGood ? 0 : 1
        }

        // MARK: The shop

        private func client(_ part: String) throws -> ReactorHTTPClient {
            let defaultPort = ShopComposition.service(named: part)?.defaultPort ?? 8_090
            let port = UInt16(try environment.integer(Variables.port(part, defaultPort), in: 1...65_535))
            return ReactorHTTPClient(HTTPAddress(host: host, port: port))
        }

        private func clients() throws -> [(name: String, client: ReactorHTTPClient)] {
            var clients: [(String, ReactorHTTPClient)] = []
            for name in ShopComposition.serviceNames { clients.append((name, try client(name))) }
            let relayPort = UInt16(try environment.integer(Variables.port("cdc", 8_091), in: 1...65_535))
            clients.append(("cdc", ReactorHTTPClient(HTTPAddress(host: host, port: relayPort))))
            return clients
        }

        private func products() async throws -> [LoadCustomer.Product] {
            let inventory = try client(InventoryService.name)
            let response: HTTPResponse
            do {
                response = try await inventory.send(
                    HTTPRequest(.get, "/items", query: [HTTPHeader("limit", "100")]), timeout: .seconds(10))
            } catch {
                throw StartupError(what: "the inventory of the shop at \(host)", problem: "\(error)")
            }
            let products = (response.json?["items"]?.arrayValue ?? []).compactMap { item -> LoadCustomer.Product? in
                guard let id = item["id"]?.stringValue, let name = item["name"]?.stringValue, let price = item["price"]
                else { return nil }
                return LoadCustomer.Product(id: id, name: name, price: price)
            }
            guard !products.isEmpty else {
                throw StartupError(
                    what: "the inventory of the shop at \(host)",
                    problem: "it has no items; start it with \(Variables.seedItems.name)=12")
            }
            return products
        }

        /// Waits until orders are taken for everything that is sold: a new item's price has to reach the order service first.
        ///
        /// Asks with a price that is wrong for certain, so that nothing is ordered: 404 while the product is not known, then 409.
        private func waitForPrices(_ products: [LoadCustomer.Product]) async throws {
            let orders = try client(OrderService.name)
            let deadline = clock.monotonicNow + .seconds(60)
            for product in products {
                let wrongPrice: JSONValue =
                    product.price == .decimal(unscaled: 1, scale: 2) ? 2 : .decimal(unscaled: 1, scale: 2)
                let body: JSONValue = [
                    "paymentMethod": "CARD",
                    "items": [["productId": .string(product.id), "price": wrongPrice, "quantity": 1]],
                ]
                while true {
                    let response = try? await orders.send(
                        HTTPRequest(.post, "/orders", body: .json(body)), timeout: .seconds(10))
                    if response?.status == 409 { break }
                    guard clock.monotonicNow < deadline else {
                        throw StartupError(
                            what: "the order service of the shop at \(host)",
                            problem:
                                "it does not know item \(product.id) after 60 s, its last answer was \(response?.status ?? 0)"
                        )
                    }
                    try await clock.sleep(for: .milliseconds(100))
                }
            }
        }

        // MARK: Orders

        /// Keeps so many customers busy until all orders are placed and paid.
        private func placeOrders(_ customer: LoadCustomer, _ purchases: [Purchase], _ book: LoadBook) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<options.orderCount {
                    if number >= options.customerCount { try await group.next() }
                    group.addTask { try await customer.visit(number, purchases[number % purchases.count]) }
                }
                try await group.waitForAll()
            }
        }

        /// Follows the shop's feed, which tells how every order ends.
        private func watchFeed(_ book: LoadBook) async throws {
            let feed = try client(NotificationService.name)
            var last = try await feedPosition(feed)
            while true {
                do {
                    let headers = [HTTPHeader("last-event-id", String(last))]
                    try await feed.receiveEvents(
                        HTTPRequest(.get, "/notifications/subscribe", headers: headers), idleTimeout: .seconds(60)
                    ) { event in
                        last = event.id.flatMap { Int64($0) } ?? last
                        if let order = event.data["orderId"]?.stringValue.flatMap({ UniqueID($0) }),
                            let status = event.data["status"]?.stringValue.flatMap({ OrderStatus(rawValue: $0) })
                        {
                            book.saw(status, ofOrder: order, stream: .feed, id: last)
                        }
                        return true
                    }
                } catch let error as HTTPError {
                    book.retried("following the feed: \(error)")
                }
                try await clock.sleep(for: .milliseconds(200))
            }
        }

        /// The feed's end as it is now: what was before this run is not looked at.
        private func feedPosition(_ feed: ReactorHTTPClient) async throws -> Int64 {
            var position: Int64 = 0
            while true {
                let query = [HTTPHeader("after", String(position)), HTTPHeader("limit", "100")]
                let response = try await feed.send(
                    HTTPRequest(.get, "/notifications", query: query), timeout: .seconds(10))
                let items = response.json?["items"]?.arrayValue ?? []
                guard let last = items.last?["id"]?.integerValue else { return position }
                position = last
            }
        }

        private func waitForEnd(_ book: LoadBook) async throws {
            let deadline = clock.monotonicNow + Self.patience
            while !book.isSettled, clock.monotonicNow < deadline { try await clock.sleep(for: .milliseconds(50)) }
        }

        // MARK: Figures

        private func usages(
            _ clients: [(name: String, client: ReactorHTTPClient)]
        ) async -> [(name: String, usage: ServiceUsage)] {
            var usages: [(String, ServiceUsage)] = []
            for (name, client) in clients {
                let response = try? await client.send(HTTPRequest(.get, "/metrics"), timeout: .seconds(5))
                if case .text(let text, _)? = response?.body, let usage = ServiceUsage(text) {
                    usages.append((name, usage))
                }
            }
            return usages
        }

        /// What was used between two looks, a process once however many services it hosts.
        private static func spent(
            _ before: [(name: String, usage: ServiceUsage)], _ after: [(name: String, usage: ServiceUsage)]
        ) -> [LoadReport.Usage] {
            var processes: [String] = []
            for entry in after where !processes.contains(entry.usage.processID) {
                processes.append(entry.usage.processID)
            }
            return processes.compactMap { process in
                let same = after.filter { $0.usage.processID == process }
                guard let last = same.last?.usage else { return nil }
                // A service that was started again meanwhile counts from its start.
                let first = before.first { $0.usage.processID == process }?.usage.processorMicroseconds ?? 0
                return LoadReport.Usage(
                    names: same.map(\.name), processorMicroseconds: last.processorMicroseconds - first,
                    peakByteCount: last.peakByteCount)
            }
        }

        private func judge(_ book: LoadBook) async throws -> LoadReport.Judgement {
            #if Production
                if try RealServers.areNamed(environment) {
                    let log = JSONLinesLog(service: "load", minimumLevel: .warning)
                    let captures = try await captures()
                    let judge = RealJudge(try RealServers(environment), log)
                    let found = try await judge.judge(book, captures: captures)
                    let verdict =
                        found.violations.isEmpty ? "every property held" : "\(found.violations.count) violations"
                    return LoadReport.Judgement(
                        violations: found.violations, slots: found.slots,
                        text: "\(found.orderCount) orders judged from databases, topics and books: \(verdict)")
                }
            #endif
            return LoadReport.Judgement(
                text: "none: the judge reads databases and topics, and \(Variables.kafkaBootstrap.name) and "
                    + "POSTGRES_URL_* are not set")
        }

        private func captures() async throws -> [JSONValue] {
            let gateway = try client("gateway")
            let response = try await gateway.send(HTTPRequest(.get, "/captures"), timeout: .seconds(30))
            return response.json?["items"]?.arrayValue ?? []
        }
    #else
        func run() async throws -> Int32 {
            throw StartupError(what: "load", problem: "this system has no HTTP client in this build; use Linux")
        }
    #endif
}
