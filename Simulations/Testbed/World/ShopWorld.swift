import AdapterGateway
import Domain
import Outbox
import Ports
import SimCore
import Workloads

/// The whole shop in a simulation: five services with a PostgreSQL each, Kafka, the relays, the payment provider, and the
/// customers. Everything but the wiring is the code that runs for real.
final class ShopWorld: @unchecked Sendable {
    static let serviceNames = ["order", "payment", "inventory", "shipping", "notification"]
    static let customerProcessCount = 4
    /// From the start of the run until the customers come and faults may begin.
    static let openingTime = Nanoseconds.seconds(12)

    let simulation: Simulation
    let options: ShopOptions
    let kafka: SimulatedKafkaCluster
    let http: SimulatedHTTP
    private(set) var databases: [String: SimulatedPostgres] = [:]
    let books = GatewayProvider.Books()
    let memory = ClientMemory()
    let observer: ShopObserver
    private let callbacks: WorkQueue<String>
    private let arrivals: WorkQueue<ArrivalSchedule.Arrival>
    let catalogue: [Product]

    init(_ simulation: Simulation, _ options: ShopOptions) {
        self.simulation = simulation
        self.options = options
        kafka = SimulatedKafkaCluster(simulation, brokerCount: options.brokerCount, settings: ShopWorld.clusterSettings)
        http = SimulatedHTTP(simulation)
        callbacks = WorkQueue(simulation)
        arrivals = WorkQueue(simulation)
        catalogue = Self.drawCatalogue(simulation, options)
        observer = ShopObserver(simulation, kafka: kafka, books: books)
        for name in Self.serviceNames {
            let server = SimulatedPostgres(simulation, name: "postgres-\(name)", settings: Self.serverSettings)
            databases[name] = server
            observer.watch(server, service: name)
        }
        GatewayFaults.register(with: simulation.faults, books: books)
        // No more than replication is made for: what is acknowledged is to be there at the end.
        simulation.faults.spare { [unowned self] in !kafka.toleratesUncleanStop(of: $0) }
        addServices()
        addRelays()
        addGateway()
        addCustomers()
    }

    /// As the production adapter sets its sessions. Without it, a client whose connection is half-open holds its row locks
    /// for as long as the server's machine does not ask whether it is there: two hours, as Linux is set by default.
    private static var serverSettings: PostgresSettings {
        var settings = PostgresSettings()
        settings.idleInTransactionTimeout = .minutes(1)
        return settings
    }

    private static var clusterSettings: ClusterSettings {
        var settings = ClusterSettings()
        settings.groupInitialRebalanceDelay = .milliseconds(100)
        settings.replicaLagTimeMaximum = .seconds(10)
        return settings
    }

    private static func drawCatalogue(_ simulation: Simulation, _ options: ShopOptions) -> [Product] {
        let stream = simulation.decisions.stream("catalogue")
        return (0..<options.productCount).map { number in
            Product(
                id: UniqueID(
                    randomHigh: simulation.decisions.draw(stream, below: .max),
                    randomLow: simulation.decisions.draw(stream, below: .max)),
                name: "CD \(number)",
                unitPrice: 399 + Int64(simulation.decisions.draw(stream, below: 26)) * 100,
                stock: options.stockPerProduct)
        }
    }

    // MARK: Processes

    private func settings() -> ShopSettings {
        var settings = ShopSettings()
        settings.mistakes = options.mistakes
        settings.gatewayHorizon = .minutes(2)
        if let retention = options.archiveRetention {
            settings.archiveRetention = retention
            settings.idempotencyRetention = retention
            settings.janitorInterval = .seconds(30)
        }
        settings.consumerLoop.consumer.sessionTimeout = .seconds(10)
        settings.consumerLoop.consumer.fetchMaximumWait = .milliseconds(500)
        return settings
    }

    func ports(_ context: ProcessContext, database name: String) -> ServicePorts {
        var pool = DatabasePoolSettings()
        pool.connectionLimit = 20
        return ServicePorts(
            database: SimulatedDatabase(databases[name]!, context: context, settings: pool),
            eventLog: kafka.eventLog(context), clock: context.clock, identifiers: context.identifiers, log: context.log)
    }

    private func addServices() {
        addService(OrderService.self) { OrderService($1, settings: $2) }
        addService(PaymentService.self) { [self] context, ports, settings in
            let gateway = HTTPPaymentGateway(http.client(context, to: simulation.process(named: "gateway")!))
            return PaymentService(ports, gateway: gateway, settings: settings)
        }
        addService(InventoryService.self) { InventoryService($1, settings: $2) }
        addService(ShippingService.self) { ShippingService($1, settings: $2) }
        addService(NotificationService.self) { NotificationService($1, settings: $2) }
    }

    private func addService<Service: ShopService>(
        _ type: Service.Type, _ make: @escaping @Sendable (ProcessContext, ServicePorts, ShopSettings) -> Service
    ) {
        let settings = settings()
        simulation.addProcess(type.name, startsWithRun: false, onError: .restart(after: .seconds(1))) {
            [self] context in
            let service = make(context, ports(context, database: type.name), settings)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [self] in try await http.serve(context, service.handler) }
                group.addTask { try await service.run() }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    private func addRelays() {
        for name in Self.serviceNames where name != "notification" {
            simulation.addProcess("cdc-\(name)", startsWithRun: false, onError: .restart(after: .seconds(1))) {
                [self] context in
                if options.publisher == .debezium {
                    return try await SimulatedDebezium.run(
                        try connectorSettings(name), from: databases[name]!, to: kafka, context)
                }
                var settings = OutboxRelaySettings(slotName: "\(name)_outbox")
                settings.mistakes = options.mistakes
                let relay = OutboxRelay(
                    settings: settings, streams: SimulatedChangeStreams(databases[name]!, context: context),
                    ports: ports(context, database: name))
                try await relay.run()
            }
        }
    }

    /// As deploy/ sets the real connector.
    private func connectorSettings(_ service: String) throws -> DebeziumSettings {
        var settings = DebeziumSettings(
            connectorName: "\(service)-outbox", topicPrefix: service, slotName: "\(service)_outbox",
            tables: [OutboxTable.table])
        var router = OutboxRouterSettings()
        try router.place(OutboxTable.debeziumFieldPlacement)
        router.expandsJSON = true
        settings.outboxRouter = router
        settings.heartbeatInterval = .seconds(10)
        settings.pollInterval = .milliseconds(50)
        settings.offsetTopic = "connect-offsets-\(service)"
        settings.topicCreation = .init(
            partitionCount: 1, replicationFactor: Int16(min(3, options.brokerCount)))
        return settings
    }

    private func addGateway() {
        simulation.addProcess("gateway", startsWithRun: false) { [self] context in
            let provider = GatewayProvider(simulation, context: context, books: books, callbacks: callbacks)
            let payment = http.client(context, to: simulation.process(named: "payment")!)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [self] in try await http.serve(context, provider) }
                group.addTask { [self] in try await sendCallbacks(context, payment) }
                try await group.waitForAll()
            }
        }
    }

    /// The provider's notifications: at least once, as far as a few attempts go.
    private func sendCallbacks(_ context: ProcessContext, _ payment: any HTTPClient) async throws {
        while true {
            let path = try await callbacks.take(context)
            for _ in 0..<3 {
                do {
                    if try await payment.send(HTTPRequest(.post, path), timeout: .seconds(3)).status < 500 { break }
                } catch is HTTPError {
                    // Tried again below.
                }
                try await context.sleep(for: .milliseconds(200))
            }
        }
    }

    private func addCustomers() {
        for number in 1...Self.customerProcessCount {
            simulation.addProcess("customers-\(number)", startsWithRun: false) { [self] context in
                try await serveArrivals(context)
            }
        }
    }

    /// Takes orders as they arrive; each is a visit of its own, run by a pool of tasks that grows with the visits at once.
    private func serveArrivals(_ context: ProcessContext) async throws {
        let clients = (
            orders: http.client(context, to: simulation.process(named: "order")!),
            payments: http.client(context, to: simulation.process(named: "payment")!),
            items: http.client(context, to: simulation.process(named: "inventory")!)
        )
        let plans = simulation.decisions.stream("customers", context.name)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let pool = VisitPool(simulation)
            while true {
                let arrival = try await arrivals.take(context)
                let plan = CustomerPlan.draw(
                    pieceCount: arrival.pieceCount, catalogue: catalogue, plans, &simulation.decisions)
                let visit = Customer(
                    context: context, orders: clients.orders, payments: clients.payments, items: clients.items,
                    memory: memory, observer: observer, number: arrival.number, plan: plan)
                if pool.hasIdleWorker {
                    pool.queue.put(visit)
                } else {
                    group.addTask { try await pool.work(context, first: visit) }
                }
            }
        }
    }

    // MARK: The run

    /// Opens the shop, lets the customers come, and waits until every order is finished and everything is quiet.
    func drive(_ context: ProcessContext) async throws {
        try await open(context)
        let schedule = ArrivalSchedule(
            options.log.purchases, count: options.orderCount, spacing: options.orderSpacing,
            from: simulation.now - .epoch, decisions: &simulation.decisions)
        for arrival in schedule.arrivals {
            try await context.sleep(for: .epoch + arrival.at - simulation.now)
            arrivals.put(arrival)
        }
        while memory.finishedCount + memory.rejectedCount + memory.unansweredCount < options.orderCount {
            try await context.sleep(for: .seconds(1))
        }
        while !simulation.faults.areHealed, !options.faults.isEmpty { try await context.sleep(for: .seconds(1)) }
        try await settle(context)
        observer.finish(await lags(context))
    }

    /// Creates topics and databases, fills the shelves, and starts the services.
    private func open(_ context: ProcessContext) async throws {
        let administration = kafka.eventLog(context).administration
        for topics in [
            OrderService.producedTopics, PaymentService.producedTopics, InventoryService.producedTopics,
            ShippingService.producedTopics,
        ] {
            for topic in topics {
                var specification = TopicSpecification(
                    topic, partitionCount: options.partitionCount, replicationFactor: Int16(min(3, options.brokerCount))
                )
                specification.minimumInSyncReplicas = options.minimumInSyncReplicas
                specification.allowsUncleanLeaderElection = options.allowsUncleanElection
                specification.retention = .minutes(10)
                specification.segmentSpan = .minutes(1)
                try await administration.createTopic(specification)
                observer.topics.append(topic)
            }
        }
        for schema in [
            OrderService.schema, PaymentService.schema, InventoryService.schema, ShippingService.schema,
            NotificationService.schema,
        ] {
            try await SimulatedDatabase(databases[schema.name]!, context: context).migrate(to: schema)
        }
        for name in Self.serviceNames where name != "notification" { start("cdc-\(name)") }
        // Slots before the first event: nothing is left to a snapshot.
        try await context.sleep(for: .milliseconds(500))
        try await fillShelves(context)
        for name in Self.serviceNames { start(name) }
        start("gateway")
        try await waitForPrices(context)
        try await context.sleep(for: .epoch + Self.openingTime - simulation.now)
        for number in 1...Self.customerProcessCount { start("customers-\(number)") }
    }

    private func start(_ name: String) { simulation.start(simulation.process(named: name)!) }

    private func fillShelves(_ context: ProcessContext) async throws {
        let session = try await ports(context, database: "inventory").database.connect()
        try await session.begin(.readCommitted)
        var work = UnitOfWork(now: context.clock.now)
        for product in catalogue {
            InventorySeed(
                id: product.id, name: product.name, unitPrice: product.unitPrice, quantity: product.stock
            ).write(
                into: &work, identifiers: context.identifiers, settings: ShopSettings(),
                causedBy: EventCause(causationID: "opening", correlationID: product.id.description))
        }
        try await work.commit(on: session)
        await session.close()
    }

    /// Waits until the order service knows what everything costs.
    private func waitForPrices(_ context: ProcessContext) async throws {
        let database = ports(context, database: "order").database
        while true {
            let rows = try await database.executeAtomically([.select(Select(from: ItemPricesTable.table))])[0].rows
            if rows.count == catalogue.count { return }
            try await context.sleep(for: .milliseconds(100))
        }
    }

    // MARK: The end

    /// Waits until consumers and slots have caught up.
    private func settle(_ context: ProcessContext) async throws {
        var quietRounds = 0
        for _ in 0..<600 where quietRounds < 3 {
            try await context.sleep(for: .seconds(2))
            let (lags, backlogs) = await lags(context)
            let isQuiet = lags.allSatisfy { $0.recordCount == 0 } && backlogs.isEmpty && observer.judge.isQuiet
            quietRounds = isQuiet ? quietRounds + 1 : 0
        }
    }

    /// How far consumers and slots are behind.
    private func lags(
        _ context: ProcessContext
    ) async -> (lags: [LivenessProperty.ConsumerLag], backlogs: [LivenessProperty.SlotBacklog]) {
        var lags: [LivenessProperty.ConsumerLag] = []
        let administration = kafka.eventLog(context).administration
        for (group, topics) in [
            (OrderService.name, OrderService.consumedTopics), (PaymentService.name, PaymentService.consumedTopics),
            (InventoryService.name, InventoryService.consumedTopics),
            (ShippingService.name, ShippingService.consumedTopics),
            (NotificationService.name, NotificationService.consumedTopics),
        ] {
            let committed = (try? await administration.committedOffsets(ofGroup: group)) ?? []
            for topic in topics {
                for partition in 0..<kafka.partitionCount(of: topic) {
                    let name = TopicPartition(topic, partition)
                    guard let end = try? await administration.logOffsets(of: name).latest else { continue }
                    let position = committed.first { $0.topicPartition == name }?.offset ?? 0
                    if end > position {
                        lags.append(
                            LivenessProperty.ConsumerLag(group: group, partition: name, recordCount: end - position))
                    }
                }
            }
        }
        return (lags, [])
    }
}

/// Tasks that run one visit after another: a task's creation costs more than a visit's wait.
final class VisitPool: @unchecked Sendable {
    let queue: WorkQueue<Customer>
    private var idleCount = 0

    init(_ simulation: Simulation) { queue = WorkQueue(simulation) }

    var hasIdleWorker: Bool { idleCount > queue.count }

    func work(_ context: ProcessContext, first: Customer) async throws {
        context.declareUncancellable()
        var visit = first
        while true {
            try await visit.run()
            idleCount += 1
            visit = try await queue.take(context)
            idleCount -= 1
        }
    }
}
