public import Outbox
public import Ports

/// The order service: takes orders, and leads each through the saga by the events of the others.
public struct OrderService: ShopService {
    public static let name = "order"
    public static let defaultPort = 8086
    public static let schema = Schema(
        name: name, version: 2,
        tables: [
            OrdersTable.table, OrderItemsTable.table, OrderStepsTable.table, ItemPricesTable.table,
            IdempotencyTable.table,
        ] + OutboxSchema.tables)
    public static let producedTopics = AggregateType.topics(AggregateType.order)
    public static let consumedTopics = [
        AggregateType.topic(AggregateType.inventory), AggregateType.topic(AggregateType.payment),
        AggregateType.topic(AggregateType.shipping),
    ]

    private let ports: ServicePorts
    private let settings: ShopSettings
    let consumer: EventConsumerLoop<OrderEventHandler>
    private let subscribers: SubscriberHub<OrderChange>
    let housekeeping: Housekeeping
    public let handler: any HTTPHandler

    public init(_ ports: ServicePorts, settings: ShopSettings = ShopSettings()) {
        self.ports = ports
        self.settings = settings
        subscribers = SubscriberHub()
        let runner = CommandRunner(ports, settings)
        let commands = OrderCommands(ports: ports, settings: settings, runner: runner, subscribers: subscribers)
        handler = OrderHTTP(ports: ports, settings: settings, commands: commands, subscribers: subscribers)
        consumer = EventConsumerLoop(
            OrderEventHandler(ports: ports, settings: settings, subscribers: subscribers),
            settings: settings.consumerLoop(Self.name, topics: Self.consumedTopics), ports: ports)
        housekeeping = Housekeeping(
            ports, settings,
            archive: Archive(
                OrdersTable.table, id: OrdersTable.id, finishedAt: OrdersTable.finishedAt,
                dependents: [
                    (OrderItemsTable.table, OrderItemsTable.orderID), (OrderStepsTable.table, OrderStepsTable.orderID),
                ]))
    }

    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await consumer.run() }
            group.addTask { try await housekeeping.run(Self.name) }
            group.addTask {
                try await runPeriodically(
                    "order subscribers", every: settings.subscriberCheckInterval, ports, job: wakeSubscribers)
            }
            try await group.next()
            group.cancelAll()
        }
    }

    public func replayParked(aggregateID: String) async throws -> Int {
        try await consumer.replayParked(aggregateID: aggregateID)
    }

    /// Lets streams know of steps that another instance wrote.
    private func wakeSubscribers() async throws {
        let watched = subscribers.watchedKeys
        if watched.isEmpty { return }
        for order in try await ports.database.executeAtomically([OrdersTable.keyed.select(watched)])[0].rows {
            subscribers.wake(order.uuid(OrdersTable.id), unlessSeen: order.int64(OrdersTable.version))
        }
    }
}
