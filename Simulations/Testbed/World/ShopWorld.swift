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
    let deployment: Deployment
    let upgrade: RollingUpgrade
    let relayWatch = RelayWatch()
    let operations: Operator
    let books = GatewayProvider.Books()
    let memory = ClientMemory()
    let observer: ShopObserver
    let callbacks: WorkQueue<String>
    let arrivals: WorkQueue<ArrivalSchedule.Arrival>
    let catalogue: [Product]

    init(_ simulation: Simulation, _ options: ShopOptions) {
        self.simulation = simulation
        self.options = options
        kafka = SimulatedKafkaCluster(
            simulation, brokerCount: options.brokerCount, settings: ShopWorld.clusterSettings(options))
        http = SimulatedHTTP(simulation)
        callbacks = WorkQueue(simulation)
        arrivals = WorkQueue(simulation)
        catalogue = Self.drawCatalogue(simulation, options)
        // A payment is asked about for minutes, and refunded within the life of its order.
        books.keyRetention = options.archiveRetention.map { $0 + .minutes(10) }
        observer = ShopObserver(simulation, kafka: kafka, books: books)
        deployment = Deployment(simulation, instanceCount: options.instanceCount(simulation))
        upgrade = RollingUpgrade(simulation, deployment)
        operations = Operator(simulation)
        addDatabases()
        registerFaults()
        if options.allowsLosses {
            watchLosses()
        } else if !options.allowsUncleanElection {
            // No more than replication is made for: what is acknowledged is to be there at the end.
            simulation.faults.spare { [unowned self] in !kafka.toleratesUncleanStop(of: $0) }
        }
        addServices()
        addRelays()
        operations.addProcess(operatorsTools, looksForTrouble: !options.faults.isEmpty)
        addGateway()
        addCustomers()
    }

    private static func clusterSettings(_ options: ShopOptions) -> ClusterSettings {
        var settings = ClusterSettings()
        // Where what is finished is forgotten, the logs are to forget it as soon.
        if options.archiveRetention != nil { settings.retentionCheckInterval = .seconds(15) }
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

    private func addDatabases() {
        let standby = options.standby(simulation)
        var settings = PostgresSettings()
        settings.maximumSlotWALByteCount = 64 << 20
        // As the production adapter sets its sessions. Without it, a client whose connection is half-open holds its row locks
        // for as long as the server's machine does not ask whether it is there: two hours, as Linux is set by default.
        settings.idleInTransactionTimeout = .minutes(1)
        settings.hasSynchronousStandby = standby == .synchronous
        settings.synchronizesSlots = standby == .synchronous
        for name in Self.serviceNames {
            let server = SimulatedPostgres(
                simulation, name: "postgres-\(name)", settings: settings, hasStandby: standby != .none)
            databases[name] = server
            observer.watch(server, service: name)
        }
    }

    private func registerFaults() {
        KafkaFaults.register(with: simulation.faults, cluster: kafka)
        PostgresFaults.register(with: simulation.faults, servers: Self.serviceNames.map { databases[$0]! })
        GatewayFaults.register(with: simulation.faults, books: books)
        RelayFaults.register(simulation, operations: operations, watch: relayWatch)
        upgrade.register(services: Self.serviceNames)
        kafka.readers = [
            (OrderService.name, OrderService.consumedTopics), (PaymentService.name, PaymentService.consumedTopics),
            (InventoryService.name, InventoryService.consumedTopics),
            (ShippingService.name, ShippingService.consumedTopics),
            (NotificationService.name, NotificationService.consumedTopics),
        ]
        kafka.willDeleteRecords = { [unowned observer] in observer.sweep() }
    }
}
