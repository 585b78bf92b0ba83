import PortFakes
import Ports
import Testing

@testable import Domain
@testable import Outbox

@Suite struct HostileInputTests {
    /// A body for `POST /orders`, and the status and field that its refusal names.
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let body: @Sendable (String) -> Payload?
        let status: Int
        let field: String?
        var testDescription: String { name }

        init(_ name: String, _ status: Int, _ field: String?, _ body: @escaping @Sendable (String) -> Payload?) {
            self.name = name
            self.status = status
            self.field = field
            self.body = body
        }

        /// A case whose body is right but for one line.
        init(
            line name: String, _ status: Int, _ field: String?,
            _ change: @escaping @Sendable (inout [String: JSONValue]) -> Void
        ) {
            self.init(name, status, field) { product in
                var line: [String: JSONValue] = [
                    "productId": .string(product), "name": "CD", "price": .decimal(unscaled: 1_999, scale: 2),
                    "quantity": 1,
                ]
                change(&line)
                let members = line.keys.sorted().map { JSONMember($0, line[$0]!) }
                return .json(["paymentMethod": "CARD", "items": .array([.object(members)])])
            }
        }
    }

    static let cases: [Case] = [
        Case("no body", 400, "body") { _ in nil },
        Case("bytes", 400, "body") { _ in .bytes(Array("{".utf8)) },
        Case("an array", 400, "body") { _ in .json([]) },
        Case("null", 400, "body") { _ in .json(nil) },
        Case("an empty object", 400, "paymentMethod") { _ in .json([:]) },
        Case("an unknown method", 400, "paymentMethod") { _ in .json(["paymentMethod": "GOLD", "items": []]) },
        Case("a method that is a number", 400, "paymentMethod") { _ in .json(["paymentMethod": 1, "items": []]) },
        Case("no items", 400, "items") { _ in .json(["paymentMethod": "CARD"]) },
        Case("empty items", 400, "items") { _ in .json(["paymentMethod": "CARD", "items": []]) },
        Case("items that are no array", 400, "items") { _ in .json(["paymentMethod": "CARD", "items": "x"]) },
        Case("an item that is no object", 400, "items[0]") { _ in .json(["paymentMethod": "CARD", "items": [1]]) },
        Case("too many lines", 400, "items") { product in
            let line: JSONValue = ["productId": .string(product), "quantity": 1]
            return .json(["paymentMethod": "CARD", "items": .array(Array(repeating: line, count: 101))])
        },
        Case("a body that is too large", 413, nil) { _ in
            .json(["paymentMethod": "CARD", "padding": .string(String(repeating: "x", count: 70_000))])
        },
        Case(line: "no product", 400, "items[0].productId") { $0["productId"] = nil },
        Case(line: "a product that is no id", 400, "items[0].productId") { $0["productId"] = "x' OR 1=1 --" },
        Case(line: "a product that is null", 400, "items[0].productId") { $0["productId"] = .null },
        Case(line: "an unknown product", 404, "items[0].productId") {
            $0["productId"] = "00000000-0000-4000-8000-000000000000"
        },
        Case(line: "no quantity", 400, "items[0].quantity") { $0["quantity"] = nil },
        Case(line: "quantity 0", 400, "items[0].quantity") { $0["quantity"] = 0 },
        Case(line: "a negative quantity", 400, "items[0].quantity") { $0["quantity"] = -1 },
        Case(line: "an overflowing quantity", 400, "items[0].quantity") { $0["quantity"] = .integer(.max) },
        Case(line: "a quantity with a fraction", 400, "items[0].quantity") {
            $0["quantity"] = .decimal(unscaled: 15, scale: 1)
        },
        Case(line: "a quantity that is a text", 400, "items[0].quantity") { $0["quantity"] = "1" },
        Case(line: "a negative price", 400, "items[0].price") { $0["price"] = -1 },
        Case(line: "a price with half a cent", 400, "items[0].price") {
            $0["price"] = .decimal(unscaled: 19_995, scale: 3)
        },
        Case(line: "a price that does not fit", 400, "items[0].price") { $0["price"] = .integer(.max) },
        Case(line: "a price that is a text", 400, "items[0].price") { $0["price"] = "19.99" },
        Case(line: "another price", 409, "items[0].price") { $0["price"] = .decimal(unscaled: 1, scale: 2) },
        Case(line: "a name that is too long", 400, "items[0].name") {
            $0["name"] = .string(String(repeating: "x", count: 501))
        },
        Case(line: "a name with U+0000", 400, "items[0].name") { $0["name"] = "a\0b" },
        Case(line: "a name that is a number", 400, "items[0].name") { $0["name"] = 7 },
    ]

    @Test(
        "A wrong order is refused with a problem document that names the field, and changes nothing", arguments: cases)
    func placing(wrong: Case) async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let before = shop.orderDatabase.transactions.count
        let request = HTTPRequest(.post, "/orders", body: wrong.body(product.description))
        let answer = await shop.order.handler.respond(to: request)
        #expect(answer.status == wrong.status)
        #expect(answer.header("content-type") == "application/problem+json")
        #expect(answer.json?["status"] == .integer(Int64(wrong.status)))
        #expect(answer.json?["field"]?.stringValue == wrong.field)
        #expect(shop.orderDatabase.transactions.count == before)
    }

    @Test("A price may be written with or without a fraction, as long as it is exact")
    func rightPrices() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock(price: 2_000)
        let right: [JSONValue] = [
            20, .decimal(unscaled: 20, scale: 0), .decimal(unscaled: 200, scale: 1),
            .decimal(unscaled: 2_000, scale: 2),
            .decimal(unscaled: 2_000_000, scale: 5), .null,
        ]
        for price in right {
            #expect(await shop.post(shop.order, "/orders", TestShop.orderBody(product, price: price)).status == 201)
        }
    }

    @Test("A total that does not fit is refused")
    func totalOverflow() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock(price: .max / 3)
        let body = TestShop.orderBody(product, quantity: 4, price: .null)
        let answer = await shop.post(shop.order, "/orders", body)
        #expect(answer.status == 400)
        #expect(answer.json?["field"] == "items[0].quantity")
        let two = await shop.post(shop.order, "/orders", TestShop.orderBody(product, quantity: 2, price: .null))
        let orderID = try #require(two.json?["id"]?.stringValue)
        let added = await shop.post(
            shop.order, "/orders/\(orderID)/items", ["productId": .string(product.description), "quantity": 2])
        #expect(added.status == 400)
    }

    @Test("Unknown ids, paths and methods are 404, on every service")
    func unknown() async throws {
        let shop = try await TestShop()
        let none = "00000000-0000-4000-8000-000000000000"
        for id in [none, "x", String(repeating: "9", count: 5_000), "%00", "..", "1;drop table orders"] {
            let requests: [(any ShopService, HTTPMethod, String, JSONValue?)] = [
                (shop.order, .get, "/orders/\(id)", nil), (shop.order, .post, "/orders/\(id)/cancel", nil),
                (shop.order, .get, "/orders/subscribe/\(id)", nil),
                (shop.order, .put, "/orders/\(id)/items/1", ["quantity": 1]),
                (shop.order, .post, "/orders/\(id)/items", ["productId": .string(none), "quantity": 1]),
                (shop.payment, .get, "/payments/\(id)", nil), (shop.payment, .post, "/payments/\(id)/pay", nil),
                (shop.payment, .post, "/payments/\(id)/callback", nil), (shop.inventory, .get, "/items/\(id)", nil),
                (shop.inventory, .post, "/items/\(id)/restock", ["quantity": 1]),
                (shop.inventory, .put, "/items/\(id)", ["price": 1]), (shop.shipping, .get, "/shipments/\(id)", nil),
            ]
            for (service, method, path, body) in requests {
                let answer = await shop.send(service, method, path, body)
                #expect(answer.status == 404, "\(method) \(path.prefix(80))")
            }
        }
        let services: [any ShopService] = [shop.order, shop.payment, shop.inventory, shop.shipping, shop.notification]
        for service in services {
            for path in ["", "/", "//", "/nothing", "/orders/1/2/3/4/5", "/health"] {
                for method in HTTPMethod.allCases {
                    #expect(await shop.send(service, method, path, nil).status == 404, "\(method) \(path)")
                }
            }
        }
        let order = await shop.place(try await shop.stock())
        #expect(await shop.send(shop.order, .put, "/orders/\(order)/items/9", ["quantity": 1]).status == 404)
        #expect(await shop.send(shop.order, .put, "/orders/\(order)/items/x", ["quantity": 1]).status == 404)
        #expect(await shop.send(shop.order, .delete, "/orders/\(order)", nil).status == 405)
    }

    @Test("A quantity without a fraction is a whole number however it is written")
    func wholeQuantity() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let line: JSONValue = [
            "productId": .string(product.description), "quantity": .decimal(unscaled: 200, scale: 2),
        ]
        let answer = await shop.post(shop.order, "/orders", ["paymentMethod": "CARD", "items": [line]])
        #expect(answer.status == 201)
        #expect(answer.json?["totalItems"] == 2)
    }

    @Test("Restocking and pricing take only what makes sense")
    func inventory() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock(quantity: 5)
        for quantity in [0, -1, 1_000_000_001, .string("1"), .decimal(unscaled: 1, scale: 1), .null] as [JSONValue] {
            #expect(await shop.post(shop.inventory, "/items/\(product)/restock", ["quantity": quantity]).status == 400)
        }
        for price in [-1, .string("1"), .decimal(unscaled: 1, scale: 3), .null] as [JSONValue] {
            #expect(await shop.send(shop.inventory, .put, "/items/\(product)", ["price": price]).status == 400)
        }
        #expect(shop.item(product).int64(ItemsTable.available) == 5)
        #expect(await shop.post(shop.inventory, "/items/\(product)/restock", ["quantity": 7]).json?["quantity"] == 12)
        #expect(shop.item(product).int64(ItemsTable.stocked) == 12)
        let created = await shop.post(shop.inventory, "/items", ["name": "Book", "price": 5, "quantity": 2])
        #expect(created.status == 201)
        #expect(await shop.get(shop.inventory, created.header("location") ?? "").json?["name"] == "Book")
        #expect(await shop.post(shop.inventory, "/items", ["name": "Book"]).status == 400)
        #expect(await shop.post(shop.inventory, "/items", ["price": 5]).status == 400)
    }

    @Test("A database that does not answer is 503 with Retry-After, and nothing is half done")
    func unavailable() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        for _ in 0..<1_000 { shop.orderDatabase.failNext(.execute(DatabaseError.connectionLost("down"))) }
        let answer = await shop.post(shop.order, "/orders", TestShop.orderBody(product))
        #expect(answer.status == 503)
        #expect(answer.header("retry-after") == "1")
        #expect(shop.orderDatabase.rows(of: OrdersTable.table).isEmpty)
    }

    @Test("Events that lie about amounts, lines or methods are dead-lettered, not applied")
    func poisonEvents() async throws {
        let shop = try await TestShop()
        _ = try await shop.stock()
        let poison: [(ShopEventType, JSONValue)] = [
            (.orderPlaced, [:]), (.orderPlaced, ["revision": 1, "lines": []]),
            (.orderPlaced, ["revision": 1, "lines": [["productId": "x", "quantity": 1, "unitPrice": 1]]]),
            (.orderPlaced, ["revision": 1, "lines": [["productId": "x", "quantity": -1, "unitPrice": 1]]]),
            (.paymentRequested, ["amount": -5, "currency": "USD", "paymentMethod": "CARD"]),
            (.paymentRequested, ["amount": 5, "currency": "USD", "paymentMethod": "GOLD"]),
            (.paymentRequested, ["amount": "5", "currency": "USD", "paymentMethod": "CARD"]),
        ]
        for (type, payload) in poison {
            let id = shop.identifiers.next()
            let event = OutboundEvent(
                id: shop.identifiers.next(), aggregateType: "order", aggregateID: id.description, type: type.rawValue,
                occurredAt: shop.clock.now, aggregateVersion: 1, payload: payload)
            var router = OutboxRouter()
            shop.eventLog.append(
                router.record(Row(event.row(causedBy: EventCause(causationID: "", correlationID: "")))))
        }
        try await shop.settle()
        #expect(shop.inventoryDatabase.rows(of: ParkedEventsTable.table).count == 4)
        #expect(shop.paymentDatabase.rows(of: ParkedEventsTable.table).count == 3)
        #expect(shop.inventoryDatabase.rows(of: ReservationsTable.table).isEmpty)
        #expect(shop.paymentDatabase.rows(of: PaymentsTable.table).isEmpty)
        #expect(shop.eventLog.records(of: "outbox.event.order.dlq").count == 7)
        let orderID = await shop.place(try await shop.stock())
        try await shop.settle()
        #expect(await shop.status(orderID) == "PENDING_FOR_PAY")
    }
}
