public import Outbox
public import Ports

/// The inventory: holds stock for orders, and knows the prices that count.
public struct InventoryService: ShopService {
    public static let name = "inventory"
    public static let defaultPort = 8084
    public static let schema = Schema(
        name: name, version: 2,
        tables: [ItemsTable.table, RestocksTable.table, ReservationsTable.table, IdempotencyTable.table]
            + OutboxSchema.tables)
    public static let producedTopics = AggregateType.topics(AggregateType.inventory)
    public static let consumedTopics = [AggregateType.topic(AggregateType.order)]

    private let ports: ServicePorts
    private let settings: ShopSettings
    let consumer: EventConsumerLoop<InventoryEventHandler>
    let housekeeping: Housekeeping
    public let handler: any HTTPHandler

    public init(_ ports: ServicePorts, settings: ShopSettings = ShopSettings()) {
        self.ports = ports
        self.settings = settings
        handler = InventoryHTTP(ports: ports, settings: settings, runner: CommandRunner(ports, settings))
        consumer = EventConsumerLoop(
            InventoryEventHandler(ports: ports, settings: settings),
            settings: settings.consumerLoop(Self.name, topics: Self.consumedTopics), ports: ports)
        housekeeping = Housekeeping(
            ports, settings,
            archive: Archive(
                ReservationsTable.table, id: ReservationsTable.orderID, finishedAt: ReservationsTable.finishedAt))
    }

    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await consumer.run() }
            group.addTask { try await housekeeping.run(Self.name) }
            try await group.next()
            group.cancelAll()
        }
    }

    public func replayParked(aggregateID: String) async throws -> Int {
        try await consumer.replayParked(aggregateID: aggregateID)
    }

    /// Puts items into the shop, with their prices announced, in one transaction; what exists is left alone.
    ///
    /// - Throws: ``DatabaseError``.
    public func stock(_ seeds: [InventorySeed]) async throws {
        try await TransactionRunner(ports).run(within: settings.commandTimeLimit) { session in
            let existing = try await session.execute(ItemsTable.keyed.selectForUpdate(seeds.map(\.id))).rows
            let existingIDs = Set(existing.map { $0.uuid(ItemsTable.id) })
            var work = UnitOfWork(now: ports.clock.now)
            let cause = EventCause(causationID: "stock", correlationID: "")
            for seed in seeds where !existingIDs.contains(seed.id) {
                seed.write(into: &work, identifiers: ports.identifiers, settings: settings, causedBy: cause)
            }
            try await work.commit(on: session)
        }
    }
}
