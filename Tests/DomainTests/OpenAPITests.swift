import PortFakes
import Ports
import Testing

@testable import Domain
@testable import Outbox

/// The descriptions of the HTTP interfaces, held against the handlers that they describe.
@Suite struct OpenAPITests {
    private func handlers(_ shop: TestShop) -> [(name: String, handler: any HTTPHandler, operations: [HTTPOperation])] {
        [
            ("order", shop.order.handler, OrderService.operations),
            ("payment", shop.payment.handler, PaymentService.operations),
            ("inventory", shop.inventory.handler, InventoryService.operations),
            ("shipping", shop.shipping.handler, ShippingService.operations),
            ("notification", shop.notification.handler, NotificationService.operations),
        ]
    }

    private func path(_ operation: HTTPOperation, id: UniqueID) -> String {
        operation.path.split(separator: "/").map { segment in
            segment == "{itemId}" ? "/7" : segment.hasPrefix("{") ? "/\(id)" : "/" + segment
        }.joined()
    }

    @Test("Every operation that is described is routed, and answers what it says it may")
    func describedIsRouted() async throws {
        let shop = try await TestShop()
        let bodies: [Payload?] = [nil, .json([:]), .json([]), .json(["items": 1, "quantity": -1, "price": "x"])]
        for (name, handler, operations) in handlers(shop) {
            for operation in operations {
                for body in bodies {
                    let request = HTTPRequest(
                        operation.method, path(operation, id: shop.identifiers.next()), body: body)
                    let answer = await handler.respond(to: request)
                    let statuses = operation.answers.map(\.status)
                    #expect(statuses.contains(answer.status), "\(name) \(operation.name): \(answer)")
                    let detail = answer.json?["detail"]?.stringValue ?? ""
                    #expect(!detail.hasSuffix(" here"), "\(name) \(operation.name) is not routed: \(detail)")
                }
            }
        }
    }

    @Test("What is routed is described: another path is 404, another method 405 with those that the path takes")
    func routedIsDescribed() async throws {
        let shop = try await TestShop()
        let id = shop.identifiers.next()
        for (name, handler, operations) in handlers(shop) {
            let described = Set(operations.map { path($0, id: id) })
            let more = ["pay", "cancel", "items", "callback", "restock", "subscribe", "items/7"]
            let roots = Set(operations.map { "/" + ($0.path.split(separator: "/").first ?? "") })
            let paths = described.union(roots).union(roots.flatMap { root in more.map { "\(root)/\(id)/\($0)" } })
            for path in paths.sorted() {
                for method in HTTPMethod.allCases
                where !operations.contains(where: { $0.matches(method, path) }) {
                    let answer = await handler.respond(to: HTTPRequest(method, path, body: .json([:])))
                    let allowed = operations.filter { $0.matches($0.method, path) }.map(\.method.rawValue)
                    #expect(answer.status == (allowed.isEmpty ? 404 : 405), "\(name): \(method) \(path): \(answer)")
                    let allow = answer.header("allow")
                    #expect(allow == (allowed.isEmpty ? nil : allowed.joined(separator: ", ")))
                    let detail = answer.json?["detail"]?.stringValue ?? ""
                    #expect(detail.hasSuffix(" here") || !allowed.isEmpty, "\(name): \(method) \(path): \(answer)")
                }
            }
        }
    }

    @Test("An order, a payment, an item, a shipment and a notification have exactly the members that are described")
    func members() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let order = await shop.post(shop.order, "/orders", TestShop.orderBody(product))
        try await shop.settle()
        func member(_ schema: String) -> [String] {
            let found = SchemaText.all.first { $0.name == schema }?.schema
            guard case .object(let members)? = found?["properties"] else { return [] }
            return members.map(\.name)
        }
        func names(_ value: JSONValue?) -> [String] {
            guard case .object(let members)? = value else { return [] }
            return members.map(\.name)
        }
        #expect(names(order.json) == member("Order"))
        #expect(names(order.json?["items"]?.arrayValue?.first) == member("OrderLine"))
        let payments = await shop.payment.handler.respond(to: HTTPRequest(.get, "/payments")).json
        #expect(names(payments?["items"]?.arrayValue?.first) == member("Payment"))
        let items = await shop.inventory.handler.respond(to: HTTPRequest(.get, "/items")).json
        #expect(names(items?["items"]?.arrayValue?.first) == member("Item"))
        let feed = await shop.notification.handler.respond(to: HTTPRequest(.get, "/notifications")).json
        #expect(names(feed?["items"]?.arrayValue?.first) == member("Notification"))
        #expect(
            names(await shop.order.handler.respond(to: HTTPRequest(.get, "/x")).json) == [
                "type", "title", "status", "detail",
            ])
    }

    @Test("The document is OpenAPI 3.1, its references lead somewhere and nothing in it is unused")
    func document() async throws {
        let shop = try await TestShop()
        for (name, _, operations) in handlers(shop) {
            let document = OpenAPIDocument.document(of: name, operations)
            #expect(document["openapi"] == "3.1.0")
            guard case .object(let schemas)? = document["components"]?["schemas"],
                case .object(let paths)? = document["paths"]
            else {
                Issue.record("\(name) has no schemas or paths")
                continue
            }
            let references = Set(Self.references(in: document))
            #expect(references == Set(schemas.map { "#/components/schemas/" + $0.name }), "\(name)")
            #expect(paths.count == Set(operations.map(\.path)).count)
            #expect(Set(operations.map(\.name)).count == operations.count)
        }
    }

    private static func references(in value: JSONValue) -> [String] {
        switch value {
        case .object(let members):
            members.flatMap { $0.name == "$ref" ? [$0.value.stringValue ?? ""] : references(in: $0.value) }
        case .array(let values): values.flatMap { references(in: $0) }
        default: []
        }
    }
}
