import Ports

/// The Outbox Event Router, a transformation of Connect: makes an event's record of the change event of an outbox row.
///
/// Source: Debezium documentation, "Outbox Event Router"; debezium, `EventRouterDelegate`.
struct OutboxEventRouter: Hashable, Sendable {
    let settings: OutboxRouterSettings

    /// What becomes of a change event.
    enum Outcome: Hashable, Sendable {
        case routed(ProducerRecord)
        /// Left out, without an event: a delete, its tombstone, a table that is no outbox.
        case dropped
        /// Left out with a complaint.
        case refused(String)
    }

    /// Routes an inserted row, or one that a snapshot read: both are events.
    ///
    /// - Parameter contextHeaders: those of the change event, which the event keeps in front of its own.
    /// - Throws: ``DebeziumError/unexpectedOutboxRow(_:)`` when a column that it needs is missing or null.
    func route(_ row: Row, _ table: Table, contextHeaders: [RecordHeader]) throws(DebeziumError) -> ProducerRecord {
        let route = try text(settings.routeColumn, row, table)
        guard let route else { throw missing(settings.routeColumn, table) }
        guard let id = try text(settings.idColumn, row, table) else { throw missing(settings.idColumn, table) }
        var headers = contextHeaders + [RecordHeader("id", id)]
        for placement in settings.placements {
            if let value = try text(placement.column, row, table) {
                headers.append(RecordHeader(placement.header, value))
            }
        }
        return ProducerRecord(
            topic: settings.topicPrefix + route, key: try text(settings.keyColumn, row, table) ?? id,
            value: try payload(row, table), headers: headers)
    }

    /// What is done with an update, which an outbox never has.
    ///
    /// - Throws: when the connector is set to fail.
    func refuseUpdate(_ key: JSONValue) throws(DebeziumError) -> Outcome {
        let text = "unexpected update of the outbox row \(DocumentText.compact(key))"
        if settings.updateBehavior == .fatal { throw .unexpectedOutboxRow(text) }
        return .refused(text)
    }

    // MARK: Parts

    private func payload(_ row: Row, _ table: Table) throws(DebeziumError) -> Payload? {
        switch row.values[try ordinal(settings.payloadColumn, table)] {
        case .null: return settings.emptyPayloadIsTombstone ? nil : .json(.null)
        case .json(let document):
            // Only an object or an array is expanded; a number or a string stays text.
            switch document {
            case .object, .array: if settings.expandsJSON { return .json(Self.expanded(document)) }
            default: break
            }
            return .json(.string(DocumentText.jsonb(document)))
        case let value: return .json(ConnectValue.document(value))
        }
    }

    /// A document as it comes out of a schema that was inferred from it: fields that are null are left out
    /// (`table.json.payload.null.behavior=ignore`), and numbers with a fraction are binary ones, without trailing zeros.
    private static func expanded(_ document: JSONValue) -> JSONValue {
        switch document {
        case .object(let members):
            .object(members.filter { $0.value != .null }.map { JSONMember($0.name, expanded($0.value)) })
        case .array(let values): .array(values.map(expanded))
        default: document
        }
    }

    private func ordinal(_ column: String, _ table: Table) throws(DebeziumError) -> Int {
        guard let found = table.columns.first(where: { $0.name == column }) else {
            throw .configuration("unable to find field \(column) in event: table \(table.name) has no such column")
        }
        return found.ordinal
    }

    /// A column's value as a key or header has it; `nil` for null.
    private func text(_ column: String, _ row: Row, _ table: Table) throws(DebeziumError) -> String? {
        switch ConnectValue.document(row.values[try ordinal(column, table)]) {
        case .null: nil
        case .string(let text): text
        case let value: DocumentText.compact(value)
        }
    }

    private func missing(_ column: String, _ table: Table) -> DebeziumError {
        .unexpectedOutboxRow("column \(column) of a row of \(table.name) is null, and cannot be routed by")
    }
}
