import AdapterGateway
import AdapterSystem
import Domain
import Outbox
import Ports
import SimCore

/// The whole shop on the simulated parts, in real time, in one process: five services with a PostgreSQL each, Kafka, the
/// relays and a payment provider. Everything but the wiring is what runs for real.
final class EmbeddedShop: @unchecked Sendable {
    private static let brokerCount = 3
    /// The simulation begins this long before the present and makes up for it at once, so that nobody waits for elections and
    /// joins of groups when the shop opens.
    private static let headStart = Nanoseconds.seconds(60)

    private let simulation: Simulation
    private let pacemaker = WallClockPacemaker()
    private let kafka: SimulatedKafkaCluster
    private let http: SimulatedHTTP
    private var databases: [String: SimulatedPostgres] = [:]
    private let settings: ShopSettings
    private let catalogue: [InventorySeed]
    private let refusalPercent: Int
    private let latency: Nanoseconds?
    private let callbacks: WorkQueue<String>
    private let requests: [String: OutsideRequests]
    private var endWaiter: WaiterID?
    private var isEnding = false

    /// - Parameters:
    ///   - catalogue: what is in the shop when it opens.
    ///   - latency: of each message between its parts from then on; `nil` for that of a data centre.
    ///   - logSink: takes the log lines of all processes.
    init(
        _ settings: ShopSettings, catalogue: [InventorySeed], refusalPercent: Int, latency: Nanoseconds? = nil,
        minimumLogLevel: LogLevel,
        logSink: @escaping (LogLevel, _ process: String, _ message: String, [LogField]) -> Void
    ) {
        var simulationSettings = SimulationSettings(seed: SystemRandomNumberGenerator.seed())
        simulationSettings.start = pacemaker.now - Self.headStart
        simulationSettings.minimumLogLevel = minimumLogLevel
        let simulation = Simulation(simulationSettings)
        simulation.logSink = logSink
        self.simulation = simulation
        var settings = settings
        // A consumer asks no leader for a second answer while one is outstanding, and an order is not to wait that long.
        settings.consumerLoop.consumer.fetchMaximumWait = .milliseconds(100)
        self.settings = settings
        self.catalogue = catalogue
        self.refusalPercent = refusalPercent
        self.latency = latency
        kafka = SimulatedKafkaCluster(simulation, brokerCount: Self.brokerCount)
        http = SimulatedHTTP(simulation)
        callbacks = WorkQueue(simulation)
        let pacemaker = pacemaker
        requests = Dictionary(
            uniqueKeysWithValues: (ShopComposition.serviceNames + ["gateway"]).map {
                ($0, OutsideRequests(simulation, pacemaker))
            })
        for name in ShopComposition.serviceNames {
            databases[name] = SimulatedPostgres(simulation, name: "postgres-\(name)")
        }
        addServices()
        addRelays()
        addGateway()
    }

    /// The handler of a service, for requests from outside.
    func handler(of service: String) -> any HTTPHandler {
        guard let handler = requests[service] else { preconditionFailure("there is no service '\(service)'") }
        return handler
    }

    /// Runs the shop until ``end()``. Blocks the calling thread.
    ///
    /// - Parameter didOpen: called once, on this thread, when customers can come.
    /// - Returns: what went wrong inside; empty after an end in good order.
    func run(didOpen: @escaping @Sendable () -> Void) -> [String] {
        let report = simulation.run(pacedBy: pacemaker) { [self] context in
            try await open(context)
            if let latency { simulation.network.state.defaultQuality = LinkQuality(latency: .constant(latency)) }
            didOpen()
            let waiter = simulation.makeWaiter(context, WaitReason("the end of the shop"))
            endWaiter = waiter
            if !isEnding { try await simulation.wait(waiter) }
        }
        pacemaker.end()
        return report.violations.map { "\($0)" }
    }

    /// Ends the shop, from any thread.
    func end() {
        _ = pacemaker.submit { [self] in
            isEnding = true
            if let endWaiter { simulation.wake(endWaiter) }
        }
    }

    // MARK: Processes

    private func ports(_ context: ProcessContext, _ database: String) -> ServicePorts {
        guard let server = databases[database] else { preconditionFailure("there is no database '\(database)'") }
        return ServicePorts(
            database: SimulatedDatabase(server, context: context), eventLog: kafka.eventLog(context),
            clock: context.clock, identifiers: context.identifiers, log: context.log)
    }

    private func addServices() {
        for service in ShopComposition.services {
            let name = service.name
            simulation.addProcess(name, startsWithRun: false, onError: .restart(after: .seconds(1))) {
                [self] context in
                let gateway = HTTPPaymentGateway(http.client(context, to: simulation.process(named: "gateway")!))
                let service = service.make(ports(context, name), gateway, settings)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { [self] in try await http.serve(context, service.handler) }
                    group.addTask { [self] in try await requests[name]!.serve(context, service.handler) }
                    group.addTask { try await service.run() }
                    try await group.next()
                    group.cancelAll()
                }
            }
        }
    }

    private func addRelays() {
        for name in ShopComposition.serviceNames {
            simulation.addProcess("cdc-\(name)", startsWithRun: false, onError: .restart(after: .seconds(1))) {
                [self] context in
                let relay = OutboxRelay(
                    settings: OutboxRelaySettings(slotName: "\(name)_outbox"),
                    streams: SimulatedChangeStreams(databases[name]!, context: context), ports: ports(context, name))
                try await relay.run()
            }
        }
    }

    private func addGateway() {
        simulation.addProcess("gateway", startsWithRun: false) { [self] context in
            let callbacks = callbacks
            let gateway = DemonstrationGateway(identifiers: context.identifiers, refusalPercent: refusalPercent) {
                callbacks.put($0)
            }
            let payment = http.client(context, to: simulation.process(named: "payment")!)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [self] in try await http.serve(context, gateway) }
                group.addTask { [self] in try await requests["gateway"]!.serve(context, gateway) }
                group.addTask {
                    let sender = CallbackSender(payment, context.clock)
                    while true { try await sender.send(try await callbacks.take(context)) }
                }
                try await group.waitForAll()
            }
        }
    }

    // MARK: The opening

    private func open(_ context: ProcessContext) async throws {
        let administration = kafka.eventLog(context).administration
        for topic in ShopComposition.topics {
            var specification = TopicSpecification(
                topic, partitionCount: 3, replicationFactor: Int16(Self.brokerCount))
            specification.minimumInSyncReplicas = 2
            // All of it lies in memory.
            specification.retention = .minutes(30)
            specification.segmentSpan = .minutes(5)
            try await administration.createTopic(specification)
        }
        for service in ShopComposition.services {
            try await SimulatedDatabase(databases[service.name]!, context: context).migrate(to: service.schema)
        }
        for name in ShopComposition.serviceNames { start("cdc-\(name)") }
        for name in ShopComposition.serviceNames { start(name) }
        start("gateway")
        try await InventoryService(ports(context, InventoryService.name), settings: settings).stock(catalogue)
        // Until the order service knows what everything costs, it can take no order.
        let database = ports(context, OrderService.name).database
        while try await database.executeAtomically([.select(Select(from: ItemPricesTable.table))])[0].rows.count
            < catalogue.count
        {
            try await context.sleep(for: .milliseconds(50))
        }
    }

    private func start(_ name: String) { simulation.start(simulation.process(named: name)!) }
}

extension SystemRandomNumberGenerator {
    /// A seed that no other run has.
    fileprivate static func seed() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}
