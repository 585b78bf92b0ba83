import Ports

/// One run of a connector's task, from its start until it is stopped or fails: the shell that carries rows from a simulated
/// server through a ``DebeziumConnector`` to a simulated Kafka.
final class DebeziumTask: @unchecked Sendable {
    private let settings: DebeziumSettings
    private let server: SimulatedPostgres
    private let kafka: SimulatedKafkaCluster
    private let context: ProcessContext
    private let isStopping: @Sendable () -> Bool
    private var knownTopics: Set<String> = []

    init(
        _ settings: DebeziumSettings, _ server: SimulatedPostgres, _ kafka: SimulatedKafkaCluster,
        _ context: ProcessContext, isStopping: @escaping @Sendable () -> Bool
    ) {
        self.settings = settings
        self.server = server
        self.kafka = kafka
        self.context = context
        self.isStopping = isStopping
    }

    private var pool: DatabasePoolSettings { DatabasePoolSettings() }
    private var eventLog: any EventLog { kafka.eventLog(context) }
    private var now: Instant { context.clock.now }

    func run() async throws {
        var connector = DebeziumConnector(
            settings, stored: try await ConnectOffsets(settings, kafka, context).read(),
            runID: context.identifiers.next().description)
        let producer = try await eventLog.makeProducer(producerSettings)
        do {
            try await prepareSlot(&connector, producer)
            try await stream(&connector, producer)
            await producer.close()
        } catch {
            await producer.close()
            throw error
        }
    }

    /// A worker's producers: no idempotence, but one request at a time and no end to retries, so that order holds and
    /// nothing is lost; a lost answer writes a batch twice. Source: Kafka, `ConnectWorker.baseProducerProps`.
    private var producerSettings: ProducerSettings {
        var producer = ProducerSettings(clientID: "connector-producer-\(settings.connectorName)-0")
        producer.isIdempotent = false
        producer.maximumInFlightRequests = 1
        producer.deliveryTimeout = .milliseconds(Int64(Int32.max))
        producer.linger = .zero
        return producer
    }

    // MARK: Slot and snapshot

    private func prepareSlot(_ connector: inout DebeziumConnector, _ producer: any EventProducer) async throws {
        let streams = SimulatedChangeStreams(server, context: context)
        let slot = try await streams.slot(settings.slotName)
        let current = try await streams.currentLSN()
        try connector.checkSlot(confirmed: slot?.confirmedFlushLSN, current: current)
        let connection = PostgresClientConnection(server, context: context)
        try await connection.open(timeout: pool.connectTimeout)
        defer { connection.close() }
        var position = current
        if slot == nil {
            // The snapshot that the slot exports is what the rows are read in: nothing comes twice, nothing is left out.
            let names = settings.tables.map(\.name)
            let reply = try await call(
                .replication(.createSlot(name: settings.slotName, tables: names, exportsSnapshot: true)), connection)
            if case .position(let consistent) = reply { position = consistent }
        }
        guard connector.phase == .snapshotNeeded else { return }
        connector.beginSnapshot(
            position: position, transactionID: server.server.newestTransactionID, at: server.simulation.now)
        try await snapshot(&connector, connection, producer)
    }

    private func snapshot(
        _ connector: inout DebeziumConnector, _ connection: PostgresClientConnection, _ producer: any EventProducer
    ) async throws {
        for (index, table) in settings.tables.enumerated() {
            let order =
                settings.snapshotOrders[table.name]?.map { SortKey.ascending(table.column($0)) }
                ?? table.primaryKey.columns.map { SortKey.ascending(table.columns[$0]) }
            let reply = try await call(
                .execute(
                    [.select(Select(from: table, orderedBy: order))], begin: index == 0 ? .repeatableRead : nil),
                connection)
            guard case .results(let results, _) = reply else { continue }
            let rows = results[0].rows
            for start in stride(from: 0, to: rows.count, by: settings.snapshotBatchRowCount) {
                let records = try connector.snapshotRows(
                    rows[start..<min(start + settings.snapshotBatchRowCount, rows.count)], of: table,
                    isFirstTable: index == 0, isLastTable: index == settings.tables.count - 1, rowCount: rows.count,
                    now: now)
                try await produce(records, &connector, producer)
            }
        }
        _ = try await call(.rollback, connection)
        connector.finishSnapshot()
    }

    private func call(_ body: PostgresRequest, _ connection: PostgresClientConnection) async throws -> PostgresReply {
        guard let reply = try await connection.call(body, timeout: pool.answerTimeout) else {
            throw DatabaseError.connectionLost(connection.end ?? "the connection broke")
        }
        if case .failure(let error) = reply { throw error }
        return reply
    }

    // MARK: Streaming

    private func stream(_ connector: inout DebeziumConnector, _ producer: any EventProducer) async throws {
        let streams = SimulatedChangeStreams(server, context: context)
        let stream = try await streams.open(settings.slotName, from: connector.startLSN)
        do {
            try await poll(&connector, stream, producer)
            await stream.close()
        } catch {
            await stream.close()
            throw error
        }
    }

    private func poll(
        _ connector: inout DebeziumConnector, _ stream: any ChangeStream, _ producer: any EventProducer
    ) async throws {
        let offsets = try await ConnectOffsets(settings, kafka, context).writer()
        var lastFlush = context.clock.monotonicNow
        while true {
            let transactions = try await stream.next(
                maximumTransactions: settings.maximumTransactionsPerPoll, timeout: settings.pollInterval)
            var records: [SourceRecord] = []
            for transaction in transactions { records += try connector.receive(transaction, now: now) }
            for complaint in connector.takeComplaints() { context.log.log(.warning, complaint) }
            if let heartbeat = connector.takeHeartbeat(now: now) {
                records.append(heartbeat)
                try await runHeartbeatStatements()
            }
            try await produce(records, &connector, producer)
            let isLast = isStopping()
            if isLast || context.clock.monotonicNow - lastFlush >= settings.offsetFlushInterval {
                lastFlush = context.clock.monotonicNow
                try await flush(&connector, offsets, stream)
            }
            if isLast { return }
        }
    }

    private func runHeartbeatStatements() async throws {
        guard !settings.heartbeatStatements.isEmpty else { return }
        _ = try await SimulatedDatabase(server, context: context).executeAtomically(
            settings.heartbeatStatements)
    }

    private func produce(
        _ records: [SourceRecord], _ connector: inout DebeziumConnector, _ producer: any EventProducer
    ) async throws {
        guard let last = records.last else { return }
        try await createTopics(records)
        _ = try await producer.send(records.map(\.record))
        connector.acknowledged(last.offset)
    }

    private func createTopics(_ records: [SourceRecord]) async throws {
        guard let creation = settings.topicCreation else { return }
        for record in records where !knownTopics.contains(record.record.topic) {
            let topic = record.record.topic
            knownTopics.insert(topic)
            let administration = eventLog.administration
            guard try await administration.partitionCount(of: topic) == nil else { continue }
            do {
                try await administration.createTopic(
                    TopicSpecification(
                        topic, partitionCount: creation.partitionCount, replicationFactor: creation.replicationFactor))
            } catch let error as EventLogError where error.code == .topicAlreadyExists {
                // Another task was faster.
            }
        }
    }

    /// Stores the offset, and only then confirms to the slot.
    private func flush(
        _ connector: inout DebeziumConnector, _ offsets: ConnectOffsets.Writer, _ stream: any ChangeStream
    ) async throws {
        guard let offset = connector.takeOffsetToStore() else { return }
        try await offsets.write(offset)
        if let confirmable = DebeziumConnector.confirmable(offset) { try await stream.confirm(confirmable) }
    }
}
