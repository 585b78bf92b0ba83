import Ports

/// Makes records of outbox rows as Debezium's Outbox Event Router does with ``OutboxTable/debeziumFieldPlacement``, String
/// converters and `table.expand.json.payload=false`: topic, key, headers and the payload's document are the same. Its text is
/// not, which no reader may depend on: Debezium passes on how PostgreSQL prints `jsonb`, this writes JSON without blanks.
struct OutboxRouter: Sendable {
    let mistakes: PlantedMistakes
    let omittedEventTypes: [String]
    /// Topics by aggregate type; there are few.
    private var topics: [(aggregateType: String, topic: String)] = []

    init(_ settings: OutboxRelaySettings = OutboxRelaySettings(slotName: "")) {
        mistakes = settings.mistakes
        omittedEventTypes = settings.omittedEventTypes
    }

    /// The records of a transaction's outbox rows, in order. Deletes are dropped: they are the janitor's.
    mutating func append(_ transaction: CommittedTransaction, to records: inout [ProducerRecord]) {
        for event in transaction.changes where event.table == OutboxTable.table.name {
            if case .insert(let row) = event.change, isPublished(row) { records.append(record(row)) }
        }
    }

    func isPublished(_ row: Row) -> Bool {
        omittedEventTypes.isEmpty || !omittedEventTypes.contains(row.text(OutboxTable.type))
    }

    /// Topic by aggregate type, key aggregate id, value payload, and the envelope as headers.
    mutating func record(_ row: Row) -> ProducerRecord {
        let id = row.uuid(OutboxTable.id).description
        let aggregateID = row.text(OutboxTable.aggregateID)
        let version = row.int64(OutboxTable.version)
        return ProducerRecord(
            topic: topic(forAggregateType: row.text(OutboxTable.aggregateType)),
            key: mistakes.contains(.eventKeyIsNotTheAggregateID) ? id : aggregateID,
            value: .json(row.json(OutboxTable.payload)),
            headers: [
                RecordHeader(EventHeader.id, id),
                RecordHeader(EventHeader.type, row.text(OutboxTable.type)),
                RecordHeader(EventHeader.version, version == 1 ? "1" : String(version)),
                RecordHeader(EventHeader.aggregateID, aggregateID),
                RecordHeader(EventHeader.occurredAt, String(row.int64(OutboxTable.occurredAtMicroseconds))),
                RecordHeader(EventHeader.causationID, row.text(OutboxTable.causationID)),
                RecordHeader(EventHeader.correlationID, row.text(OutboxTable.correlationID)),
                RecordHeader(EventHeader.traceParent, row.text(OutboxTable.traceParent)),
            ])
    }

    private mutating func topic(forAggregateType aggregateType: String) -> String {
        for known in topics where known.aggregateType == aggregateType { return known.topic }
        let topic = OutboxTable.topic(forAggregateType: aggregateType)
        topics.append((aggregateType, topic))
        return topic
    }
}
