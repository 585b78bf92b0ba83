public import Outbox
public import Ports

/// The payment service: takes the money of each order once, and gives it back when the order comes to nothing.
public struct PaymentService: ShopService {
    public static let name = "payment"
    public static let defaultPort = 8085
    public static let schema = Schema(
        name: name, version: 2,
        tables: [PaymentsTable.table, GatewayAttemptsTable.table, IdempotencyTable.table] + OutboxSchema.tables)
    public static let producedTopics = AggregateType.topics(AggregateType.payment)
    public static let consumedTopics = [AggregateType.topic(AggregateType.order)]

    private let ports: ServicePorts
    private let settings: ShopSettings
    let consumer: EventConsumerLoop<PaymentEventHandler>
    private let gatewayCalls: PaymentGatewayCalls
    private let expiry: PaymentExpiry
    let housekeeping: Housekeeping
    public let handler: any HTTPHandler

    public init(_ ports: ServicePorts, gateway: any PaymentGateway, settings: ShopSettings = ShopSettings()) {
        self.ports = ports
        self.settings = settings
        gatewayCalls = PaymentGatewayCalls(ports, settings, gateway)
        expiry = PaymentExpiry(ports: ports, settings: settings)
        handler = PaymentHTTP(
            ports: ports, settings: settings, runner: CommandRunner(ports, settings), gatewayCalls: gatewayCalls)
        consumer = EventConsumerLoop(
            PaymentEventHandler(ports: ports, settings: settings),
            settings: settings.consumerLoop(Self.name, topics: Self.consumedTopics), ports: ports)
        housekeeping = Housekeeping(
            ports, settings,
            archive: Archive(
                PaymentsTable.table, id: PaymentsTable.id, finishedAt: PaymentsTable.finishedAt,
                dependents: [(GatewayAttemptsTable.table, GatewayAttemptsTable.paymentID)],
                openWork: (GatewayAttemptsTable.table, GatewayAttemptsTable.paymentID, GatewayAttemptsTable.checkAt)))
    }

    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await consumer.run() }
            group.addTask { try await housekeeping.run(Self.name) }
            group.addTask {
                try await runPeriodically(
                    "payment expiry", every: settings.expirySweepInterval, ports, job: expiry.sweep)
            }
            group.addTask {
                try await runPeriodically(
                    "gateway reconciliation", every: settings.reconciliationInterval, ports,
                    job: gatewayCalls.reconcile)
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// One round of all sweepers.
    func sweepOnce() async throws {
        try await expiry.sweep()
        try await gatewayCalls.reconcile()
    }

    public func replayParked(aggregateID: String) async throws -> Int {
        try await consumer.replayParked(aggregateID: aggregateID)
    }
}
