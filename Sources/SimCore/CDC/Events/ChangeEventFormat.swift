import Ports

/// Makes the records of changed rows: topic, key, headers, and the envelope of before, after, source and operation.
///
/// Source: Debezium documentation, "Data change events"; members and their order as Debezium 3.6.3 writes them with
/// Connect's JSON converters without schemas.
struct ChangeEventFormat: Sendable {
    let settings: DebeziumSettings
    /// `__debezium.context.runId`: new with each start of the task.
    let runID: String

    static let version = "3.6.3.Final"

    /// Where a changed row came from.
    struct Source: Hashable, Sendable {
        var snapshot = "false"
        var lastCommitLSN: LSN?
        var lsn: LSN
        var transactionID: UInt64
        /// Database time: of the commit, or of the snapshot.
        var at: Instant
    }

    /// Where an event stands in its transaction, for `provide.transaction.metadata`.
    struct TransactionPlace: Hashable, Sendable {
        var id: String
        var totalOrder: Int64
        var collectionOrder: Int64
    }

    func topic(of table: Table) -> String { "\(settings.topicPrefix).public.\(table.name)" }
    var transactionTopic: String { "\(settings.topicPrefix).transaction" }
    var heartbeatTopic: String { "__debezium-heartbeat.\(settings.topicPrefix)" }

    // MARK: Parts

    /// The key: a struct of the primary key's columns.
    func key(_ row: Row, _ table: Table) -> JSONValue {
        .object(
            table.primaryKey.columns.map {
                JSONMember(table.columns[$0].name, ConnectValue.document(row.values[$0]))
            })
    }

    /// A whole row.
    func document(_ row: Row, _ table: Table) -> JSONValue {
        .object(table.columns.map { JSONMember($0.name, ConnectValue.document(row.values[$0.ordinal])) })
    }

    /// What is known of a row that is no more: its key (REPLICA IDENTITY DEFAULT), and placeholders for the rest.
    func keyDocument(_ row: Row, _ table: Table) -> JSONValue {
        .object(
            table.columns.map { column in
                let isKey = table.primaryKey.columns.contains(column.ordinal)
                return JSONMember(
                    column.name,
                    isKey ? ConnectValue.document(row.values[column.ordinal]) : ConnectValue.placeholder(column))
            })
    }

    func envelope(
        before: JSONValue, after: JSONValue, _ source: Source, _ table: Table, transaction: TransactionPlace?,
        operation: String, now: Instant
    ) -> JSONValue {
        .members([
            "before": before, "after": after, "source": document(source, table),
            "transaction": transaction.map(document) ?? .null, "op": .string(operation),
            "ts_ms": .integer(milliseconds(now)), "ts_us": .integer(microseconds(now)),
            "ts_ns": .integer(now.nanosecondsSinceEpoch),
        ])
    }

    private func document(_ source: Source, _ table: Table) -> JSONValue {
        let lastCommit = source.lastCommitLSN.map { "\"\($0.rawValue)\"" } ?? "null"
        // The database's clock has microseconds.
        let at = microseconds(source.at)
        return .members([
            "version": .string(Self.version), "connector": "postgresql", "name": .string(settings.topicPrefix),
            "ts_ms": .integer(at / 1_000), "snapshot": .string(source.snapshot),
            "db": .string(settings.databaseName), "sequence": .string("[\(lastCommit),\"\(source.lsn.rawValue)\"]"),
            "ts_us": .integer(at), "ts_ns": .integer(at * 1_000), "schema": "public", "table": .string(table.name),
            "txId": .integer(Int64(source.transactionID)), "lsn": .integer(Int64(bitPattern: source.lsn.rawValue)),
            "xmin": .null, "origin": .null, "origin_lsn": .null,
        ])
    }

    private func document(_ place: TransactionPlace) -> JSONValue {
        .members([
            "id": .string(place.id), "total_order": .integer(place.totalOrder),
            "data_collection_order": .integer(place.collectionOrder),
        ])
    }

    func milliseconds(_ instant: Instant) -> Int64 { instant.nanosecondsSinceEpoch / 1_000_000 }
    func microseconds(_ instant: Instant) -> Int64 { instant.nanosecondsSinceEpoch / 1_000 }

    // MARK: Records

    func record(_ table: Table, key: JSONValue, value: JSONValue?, headers: [RecordHeader] = []) -> ProducerRecord {
        ProducerRecord(
            topic: topic(of: table), key: DocumentText.compact(key), value: value.map { .json($0) },
            headers: headers + contextHeaders)
    }

    /// Which task wrote a record.
    var contextHeaders: [RecordHeader] {
        [
            RecordHeader("__debezium.context.connectorLogicalName", settings.topicPrefix),
            RecordHeader("__debezium.context.taskId", "0"),
            RecordHeader("__debezium.context.connectorName", "postgresql"),
            RecordHeader("__debezium.context.runId", runID),
        ]
    }

    func heartbeat(now: Instant) -> ProducerRecord {
        ProducerRecord(
            topic: heartbeatTopic,
            key: DocumentText.compact(.members(["serverName": .string(settings.topicPrefix)])),
            value: .json(.members(["ts_ms": .integer(milliseconds(now))])))
    }

    /// BEGIN or END of a transaction.
    func transactionRecord(
        _ status: String, id: String, counts: [(table: String, count: Int64)]?, at: Instant
    ) -> ProducerRecord {
        let collections: JSONValue =
            counts.map { counts in
                .array(
                    counts.map {
                        .members(["data_collection": .string("public.\($0.table)"), "event_count": .integer($0.count)])
                    })
            } ?? .null
        let total: JSONValue = counts.map { .integer($0.reduce(0) { $0 + $1.count }) } ?? .null
        return ProducerRecord(
            topic: transactionTopic, key: DocumentText.compact(.members(["id": .string(id)])),
            value: .json(
                .members([
                    "status": .string(status), "id": .string(id), "event_count": total,
                    "data_collections": collections, "ts_ms": .integer(milliseconds(at)),
                ])))
    }
}
