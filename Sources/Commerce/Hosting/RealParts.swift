#if Production
    import AdapterGateway
    import AdapterHTTP
    import AdapterKafka
    import AdapterPostgres
    import AdapterSystem
    import Domain
    import Outbox
    import Ports

    /// The parts of the shop on real servers.
    struct RealParts: Sendable {
        static let gatewayPort = 8_090
        static let relayPort = 8_091

        let environment: Environment
        let configuration: ShopConfiguration
        let servers: RealServers
        private let startupTimeout: Nanoseconds
        private let topicShape: Setup.TopicShape
        private let gatewayAddress: HTTPAddress
        private let paymentAddress: HTTPAddress

        init(_ environment: Environment, _ configuration: ShopConfiguration) throws(ConfigurationError) {
            self.environment = environment
            self.configuration = configuration
            servers = try RealServers(environment)
            startupTimeout = try environment.milliseconds(Variables.startupTimeout)
            topicShape = try Setup.TopicShape(environment)
            gatewayAddress = try environment.address(Variables.gatewayURL)
            paymentAddress = try environment.address(Variables.paymentURL)
        }

        private func log(_ name: String) -> JSONLinesLog {
            JSONLinesLog(service: name, minimumLevel: configuration.logLevel)
        }

        // MARK: Services

        /// - Throws: ``ConfigurationError`` for settings of this service that cannot be used.
        func service(_ service: ShopComposition.Service) throws(ConfigurationError) -> PartHost {
            let log = log(service.name)
            let metrics = Metrics(service: service.name)
            let postgres = try servers.postgres(service.name, purpose: service.name)
            let operations = service.operations
            var host = PartHost(
                name: service.name,
                http: try configuration.http(of: service.name, defaultPort: service.defaultPort, environment),
                drainTimeout: configuration.drainTimeout, metrics: metrics, log: log
            ) {
                try await prepare(service, PostgresDatabase(postgres), metrics, log)
            }
            host.openAPI = OpenAPIDocument.document(of: service.name, operations)
            host.route = { request in
                operations.first { $0.matches(request.method, request.path) }?.path ?? "other"
            }
            return host
        }

        private func prepare(
            _ service: ShopComposition.Service, _ database: PostgresDatabase, _ metrics: Metrics, _ log: JSONLinesLog
        ) async throws -> PartHost.Work {
            let eventLog = servers.eventLog(log)
            let setup = Setup(patience: Patience(limit: startupTimeout, log: log))
            try await setup.migrate(service.schema, PostgresAdministration(database))
            // Those that it consumes, too: whichever service starts first makes them.
            try await setup.createTopics(
                service.outboxTopics + service.consumedTopics, topicShape, eventLog.administration)
            let ports = ServicePorts(
                database: database, eventLog: ObservedEventLog(eventLog: eventLog, metrics: metrics, log: log),
                clock: SystemClock(), identifiers: RandomIdentifiers(), log: log)
            let gateway = HTTPPaymentGateway(ReactorHTTPClient(gatewayAddress))
            if service.name == InventoryService.name, !configuration.catalogue.isEmpty {
                try await setup.patience.attempt("the demonstration catalogue") {
                    try await InventoryService(ports, settings: configuration.shop).stock(configuration.catalogue)
                }
            }
            let made = service.make(ports, gateway, configuration.shop)
            metrics.addGauge("database_connections_open", "Connections to the database.") { database.statistics.open }
            metrics.addGauge("database_callers_waiting", "Callers that wait for a connection.") {
                database.statistics.waiting
            }
            return PartHost.Work(handler: made.handler, run: { try await made.run() }, close: { database.close() })
        }

        // MARK: Relays

        /// The relays of some databases, in one process.
        func relays(_ names: [String]) throws(ConfigurationError) -> PartHost {
            let log = log("cdc")
            let metrics = Metrics(service: "cdc")
            var databases: [(name: String, settings: PostgresSettings)] = []
            for name in names { databases.append((name, try servers.postgres(name, purpose: "cdc"))) }
            let chosen = databases
            return PartHost(
                name: "cdc", http: try configuration.http(of: "cdc", defaultPort: Self.relayPort, environment),
                drainTimeout: configuration.drainTimeout, metrics: metrics, log: log
            ) {
                try await prepareRelays(chosen, metrics, log)
            }
        }

        private func prepareRelays(
            _ databases: [(name: String, settings: PostgresSettings)], _ metrics: Metrics, _ log: JSONLinesLog
        ) async throws -> PartHost.Work {
            let eventLog = servers.eventLog(log)
            let setup = Setup(patience: Patience(limit: startupTimeout, log: log))
            var relays: [OutboxRelay] = []
            for (name, settings) in databases {
                guard let service = ShopComposition.service(named: name) else { continue }
                var own = settings
                own.connectionLimit = 2
                let database = PostgresDatabase(own)
                try await setup.migrate(service.schema, PostgresAdministration(database))
                try await setup.createTopics(service.outboxTopics, topicShape, eventLog.administration)
                var relay = OutboxRelaySettings(slotName: "\(name)_outbox")
                relay.gatherTime = servers.relayGatherTime
                relays.append(
                    OutboxRelay(
                        settings: relay,
                        streams: PostgresChangeStreams(settings),
                        ports: ServicePorts(
                            database: database,
                            eventLog: ObservedEventLog(eventLog: eventLog, metrics: metrics, log: log),
                            clock: SystemClock(), identifiers: RandomIdentifiers(), log: log)))
            }
            let made = relays
            return PartHost.Work(handler: nil) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for relay in made { group.addTask { try await relay.run() } }
                    try await group.next()
                    group.cancelAll()
                }
            }
        }

        // MARK: The payment provider

        func gateway() throws(ConfigurationError) -> PartHost {
            try GatewayPart.host(environment, configuration, paymentAddress)
        }
    }
#endif
