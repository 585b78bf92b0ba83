public import Ports

/// An event as a consumer receives it: a record whose envelope was read.
public struct Event: Sendable {
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

    /// Reads the envelope from a record's headers.
    ///
    /// - Throws: ``MalformedEvent`` when a header that must be there is missing or is not what it should be, or the value
    ///   is not JSON.
    public init(_ record: ConsumerRecord) throws(MalformedEvent) {
        var id: UniqueID?
        var type: String?
        var version: Int64?
        var aggregateID: String?
        for header in record.headers {
            switch header.name {
            case EventHeader.id: id = UniqueID(header.value)
            case EventHeader.type: type = header.value
            case EventHeader.version: version = Int64(header.value)
            case EventHeader.aggregateID: aggregateID = header.value
            default: break
            }
        }
        guard let id else { throw MalformedEvent(record, missing: EventHeader.id, expected: "a UUID") }
        guard let type else { throw MalformedEvent(record, missing: EventHeader.type, expected: "a name") }
        guard let version else { throw MalformedEvent(record, missing: EventHeader.version, expected: "an integer") }
        guard let aggregateID = aggregateID ?? record.key else {
            throw MalformedEvent(record, missing: EventHeader.aggregateID, expected: "an id, or the record's key")
        }
        guard case .json(let payload) = record.value else { throw MalformedEvent(notJSON: record) }
        self.id = id
        self.type = type
        self.version = version
        self.aggregateID = aggregateID
        self.aggregateUUID = UniqueID(aggregateID)
        self.payload = payload
        self.record = record
    }

    /// The cause that events published on account of this one carry.
    public var asCause: EventCause {
        var cause = EventCause(causationID: "", correlationID: "")
        for header in record.headers {
            switch header.name {
            case EventHeader.id: cause.causationID = header.value
            case EventHeader.correlationID: cause.correlationID = header.value
            case EventHeader.traceParent: cause.traceParent = header.value
            default: break
            }
        }
        return cause
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

    /// A payload that lacks what its type and version promise.
    public init(_ event: Event, field: String, expected: String) {
        let found = event.payload[field].map { "\($0)" } ?? "none"
        description = "event \(event.id) of type \(event.type): field \(field) must be \(expected), found \(found)"
    }
}
