import Ports

/// The offset topic of a Connect worker: compacted, one key for each connector's source.
///
/// Source: Kafka, `KafkaOffsetBackingStore`; KIP-98 does not concern it here, since exactly-once support is off.
struct ConnectOffsets {
    private let settings: DebeziumSettings
    private let kafka: SimulatedKafkaCluster
    private let context: ProcessContext

    init(_ settings: DebeziumSettings, _ kafka: SimulatedKafkaCluster, _ context: ProcessContext) {
        self.settings = settings
        self.kafka = kafka
        self.context = context
    }

    private var partition: TopicPartition { TopicPartition(settings.offsetTopic, 0) }
    private var key: String { DocumentText.compact(ConnectorOffset.key(settings)) }

    /// Reads the topic to its end.
    ///
    /// - Returns: the last offset stored; `nil` when there is none.
    func read() async throws -> ConnectorOffset? {
        let eventLog = kafka.eventLog(context)
        try await createTopic(eventLog.administration)
        let ends = try await eventLog.administration.logOffsets(of: partition)
        guard ends.latest > ends.earliest else { return nil }
        let consumer = try await eventLog.makeConsumer(
            ConsumerSettings(clientID: "\(settings.connectorName)-offsets", groupID: nil))
        do {
            let offset = try await read(consumer, ends)
            await consumer.close()
            return offset
        } catch {
            await consumer.close()
            throw error
        }
    }

    private func read(_ consumer: any EventConsumer, _ ends: LogOffsets) async throws -> ConnectorOffset? {
        try await consumer.assign([CommittedOffset(partition, ends.earliest)])
        var found: ConnectorOffset?
        while (consumer.position(partition) ?? ends.earliest) < ends.latest {
            for record in try await consumer.poll(maximumRecords: 1_000, timeout: .seconds(1)) where record.key == key {
                found = record.value?.json.map { ConnectorOffset($0) }
            }
        }
        return found
    }

    private func createTopic(_ administration: any EventLogAdministration) async throws {
        guard try await administration.partitionCount(of: settings.offsetTopic) == nil else { return }
        let replicas = Int16(min(3, kafka.brokerNames.count))
        var topic = TopicSpecification(settings.offsetTopic, partitionCount: 1, replicationFactor: replicas)
        topic.isCompacted = true
        topic.retention = nil
        topic.minimumInSyncReplicas = replicas > 1 ? 2 : 1
        do {
            try await administration.createTopic(topic)
        } catch let error as EventLogError where error.code == .topicAlreadyExists {
            // Another worker was faster.
        }
    }

    func writer() async throws -> Writer {
        var producer = ProducerSettings(clientID: "\(settings.connectorName)-offsets")
        producer.isIdempotent = false
        producer.maximumInFlightRequests = 1
        producer.linger = .zero
        return Writer(
            producer: try await kafka.eventLog(context).makeProducer(producer), partition: partition, key: key)
    }

    /// Stores offsets.
    struct Writer {
        let producer: any EventProducer
        let partition: TopicPartition
        let key: String

        func write(_ offset: ConnectorOffset) async throws {
            let record = ProducerRecord(
                topic: partition.topic, partition: partition.partition, key: key, value: .json(offset.document))
            _ = try await producer.send([record])
        }
    }
}
