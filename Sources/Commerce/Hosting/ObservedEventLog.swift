import Outbox
import Ports

/// The event log port with a look at what passes: counts records for the metrics, and writes a line about each event, with its
/// own id and that of its order, when the log takes lines of that level.
struct ObservedEventLog: EventLog {
    let eventLog: any EventLog
    let metrics: Metrics
    let log: any ServiceLog

    var administration: any EventLogAdministration { eventLog.administration }

    func makeProducer(_ settings: ProducerSettings) async throws -> any EventProducer {
        ObservedProducer(try await eventLog.makeProducer(settings), metrics, log)
    }

    func makeConsumer(_ settings: ConsumerSettings) async throws -> any EventConsumer {
        ObservedConsumer(try await eventLog.makeConsumer(settings), metrics, log)
    }

    fileprivate static func fields(
        _ topic: String, _ key: String?, _ header: (String) -> String?
    ) -> [LogField] {
        [
            LogField("event", header(EventHeader.id) ?? ""), LogField("type", header(EventHeader.type) ?? ""),
            LogField("order", header(EventHeader.aggregateID) ?? key ?? ""), LogField("topic", topic),
            LogField("traceparent", header(EventHeader.traceParent) ?? ""),
        ]
    }
}

private final class ObservedProducer: EventProducer {
    private let producer: any EventProducer
    private let metrics: Metrics
    private let log: any ServiceLog

    init(_ producer: any EventProducer, _ metrics: Metrics, _ log: any ServiceLog) {
        self.producer = producer
        self.metrics = metrics
        self.log = log
    }

    func send(_ records: [ProducerRecord]) async throws -> [RecordMetadata] {
        let written = try await producer.send(records)
        metrics.count("produced", records.count)
        for record in records {
            log.log(
                .debug, "event published",
                ObservedEventLog.fields(record.topic, record.key) { name in
                    record.headers.first { $0.name == name }?.value
                })
        }
        return written
    }

    func beginTransaction() async throws { try await producer.beginTransaction() }
    func sendOffsets(_ offsets: [CommittedOffset], of consumer: any EventConsumer) async throws {
        try await producer.sendOffsets(offsets, of: (consumer as? ObservedConsumer)?.consumer ?? consumer)
    }
    func commitTransaction() async throws { try await producer.commitTransaction() }
    func abortTransaction() async throws { try await producer.abortTransaction() }
    func close() async { await producer.close() }
}

private final class ObservedConsumer: EventConsumer {
    let consumer: any EventConsumer
    private let metrics: Metrics
    private let log: any ServiceLog

    init(_ consumer: any EventConsumer, _ metrics: Metrics, _ log: any ServiceLog) {
        self.consumer = consumer
        self.metrics = metrics
        self.log = log
    }

    func subscribe(to topics: [String], listener: RebalanceListener) async throws {
        try await consumer.subscribe(to: topics, listener: listener)
    }
    func assign(_ positions: [CommittedOffset]) async throws { try await consumer.assign(positions) }

    func poll(maximumRecords: Int, timeout: Nanoseconds) async throws -> [ConsumerRecord] {
        let records = try await consumer.poll(maximumRecords: maximumRecords, timeout: timeout)
        if !records.isEmpty { metrics.count("consumed", records.count) }
        for record in records {
            log.log(
                .debug, "event received",
                ObservedEventLog.fields(record.topicPartition.topic, record.key) { record.header($0) })
        }
        return records
    }

    func commit(_ offsets: [CommittedOffset]) async throws { try await consumer.commit(offsets) }
    func committed(_ partitions: [TopicPartition]) async throws -> [CommittedOffset] {
        try await consumer.committed(partitions)
    }
    func position(_ partition: TopicPartition) -> Int64? { consumer.position(partition) }
    var assignment: [TopicPartition] { consumer.assignment }
    func pause(_ partitions: [TopicPartition]) throws { try consumer.pause(partitions) }
    func resume(_ partitions: [TopicPartition]) throws { try consumer.resume(partitions) }
    func seek(to position: CommittedOffset) async throws { try await consumer.seek(to: position) }
    func close() async { await consumer.close() }
}
