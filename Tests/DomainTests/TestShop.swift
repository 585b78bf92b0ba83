import PortFakes
import Ports

@testable import Domain
@testable import Outbox

/// The whole shop on ports in memory, driven step by step: every service once, a relay for each database, one gateway.
final class TestShop {
    let clock = ManualClock()
    let identifiers = CountingIdentifiers()
    let log = MemoryLog()
    let gateway = MemoryGateway()
    let eventLog: MemoryEventLog
    var settings = ShopSettings()

    let orderDatabase = MemoryDatabase(OrderService.schema)
    let paymentDatabase = MemoryDatabase(PaymentService.schema)
    let inventoryDatabase = MemoryDatabase(InventoryService.schema)
    let shippingDatabase = MemoryDatabase(ShippingService.schema)
    let notificationDatabase = MemoryDatabase(NotificationService.schema)

    private(set) var order: OrderService
    private(set) var payment: PaymentService
    private(set) var inventory: InventoryService
    private(set) var shipping: ShippingService
    private(set) var notification: NotificationService

    private var orderSession: EventConsumerLoop<OrderEventHandler>.Session
    private var paymentSession: EventConsumerLoop<PaymentEventHandler>.Session
    private var inventorySession: EventConsumerLoop<InventoryEventHandler>.Session
    private var shippingSession: EventConsumerLoop<ShippingEventHandler>.Session
    private var notificationSession: EventConsumerLoop<NotificationEventHandler>.Session
    private var relays: [(OutboxRelay, OutboxRelay.Session)] = []

    init(
        _ change: (inout ShopSettings) -> Void = { _ in },
        orderDatabase replace: (MemoryDatabase) -> any Database = { $0 }
    ) async throws {
        change(&settings)
        settings.consumerLoop.offsetCommitInterval = .zero
        let topics =
            OrderService.producedTopics + PaymentService.producedTopics + InventoryService.producedTopics
            + ShippingService.producedTopics
        let eventLog = MemoryEventLog(topics: topics)
        self.eventLog = eventLog
        let ports = { [clock, identifiers, log] (database: any Database) in
            ServicePorts(
                database: database, eventLog: eventLog, clock: clock, identifiers: identifiers, log: log)
        }
        order = OrderService(ports(replace(orderDatabase)), settings: settings)
        payment = PaymentService(ports(paymentDatabase), gateway: gateway, settings: settings)
        inventory = InventoryService(ports(inventoryDatabase), settings: settings)
        shipping = ShippingService(ports(shippingDatabase), settings: settings)
        notification = NotificationService(ports(notificationDatabase), settings: settings)
        orderSession = try await order.consumer.open()
        paymentSession = try await payment.consumer.open()
        inventorySession = try await inventory.consumer.open()
        shippingSession = try await shipping.consumer.open()
        notificationSession = try await notification.consumer.open()
        let databases = [orderDatabase, paymentDatabase, inventoryDatabase, shippingDatabase, notificationDatabase]
        for database in databases {
            var relaySettings = OutboxRelaySettings(slotName: "relay")
            relaySettings.mistakes = settings.mistakes
            let relay = OutboxRelay(settings: relaySettings, streams: database, ports: ports(database))
            let session = try await relay.open()
            if let snapshot = session.dueSnapshot { try await relay.publishSnapshot(snapshot, session.producer) }
            relays.append((relay, session))
        }
    }

    // MARK: Steps

    func relay() async throws {
        for index in relays.indices { try await relays[index].0.publishOnce(&relays[index].1) }
    }

    func consume() async throws -> Int {
        try await order.consumer.pollOnce(&orderSession) + payment.consumer.pollOnce(&paymentSession)
            + inventory.consumer.pollOnce(&inventorySession) + shipping.consumer.pollOnce(&shippingSession)
            + notification.consumer.pollOnce(&notificationSession)
    }

    /// Relays and consumes until nothing moves any more.
    func settle() async throws {
        var idleRounds = 0
        while idleRounds < 2 {
            try await relay()
            idleRounds = try await consume() == 0 ? idleRounds + 1 : 0
        }
    }

    /// Lets time pass and the background jobs run, then settles.
    func wait(_ span: Nanoseconds) async throws {
        clock.advance(by: span)
        try await payment.sweepOnce()
        try await shipping.advanceDue()
        try await settle()
    }

    // MARK: Requests

    func post(_ service: any ShopService, _ path: String, _ body: JSONValue? = nil, key: String? = nil) async
        -> HTTPResponse
    {
        await send(service, .post, path, body, key: key)
    }

    func get(_ service: any ShopService, _ path: String, query: [HTTPHeader] = []) async -> HTTPResponse {
        await service.handler.respond(to: HTTPRequest(.get, path, query: query))
    }

    func send(
        _ service: any ShopService, _ method: HTTPMethod, _ path: String, _ body: JSONValue?, key: String? = nil
    ) async -> HTTPResponse {
        await service.handler.respond(
            to: HTTPRequest(
                method, path, headers: key.map { [HTTPHeader("idempotency-key", $0)] } ?? [],
                body: body.map { .json($0) }))
    }

    /// Stocks one item and lets its price reach the order service.
    func stock(price: Int64 = 1_999, quantity: Int64 = 10) async throws -> UniqueID {
        let id = identifiers.next()
        try await inventory.stock([InventorySeed(id: id, name: "CD", unitPrice: price, quantity: quantity)])
        try await settle()
        return id
    }

    static func orderBody(
        _ product: UniqueID, quantity: Int64 = 1, price: JSONValue = .decimal(unscaled: 1_999, scale: 2),
        method: JSONValue = "CARD"
    ) -> JSONValue {
        [
            "paymentMethod": method,
            "items": [
                [
                    "productId": .string(product.description), "name": "CD", "price": price,
                    "quantity": .integer(quantity),
                ]
            ],
        ]
    }

    func place(_ product: UniqueID, quantity: Int64 = 1, method: JSONValue = "CARD") async -> String {
        let response = await post(order, "/orders", Self.orderBody(product, quantity: quantity, method: method))
        return response.json?["id"]?.stringValue ?? "refused: \(String(describing: response.json))"
    }

    func status(_ orderID: String) async -> String {
        await get(order, "/orders/" + orderID).json?["status"]?.stringValue ?? "none"
    }

    func paymentID(_ orderID: String) async -> String {
        await get(order, "/orders/" + orderID).json?["paymentId"]?.stringValue ?? "none"
    }

    func item(_ id: UniqueID) -> Row {
        inventoryDatabase.rows(of: ItemsTable.table).first { $0.uuid(ItemsTable.id) == id }!
    }

    // MARK: Judgement

    /// Everything that the properties find wrong, when nothing is left to do.
    func violations(_ tell: (inout HistoryCollector) -> Void = { _ in }) -> [Violation] {
        var judge = ShopJudge()
        for (service, transaction) in committedInOrder() {
            judge.observe(
                transaction.map { CommittedChange(service, table: $0.table, old: $0.pair.old, new: $0.pair.new) })
        }
        for topic in ["order", "payment", "inventory", "shipping"].map(AggregateType.topic) {
            for record in eventLog.records(of: topic) { judge.collector.observe(record) }
        }
        for entry in gateway.entries {
            judge.collector.observeCapture(
                key: entry.key, amount: entry.amount, isRefunded: entry.isRefunded, callback: entry.callback)
        }
        tell(&judge.collector)
        judge.finish(lags: [], backlogs: [])
        return judge.violations
    }

    /// The committed transactions of all databases, one database after the other.
    func committedInOrder() -> [(ShopServiceName, [(table: String, pair: RowPair)])] {
        let databases: [(ShopServiceName, MemoryDatabase)] = [
            (.order, orderDatabase), (.payment, paymentDatabase), (.inventory, inventoryDatabase),
            (.shipping, shippingDatabase), (.notification, notificationDatabase),
        ]
        // Each service deletes what is finished last, so that orders are not forgotten before all is told.
        let all = databases.flatMap { service, database in database.committedRows.map { (service, $0) } }
        let isArchiving = { (transaction: [(table: String, pair: RowPair)]) in
            transaction.contains { $0.pair.new == nil && $0.table != "parked_events" && $0.table != "inbox" }
        }
        return all.filter { !isArchiving($0.1) } + all.filter { isArchiving($0.1) }
    }

    func sweepJanitors() async throws {
        try await order.housekeeping.sweep()
        try await payment.housekeeping.sweep()
        try await inventory.housekeeping.sweep()
        try await shipping.housekeeping.sweep()
        try await notification.housekeeping.sweep()
    }
}
