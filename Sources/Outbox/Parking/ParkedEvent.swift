import Ports

/// An event to be set aside, or one that was.
struct ParkedEvent: Sendable {
    var eventID: UniqueID
    var aggregateID: String
    var type: String
    var state: ParkedState
    /// What went wrong, for whoever has to mend it.
    var cause: String
    var record: ConsumerRecord

    init(_ event: Event, _ state: ParkedState, cause: String) {
        eventID = event.id
        aggregateID = event.aggregateID
        type = event.type
        self.state = state
        self.cause = Self.bounded(cause)
        record = event.record
    }

    /// A record that is no event at all.
    ///
    /// Its id is made of where it stands in the log, so that it stays the same however often it is delivered, and is not that
    /// of an event whose id it bears. Where its aggregate's id is none that can be kept, it has no aggregate: nobody waits
    /// behind it.
    init(malformed found: ConsumerRecord, cause: String) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in found.topicPartition.topic.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let place =
            UInt64(bitPattern: found.offset) ^ UInt64(UInt32(bitPattern: found.topicPartition.partition)) << 40
        eventID = UniqueID(high: hash, low: place)
        let aggregateID = found.header(EventHeader.aggregateID) ?? found.key ?? ""
        let canBeKept = aggregateID.utf8.count <= Event.aggregateIDLimit && !aggregateID.hasZeroByte
        self.aggregateID = canBeKept ? aggregateID : ""
        record = found.storable
        type = record.header(EventHeader.type) ?? ""
        state = .dead
        self.cause = Self.bounded(cause).replacingZeroBytes
    }

    /// The same event, having failed for good.
    func dead(_ cause: String) -> ParkedEvent {
        var dead = self
        dead.state = .dead
        dead.cause = Self.bounded(cause).replacingZeroBytes
        return dead
    }

    /// Causes quote what was found, which may be large.
    private static func bounded(_ cause: String) -> String {
        cause.utf8.count <= 1_000 ? cause : String(cause.prefix(200)) + "…"
    }

    /// Documents larger than this stay out of the dead letter, which would be too large for the log (`max.message.bytes`,
    /// 1,048,588): they are in the table.
    private static let deadLetterPayloadLimit = 100_000

    /// The row of ``ParkedEventsTable`` that keeps it.
    func row(consumer: String, position: Int64, at now: Instant) -> [Value] {
        var payload = Value.null
        var rawPayload = Value.null
        switch record.value {
        case .json(let value): payload = .json(value)
        case .bytes(let bytes): rawPayload = .bytes(bytes)
        case nil: break
        }
        let headers = record.headers.map { JSONValue.array([.string($0.name), .string($0.value)]) }
        return [
            .text(consumer), .uuid(eventID), .text(aggregateID), .int64(position), .text(state.rawValue), .text(cause),
            .text(type), .text(record.topicPartition.topic), .int64(Int64(record.topicPartition.partition)),
            .int64(record.offset), .timestamp(record.timestamp), record.key.map { .text($0) } ?? .null,
            .json(.array(headers)), payload, rawPayload, .timestamp(now),
        ]
    }

    /// Reads it back from its row.
    init(_ row: Row) {
        typealias Columns = ParkedEventsTable
        let headers = (row.json(Columns.headers).arrayValue ?? []).compactMap { header -> RecordHeader? in
            guard let pair = header.arrayValue, pair.count == 2, let name = pair[0].stringValue,
                let value = pair[1].stringValue
            else { return nil }
            return RecordHeader(name, value)
        }
        let value: Payload? =
            switch (row[Columns.payload], row[Columns.rawPayload]) {
            case (.json(let value), _): .json(value)
            case (_, .bytes(let bytes)): .bytes(bytes)
            default: nil
            }
        var key: String?
        if case .text(let text) = row[Columns.recordKey] { key = text }
        eventID = row.uuid(Columns.eventID)
        aggregateID = row.text(Columns.aggregateID)
        type = row.text(Columns.eventType)
        state = ParkedState(rawValue: row.text(Columns.state)) ?? .dead
        cause = row.text(Columns.cause)
        record = ConsumerRecord(
            topicPartition: TopicPartition(
                row.text(Columns.topic), Int32(truncatingIfNeeded: row.int64(Columns.topicPartition))),
            offset: row.int64(Columns.recordOffset), timestamp: row.timestamp(Columns.recordTimestamp), key: key,
            value: value, headers: headers)
    }

    /// The event that tells the dead-letter topic, `<topic>.dlq`.
    ///
    /// It leaves through the outbox like any other, in the transaction that parks the event, so the dead letter is
    /// neither lost nor told of an event that was not parked.
    func deadLetter(consumer: String, id: UniqueID, at now: Instant) -> OutboundEvent {
        let topic = record.topicPartition.topic
        let aggregateType =
            topic.hasPrefix(OutboxTable.topicPrefix) ? String(topic.dropFirst(OutboxTable.topicPrefix.count)) : topic
        var members: [JSONMember] = [
            JSONMember("consumer", .string(consumer)), JSONMember("cause", .string(cause)),
            JSONMember("topic", .string(topic)),
            JSONMember("partition", .integer(Int64(record.topicPartition.partition))),
            JSONMember("offset", .integer(record.offset)), JSONMember("eventId", .string(eventID.description)),
            JSONMember("eventType", .string(type)),
        ]
        switch record.value {
        case .json(let value) where value.estimatedByteCount <= Self.deadLetterPayloadLimit:
            members.append(JSONMember("payload", value))
        case .json(let value): members.append(JSONMember("payloadByteCount", .integer(Int64(value.estimatedByteCount))))
        case .bytes(let bytes): members.append(JSONMember("payloadByteCount", .integer(Int64(bytes.count))))
        case nil: break
        }
        return OutboundEvent(
            id: id, aggregateType: aggregateType + ParkedEvents.deadLetterSuffix, aggregateID: aggregateID,
            type: "EventDeadLettered", occurredAt: now, aggregateVersion: 0, payload: .object(members))
    }
}
