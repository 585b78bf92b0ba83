public import Outbox
public import Ports

/// Shipping: sends the goods of paid orders on their way. How far they are follows durable due times.
public struct ShippingService: ShopService {
    public static let name = "shipping"
    public static let defaultPort = 8087
    public static let schema = Schema(
        name: name, version: 2,
        tables: [
            ShipmentsTable.table, IdempotencyTable.table,
        ] + OutboxSchema.tables)
    public static let producedTopics = AggregateType.topics(AggregateType.shipping)
    public static let consumedTopics = [AggregateType.topic(AggregateType.order)]

    private let ports: ServicePorts
    private let settings: ShopSettings
    let consumer: EventConsumerLoop<ShippingEventHandler>
    let housekeeping: Housekeeping
    public let handler: any HTTPHandler

    public init(_ ports: ServicePorts, settings: ShopSettings = ShopSettings()) {
        self.ports = ports
        self.settings = settings
        handler = ShippingHTTP(ports: ports, settings: settings, runner: CommandRunner(ports, settings))
        consumer = EventConsumerLoop(
            ShippingEventHandler(ports: ports, settings: settings),
            settings: settings.consumerLoop(Self.name, topics: Self.consumedTopics), ports: ports)
        housekeeping = Housekeeping(
            ports, settings,
            archive: Archive(
                ShipmentsTable.table, id: ShipmentsTable.orderID, finishedAt: ShipmentsTable.finishedAt))
    }

    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await consumer.run() }
            group.addTask { try await housekeeping.run(Self.name) }
            group.addTask {
                try await runPeriodically(
                    "shipping progress", every: settings.shippingSweepInterval, ports, job: advanceDue)
            }
            try await group.next()
            group.cancelAll()
        }
    }

    public func replayParked(aggregateID: String) async throws -> Int {
        try await consumer.replayParked(aggregateID: aggregateID)
    }

    /// Takes the shipments that are due one step further.
    func advanceDue() async throws {
        let runner = TransactionRunner(ports)
        while true {
            let count = try await runner.run(within: settings.commandTimeLimit, advanceBatch)
            if count < settings.sweepBatchRowCount { return }
        }
    }

    private func advanceBatch(in session: any DatabaseSession) async throws -> Int {
        typealias Shipments = ShipmentsTable
        var work = UnitOfWork(now: ports.clock.now)
        let due = try await session.execute(
            .select(
                Select(
                    from: Shipments.table, where: [Shipments.dueAt <= .timestamp(work.now)],
                    orderedBy: [.ascending(Shipments.dueAt)], limit: settings.sweepBatchRowCount,
                    lock: .forUpdateSkipLocked))
        ).rows
        if due.isEmpty { return 0 }
        var shipments = LockedRows(Shipments.keyed, due)
        let writer = ShipmentWriter(identifiers: ports.identifiers, settings: settings)
        for position in due.indices {
            guard case .success(let effect) = ShipmentStateMachine.effect(due[position].shipmentStatus, of: .stepDue)
            else { continue }
            let orderIDText = due[position].uuid(Shipments.orderID).description
            let cause = EventCause(causationID: "due", correlationID: orderIDText)
            shipments.update(at: position) { shipment in
                writer.apply(effect, to: &shipment, orderIDText: orderIDText, cause: cause, into: &work)
            }
        }
        shipments.write(into: &work)
        try await work.commit(on: session, mistakes: settings.mistakes)
        return due.count
    }
}

/// The HTTP interface of shipping.
struct ShippingHTTP: HTTPHandler {
    let ports: ServicePorts
    let settings: ShopSettings
    let runner: CommandRunner

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        await HTTPSupport.answer(ports, request, ShippingService.operations) { try await route(request) }
    }

    private func route(_ request: HTTPRequest) async throws -> HTTPResponse {
        let path = HTTPSupport.segments(of: request)
        guard path.first == "shipments", request.method == .get else { throw NoSuchRoute() }
        switch path.count {
        case 1:
            let page = try Page(request, time: ShipmentsTable.createdAt, id: ShipmentsTable.id, settings)
            return page.response(try await page.read(from: ShipmentsTable.table, runner), Self.json)
        case 2:
            let id = try HTTPSupport.id(path[1], of: "shipment")
            guard let shipment = try await runner.query([ShipmentsTable.keyedByID.select([id])])[0].rows.first else {
                throw ProblemDocument.notFound("shipment", id.description)
            }
            return HTTPResponse(200, body: .json(Self.json(shipment)))
        default: throw NoSuchRoute()
        }
    }

    /// A shipment as clients see it.
    static func json(_ row: Row) -> JSONValue {
        let orderID = row.uuid(ShipmentsTable.orderID).description
        return .object([
            JSONMember("id", .string(row.uuid(ShipmentsTable.id).description)),
            JSONMember("orderId", .string(orderID)),
            JSONMember("status", .string(row.text(ShipmentsTable.status))),
            JSONMember("createdAt", WireFormat.timestamp(row.timestamp(ShipmentsTable.createdAt))),
            JSONMember("contextId", .string(orderID)),
        ])
    }
}
