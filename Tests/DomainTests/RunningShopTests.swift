import PortFakes
import Ports
import Testing

@testable import Domain
@testable import Outbox

@Suite struct RunningShopTests {
    @Test(
        "The services and relays, all running by themselves at once, take orders to their end", .timeLimit(.minutes(1)))
    func running() async throws {
        let topics =
            OrderService.producedTopics + PaymentService.producedTopics + InventoryService.producedTopics
            + ShippingService.producedTopics
        let eventLog = MemoryEventLog(topics: topics, waitsForRecords: true)
        let (clock, identifiers, log) = (FastClock(), CountingIdentifiers(), MemoryLog())
        var settings = ShopSettings()
        settings.paymentLifetime = .hours(10)
        settings.consumerLoop.maximumBatchTime = .hours(1)
        settings.commandTimeLimit = .hours(1)
        let schemas = [
            OrderService.schema, PaymentService.schema, InventoryService.schema, ShippingService.schema,
            NotificationService.schema,
        ]
        let ports = schemas.map { schema in
            ServicePorts(
                database: MemoryDatabase(schema, waitsForChanges: true), eventLog: eventLog, clock: clock,
                identifiers: identifiers, log: log)
        }
        let order = OrderService(ports[0], settings: settings)
        let payment = PaymentService(ports[1], gateway: MemoryGateway(), settings: settings)
        let inventory = InventoryService(ports[2], settings: settings)
        let services: [any ShopService] = [
            order, payment, inventory, ShippingService(ports[3], settings: settings),
            NotificationService(ports[4], settings: settings),
        ]
        let product = identifiers.next()
        try await inventory.stock([InventorySeed(id: product, name: "CD", unitPrice: 1_999, quantity: 100)])

        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in services { group.addTask { try await service.run() } }
            for index in ports.indices {
                let streams = ports[index].database as! MemoryDatabase
                let relay = OutboxRelay(
                    settings: OutboxRelaySettings(slotName: "relay"), streams: streams, ports: ports[index])
                group.addTask { try await relay.run() }
            }
            func get(_ path: String) async -> JSONValue? {
                await order.handler.respond(to: HTTPRequest(.get, path)).json
            }
            func wait(_ condition: (JSONValue?) -> Bool, _ path: String) async throws -> JSONValue? {
                while true {
                    let answer = await get(path)
                    if condition(answer) { return answer }
                    try await Task.sleep(nanoseconds: 1_000_000)
                }
            }
            var orderIDs: [String] = []
            while orderIDs.count < 10 {
                let request = HTTPRequest(.post, "/orders", body: .json(TestShop.orderBody(product)))
                let answer = await order.handler.respond(to: request)
                // The price has to reach the order service first.
                if let id = answer.json?["id"]?.stringValue {
                    orderIDs.append(id)
                } else {
                    try await Task.sleep(nanoseconds: 1_000_000)
                }
            }
            for orderID in orderIDs {
                let pending = try await wait({ $0?["status"] == "PENDING_FOR_PAY" }, "/orders/" + orderID)
                let path = "/payments/\(pending?["paymentId"]?.stringValue ?? "")/pay"
                #expect(await payment.handler.respond(to: HTTPRequest(.post, path)).status == 200)
            }
            for orderID in orderIDs {
                _ = try await wait({ $0?["status"] == "COMPLETED" }, "/orders/" + orderID)
            }
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result { #expect(error is CancellationError) }
            }
        }
    }

    @Test("A service whose process ends stops at once, with the reason")
    func ended() async throws {
        let shop = try await TestShop()
        for _ in 0..<10 { shop.orderDatabase.failNext(.execute(ProcessStopped(process: "order"))) }
        await #expect(throws: ProcessStopped.self) { try await shop.order.run() }
    }
}
