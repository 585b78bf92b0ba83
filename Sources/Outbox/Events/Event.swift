public import Ports

/// An event as a consumer receives it: a record whose envelope was read.
///
/// A class, because it is passed on often and holds much.
public final class Event: Sendable {
    /// The deduplication key.
    public let id: UniqueID
    public let type: String
    /// Version of the payload's schema within its type. A reader takes what it knows and leaves the rest.
    public let version: Int64
    /// What the event is about; its events are applied in order.
    public let aggregateID: String
    /// The aggregate id as a UUID; `nil` when it is not one.
    public let aggregateUUID: UniqueID?
    public let payload: JSONValue
    /// The record it came in.
    public let record: ConsumerRecord

    /// The most bytes that an aggregate id has. It is part of an index, which takes no more than 2,704 bytes (54000).
    static let aggregateIDLimit = 255

    /// Reads the envelope from a record's headers.
    ///
    /// - Throws: ``MalformedEvent`` when a header that must be there is missing or is not what it should be, the value is
    ///   not JSON, or U+0000 is in any of it, which no database text can hold.
    public convenience init(_ record: ConsumerRecord) throws(MalformedEvent) {
        try self.init(record, EnvelopeHeaders(record))
    }

    init(_ record: ConsumerRecord, _ headers: EnvelopeHeaders) throws(MalformedEvent) {
        guard let id = headers.id.flatMap({ UniqueID($0) }) else {
            throw MalformedEvent(record, missing: EventHeader.id, expected: "a UUID")
        }
        guard let type = headers.type else {
            throw MalformedEvent(record, missing: EventHeader.type, expected: "a name")
        }
        guard let version = headers.version else {
            throw MalformedEvent(record, missing: EventHeader.version, expected: "an integer")
        }
        guard let aggregateID = headers.aggregateID ?? record.key else {
            throw MalformedEvent(record, missing: EventHeader.aggregateID, expected: "an id, or the record's key")
        }
        let aggregateUUID = UniqueID(aggregateID)
        guard aggregateUUID != nil || aggregateID.utf8.count <= Self.aggregateIDLimit else {
            throw MalformedEvent(longAggregateID: record, aggregateID)
        }
        guard case .json(let payload) = record.value else { throw MalformedEvent(notJSON: record) }
        guard !record.hasZeroByte else { throw MalformedEvent(zeroByteIn: record) }
        self.id = id
        self.type = type
        self.version = version
        self.aggregateID = aggregateID
        self.aggregateUUID = aggregateUUID
        self.payload = payload
        self.record = record
    }

    /// The cause that events published on account of this one carry.
    public var asCause: EventCause {
        let headers = EnvelopeHeaders(record)
        return EventCause(
            causationID: headers.id ?? "",
            correlationID: headers.correlationID ?? "",
            traceParent: headers.traceParent ?? "")
    }
}

/// Finds the envelope's headers in a record.
///
/// They come in one order from the relay and from Debezium, which puts some of its own before them: the first is looked
/// for, and the others are where they should be or are looked for too.
package struct EnvelopeHeaders {
    private let record: ConsumerRecord
    private let first: Int

    package init(_ record: ConsumerRecord) {
        self.record = record
        let headers = record.headers
        first = headers.first?.name == EventHeader.id ? 0 : headers.firstIndex { $0.name == EventHeader.id } ?? -1
    }

    package var id: String? { first < 0 ? nil : record.headers[first].value }
    package var type: String? { value(EventHeader.type, at: 1) }
    package var aggregateID: String? { value(EventHeader.aggregateID, at: 3) }
    package var correlationID: String? { value(EventHeader.correlationID, at: 6) }
    package var traceParent: String? { value(EventHeader.traceParent, at: 7) }

    package var version: Int64? {
        guard let text = value(EventHeader.version, at: 2) else { return nil }
        // Nearly every event is of its type's first version.
        return text == "1" ? 1 : Int64(text)
    }

    private func value(_ name: String, at distance: Int) -> String? {
        let expected = first + distance
        if first >= 0 && expected < record.headers.count && record.headers[expected].name == name {
            return record.headers[expected].value
        }
        return record.headers.first { $0.name == name }?.value
    }
}

/// A record that cannot be read as an event, whoever tries: a poison message.
public struct MalformedEvent: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ record: ConsumerRecord, missing header: String, expected: String) {
        let found = record.header(header).map { "'\($0)'" } ?? "none"
        description =
            "\(record.topicPartition) offset \(record.offset): header \(header) must be \(expected), found \(found)"
    }

    init(notJSON record: ConsumerRecord) {
        let found =
            switch record.value {
            case .bytes(let bytes): "\(bytes.count) bytes that are not JSON"
            default: "a tombstone"
            }
        description = "\(record.topicPartition) offset \(record.offset): the value must be JSON, found \(found)"
    }

    init(longAggregateID record: ConsumerRecord, _ aggregateID: String) {
        description =
            "\(record.topicPartition) offset \(record.offset): header \(EventHeader.aggregateID) must be at most "
            + "\(Event.aggregateIDLimit) bytes, found \(aggregateID.utf8.count)"
    }

    init(zeroByteIn record: ConsumerRecord) {
        description =
            "\(record.topicPartition) offset \(record.offset): the record must be without U+0000, found it (kept as U+FFFD)"
    }

    /// A payload that lacks what its type and version promise.
    public init(_ event: Event, field: String, expected: String) {
        let found = event.payload[field].map { String("\($0)".prefix(200)) } ?? "none"
        description = "event \(event.id) of type \(event.type): field \(field) must be \(expected), found \(found)"
    }
}

extension ConsumerRecord {
    /// Whether U+0000 is in its key, its headers or its document.
    fileprivate var hasZeroByte: Bool {
        if let key, key.hasZeroByte { return true }
        // Looked at where they are, since an iterator copies them.
        let isInHeaders = headers.withUnsafeBufferPointer { headers in
            headers.indices.contains { headers[$0].name.hasZeroByte || headers[$0].value.hasZeroByte }
        }
        if isInHeaders { return true }
        if case .json(let document) = value { return document.hasZeroByte }
        return false
    }

    /// Header of a record that is not what was in the log, since that can be kept in no database.
    static let repairedHeader = "zeroBytesReplaced"

    /// Whether this is what ``storable`` made of another record: not to be applied.
    var isRepaired: Bool { header(Self.repairedHeader) != nil }

    /// The same record in a form that a database can keep: with U+FFFD in place of U+0000, and marked as such.
    var storable: ConsumerRecord {
        guard hasZeroByte else { return self }
        var value = value
        if case .json(let document) = value { value = .json(document.replacingZeroBytes) }
        return ConsumerRecord(
            topicPartition: topicPartition, offset: offset, timestamp: timestamp, key: key?.replacingZeroBytes,
            value: value,
            headers: headers.map { RecordHeader($0.name.replacingZeroBytes, $0.value.replacingZeroBytes) } + [
                RecordHeader(Self.repairedHeader, "true")
            ])
    }
}
