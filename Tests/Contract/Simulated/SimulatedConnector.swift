import Ports
import SimCore

/// A simulated connector, with a simulated Kafka of three brokers.
struct SimulatedConnector: ConnectorServer {
    let topicPrefix: String
    let schemaName = "public"
    let databaseName = "postgres"
    let slotName: String
    let offsetFlushInterval: Nanoseconds
    private let settings: DebeziumSettings
    private let connector: SimulatedDebezium
    private let kafka: SimulatedKafkaCluster
    private let context: ProcessContext

    init(_ options: ConnectorOptions, _ postgres: SimulatedPostgres, _ context: ProcessContext) {
        var settings = DebeziumSettings(
            connectorName: "contract", topicPrefix: "contract", slotName: "contract", tables: options.tables)
        settings.emitsTombstones = options.emitsTombstones
        settings.providesTransactionMetadata = options.providesTransactionMetadata
        settings.heartbeatInterval = options.heartbeatInterval
        settings.heartbeatStatements = options.heartbeatAction.map { [$0.statement] } ?? []
        settings.outboxRouter = options.router
        settings.outboxRouter?.topicPrefix = "contract.event."
        settings.snapshotMode = options.snapshotMode
        settings.topicCreation = .init(partitionCount: 1, replicationFactor: 3)
        self.settings = settings
        topicPrefix = settings.topicPrefix
        slotName = settings.slotName
        offsetFlushInterval = settings.offsetFlushInterval
        self.context = context
        kafka = SimulatedKafkaCluster(context.simulation)
        // A failed task stays failed, as in Connect.
        connector = SimulatedDebezium(
            context.simulation, name: "connect", settings: settings, database: postgres, kafka: kafka,
            startsWithRun: false, onError: .restart(after: .hours(20)))
    }

    func start() async throws {
        connector.start()
        try await context.sleep(for: .seconds(2))
    }

    func stop() async throws {
        connector.requestStop()
        while context.simulation.state(of: connector.process) == .running { try await pass() }
    }

    func crash() async throws {
        context.simulation.crash(connector.process)
        try await pass()
    }

    private func pass() async throws { try await context.sleep(for: .milliseconds(20)) }

    func hasFailed() async throws -> Bool { context.simulation.state(of: connector.process) == .crashed }

    /// A tombstone for its key, as Connect writes one.
    func forgetOffset() async throws {
        let producer = try await kafka.eventLog(context).makeProducer(ProducerSettings(clientID: "contract"))
        guard let key = kafka.committedRecords(of: offsetPartition, from: 0).records.last?.key else { return }
        _ = try await producer.send([
            ProducerRecord(topic: settings.offsetTopic, partition: 0, key: key, value: nil)
        ])
        await producer.close()
    }

    private var offsetPartition: TopicPartition { TopicPartition(settings.offsetTopic, 0) }

    func storedOffset() async throws -> JSONValue? {
        kafka.committedRecords(of: offsetPartition, from: 0).records.last?.value?.json
    }

    func records(of topic: String) async throws -> [ConsumerRecord] {
        kafka.committedRecords(of: TopicPartition(topic, 0), from: 0).records
    }

    func discard() async {}
}
