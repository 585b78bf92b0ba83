import AdapterGateway
import Domain
import Outbox
import Ports
import SimCore

/// Everything that runs in the shop, process by process.
extension ShopWorld {
    private func settings(place: String, isNext: Bool) -> ShopSettings {
        var settings = ShopSettings()
        settings.instanceName = place
        if isNext { settings.consumerLoop.ignoredEventTypes = [NextRelease.eventType] }
        settings.mistakes = options.mistakes
        settings.gatewayHorizon = .minutes(2)
        settings.expirySweepInterval = options.expirySweepInterval(simulation)
        if let retention = options.archiveRetention {
            settings.archiveRetention = retention
            settings.idempotencyRetention = retention
            settings.janitorInterval = .seconds(30)
            settings.janitor.outboxRetention = max(retention, .minutes(2))
            // Longer than the topics keep events, which could be read again until then.
            settings.janitor.inboxRetention = retention + options.topicRetention
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

    func addServices() {
        addService(OrderService.self) { OrderService($1, settings: $2) }
        addService(PaymentService.self) { [self] context, ports, settings in
            let gateway = HTTPPaymentGateway(http.client(context, to: simulation.process(named: "gateway")!))
            return PaymentService(ports, gateway: gateway, settings: settings)
        }
        addService(InventoryService.self) { InventoryService($1, settings: $2) }
        addService(ShippingService.self) { ShippingService($1, settings: $2) }
        addService(NotificationService.self) { NotificationService($1, settings: $2) }
    }

    /// Adds the places of a service; what starts in one is of the release that is deployed there by then.
    private func addService<Service: ShopService>(
        _ type: Service.Type, _ make: @escaping @Sendable (ProcessContext, ServicePorts, ShopSettings) -> Service
    ) {
        for place in Deployment.places(of: type.name) {
            simulation.addProcess(place, startsWithRun: false, onError: .restart(after: .seconds(1))) {
                [self] context in
                let isNext = deployment.isUpgraded(place)
                var ports = ports(context, database: type.name)
                if isNext {
                    ports.database = NextReleaseDatabase(base: ports.database, identifiers: context.identifiers)
                }
                let service = make(context, ports, settings(place: place, isNext: isNext))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { [self] in try await http.serve(context, service.handler) }
                    group.addTask { try await service.run() }
                    try await group.next()
                    group.cancelAll()
                }
            }
        }
    }

    var operatorsTools: Operator.Tools {
        var tools = Operator.Tools(
            database: { [unowned self] context, name in ports(context, database: name).database },
            service: { [unowned self] context, name in operatorsService(context, name) })
        if options.publisher == .debezium {
            tools.slots = { [unowned self] context, name in
                SimulatedChangeStreams(databases[name]!, context: context)
            }
        }
        return tools
    }

    /// A service for the operator's hand: it runs nothing by itself.
    private func operatorsService(_ context: ProcessContext, _ name: String) -> any ShopService {
        let ports = ports(context, database: name)
        let settings = settings(place: "operator", isNext: false)
        switch name {
        case OrderService.name: return OrderService(ports, settings: settings)
        case PaymentService.name:
            let gateway = HTTPPaymentGateway(http.client(context, to: simulation.process(named: "gateway")!))
            return PaymentService(ports, gateway: gateway, settings: settings)
        case InventoryService.name: return InventoryService(ports, settings: settings)
        case ShippingService.name: return ShippingService(ports, settings: settings)
        case NotificationService.name: return NotificationService(ports, settings: settings)
        default: preconditionFailure("there is no service '\(name)'")
        }
    }

    func addRelays() {
        for name in Self.serviceNames {
            for place in [RelayFaults.name(of: name), RelayFaults.secondName(of: name)] {
                simulation.addProcess(place, startsWithRun: false, onError: .restart(after: .seconds(1))) {
                    [self] context in
                    if options.publisher == .debezium {
                        return try await SimulatedDebezium.run(
                            try connectorSettings(name), from: databases[name]!, to: kafka, context)
                    }
                    var settings = OutboxRelaySettings(slotName: Operator.slot(of: name))
                    settings.mistakes = options.mistakes
                    settings.omittedEventTypes = options.omittedEventTypes
                    let streams = WatchedChangeStreams(
                        base: SimulatedChangeStreams(databases[name]!, context: context), context: context,
                        watch: relayWatch)
                    let relay = OutboxRelay(
                        settings: settings, streams: streams, ports: ports(context, database: name))
                    try await relay.run()
                }
            }
        }
    }

    /// As deploy/ sets the real connector.
    private func connectorSettings(_ service: String) throws -> DebeziumSettings {
        var settings = DebeziumSettings(
            connectorName: "\(service)-outbox", topicPrefix: service, slotName: Operator.slot(of: service),
            tables: [OutboxTable.table])
        var router = OutboxRouterSettings()
        try router.place(OutboxTable.debeziumFieldPlacement)
        router.expandsJSON = true
        settings.outboxRouter = router
        settings.snapshotMode = .whenNeeded
        settings.snapshotOrders[OutboxTable.table.name] = [
            OutboxTable.aggregateID.name, OutboxTable.aggregateVersion.name,
        ]
        settings.heartbeatInterval = .seconds(10)
        settings.pollInterval = .milliseconds(50)
        settings.offsetTopic = "connect-offsets-\(service)"
        settings.topicCreation = .init(
            partitionCount: 1, replicationFactor: Int16(min(3, options.brokerCount)))
        return settings
    }

    func addGateway() {
        simulation.addProcess("gateway", startsWithRun: false) { [self] context in
            let provider = GatewayProvider(simulation, context: context, books: books, callbacks: callbacks)
            let payment = BalancedClient(context, http, deployment, to: "payment")
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

    func addCustomers() {
        for number in 1...Self.customerProcessCount {
            simulation.addProcess("customers-\(number)", startsWithRun: false) { [self] context in
                try await serveArrivals(context)
            }
        }
    }

    /// Takes orders as they arrive; each is a visit of its own, run by a pool of tasks that grows with the visits at once.
    private func serveArrivals(_ context: ProcessContext) async throws {
        let clients = (
            orders: BalancedClient(context, http, deployment, to: "order"),
            payments: BalancedClient(context, http, deployment, to: "payment"),
            items: BalancedClient(context, http, deployment, to: "inventory")
        )
        let plans = simulation.decisions.stream("customers", context.name)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let pool = VisitPool(simulation)
            while true {
                let arrival = try await arrivals.take(context)
                let plan = CustomerPlan.draw(
                    pieceCount: arrival.pieceCount, catalogue: catalogue,
                    lastMomentPercent: options.lastMomentPercent(simulation), plans, &simulation.decisions)
                let visit = Customer(
                    context: context, orders: clients.orders, payments: clients.payments, items: clients.items,
                    memory: memory, observer: observer, number: Int(arrival.number), plan: plan)
                if pool.hasIdleWorker {
                    pool.queue.put(visit)
                } else {
                    group.addTask { try await pool.work(context, first: visit) }
                }
            }
        }
    }
}
