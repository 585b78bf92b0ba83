import Ports

/// How far a connector has come, as it is stored in Connect's offset topic. Each record carries one; the worker stores that
/// of the last record before which everything is acknowledged.
///
/// Source: debezium, `PostgresOffsetContext.getOffset`; field names as they stand in the topic.
struct ConnectorOffset: Hashable, Sendable {
    enum Snapshot: UInt8, Hashable, Sendable {
        case none, running
        /// Its last record has been produced.
        case complete
    }

    /// `lsn`: of the event.
    var lsn: LSN?
    /// `lsn_proc`: everything below has been processed; where streaming is asked to begin.
    var processedLSN: LSN?
    /// `lsn_commit`: end of the last transaction of which everything was processed. Only this is confirmed to the slot.
    var commitLSN: LSN?
    /// `txId`
    var transactionID: UInt64?
    /// `ts_usec`: database time.
    var timestampMicroseconds: Int64?
    /// `messageType`: of the last message that moved the position.
    var messageType: String?
    var snapshot = Snapshot.none

    init() {}

    /// The value in the offset topic.
    var document: JSONValue {
        var members: [JSONMember] = []
        func add(_ name: String, _ value: LSN?) {
            if let value { members.append(JSONMember(name, .integer(Int64(bitPattern: value.rawValue)))) }
        }
        add("lsn_proc", processedLSN)
        if let messageType { members.append(JSONMember("messageType", .string(messageType))) }
        add("lsn_commit", commitLSN)
        add("lsn", lsn)
        if let transactionID { members.append(JSONMember("txId", .integer(Int64(transactionID)))) }
        if let timestampMicroseconds { members.append(JSONMember("ts_usec", .integer(timestampMicroseconds))) }
        if snapshot != .none {
            members.append(JSONMember("snapshot", true))
            members.append(JSONMember("last_snapshot_record", .bool(snapshot == .complete)))
        }
        return .object(members)
    }

    /// Reads a stored offset. One of the first transaction of all has no commit yet: then everything up to its event counts
    /// as committed.
    ///
    /// Source: debezium, `PostgresOffsetContext.Loader`.
    init(_ document: JSONValue) {
        func lsn(_ name: String) -> LSN? { document[name]?.integerValue.map { LSN(UInt64(bitPattern: $0)) } }
        self.lsn = lsn("lsn")
        processedLSN = lsn("lsn_proc")
        commitLSN = lsn("lsn_commit") ?? processedLSN
        transactionID = document["txId"]?.integerValue.map { UInt64($0) }
        timestampMicroseconds = document["ts_usec"]?.integerValue
        messageType = document["messageType"]?.stringValue
        if document["snapshot"]?.boolValue == true {
            snapshot = document["last_snapshot_record"]?.boolValue == true ? .complete : .running
        }
    }

    /// The key in the offset topic: the connector, and the server that it reads.
    static func key(_ settings: DebeziumSettings) -> JSONValue {
        [.string(settings.connectorName), .members(["server": .string(settings.topicPrefix)])]
    }
}

/// A record on its way to Kafka, with the offset that holds once it is there.
struct SourceRecord: Hashable, Sendable {
    var record: ProducerRecord
    var offset: ConnectorOffset
}
