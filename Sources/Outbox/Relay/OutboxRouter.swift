import Ports

/// Makes records of outbox rows exactly as Debezium's Outbox Event Router does with
/// ``OutboxTable/debeziumFieldPlacement`` and `table.expand.json.payload=true`.
struct OutboxRouter: Sendable {
    var mistakes: PlantedMistakes = []

    /// The records of a transaction's outbox rows, in order. Deletes are dropped: they are the janitor's.
    func append(_ transaction: CommittedTransaction, to records: inout [ProducerRecord]) {
        for event in transaction.changes where event.table == OutboxTable.table.name {
            if case .insert(let row) = event.change { records.append(record(row)) }
        }
    }

    /// Topic by aggregate type, key aggregate id, value payload, and the envelope as headers.
    func record(_ row: Row) -> ProducerRecord {
        let id = row.uuid(OutboxTable.id).description
        let aggregateID = row.text(OutboxTable.aggregateID)
        return ProducerRecord(
            topic: OutboxTable.topic(forAggregateType: row.text(OutboxTable.aggregateType)),
            key: mistakes.contains(.eventKeyIsNotTheAggregateID) ? id : aggregateID,
            value: .json(row.json(OutboxTable.payload)),
            headers: [
                RecordHeader(EventHeader.id, id),
                RecordHeader(EventHeader.type, row.text(OutboxTable.type)),
                RecordHeader(EventHeader.version, String(row.int64(OutboxTable.version))),
                RecordHeader(EventHeader.aggregateID, aggregateID),
                RecordHeader(EventHeader.occurredAt, String(row.int64(OutboxTable.occurredAtMicroseconds))),
                RecordHeader(EventHeader.causationID, row.text(OutboxTable.causationID)),
                RecordHeader(EventHeader.correlationID, row.text(OutboxTable.correlationID)),
                RecordHeader(EventHeader.traceParent, row.text(OutboxTable.traceParent)),
            ])
    }
}
