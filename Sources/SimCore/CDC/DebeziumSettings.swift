public import Ports

/// How a Debezium PostgreSQL connector and the Connect worker that runs it are set. Defaults are theirs.
///
/// Source: Debezium documentation, "Debezium connector for PostgreSQL", connector properties; Kafka documentation, Connect
/// configuration.
public struct DebeziumSettings: Sendable {
    /// The connector's name in Connect: the key of its stored offset.
    public var connectorName: String
    /// `topic.prefix`: the logical name of the server.
    public var topicPrefix: String
    /// `slot.name`
    public var slotName: String
    /// `database.dbname`, as it stands in the source block.
    public var databaseName: String
    /// `table.include.list`, which is also what the publication holds (`publication.autocreate.mode=filtered`). The tables
    /// have to exist.
    public var tables: [Table]
    /// `tombstones.on.delete`
    public var emitsTombstones = true
    /// `provide.transaction.metadata`
    public var providesTransactionMetadata = false
    /// `heartbeat.interval.ms`; zero for none.
    public var heartbeatInterval = Nanoseconds.zero
    /// `heartbeat.action.query`: run with each heartbeat, so that the slot's position moves although the tables are quiet.
    public var heartbeatStatements: [Statement] = []
    /// The Outbox Event Router, when the connector has it as a transformation.
    public var outboxRouter: OutboxRouterSettings?
    /// `snapshot.mode`
    public var snapshotMode = SnapshotMode.initial
    /// `poll.interval.ms`: how long the connector waits for more when it has nothing.
    public var pollInterval = Nanoseconds.milliseconds(500)
    /// `max.batch.size`, in transactions here.
    public var maximumTransactionsPerPoll = 500
    /// `max.batch.size`, in rows: how many of a snapshot are produced together.
    public var snapshotBatchRowCount = 2_048
    /// `topic.creation.default.*`: how the worker creates topics that are not there; `nil` when it does not.
    public var topicCreation: TopicCreation?
    /// `offset.flush.interval.ms` of the worker: what was produced since is produced again after a crash.
    public var offsetFlushInterval = Nanoseconds.seconds(60)
    /// `offset.storage.topic` of the worker.
    public var offsetTopic = "connect-offsets"

    /// `topic.creation.default.partitions` and `.replication.factor`.
    public struct TopicCreation: Hashable, Sendable {
        public var partitionCount: Int32
        public var replicationFactor: Int16

        public init(partitionCount: Int32, replicationFactor: Int16) {
            self.partitionCount = partitionCount
            self.replicationFactor = replicationFactor
        }
    }

    /// Columns that a snapshot reads a table in the order of, by table (`snapshot.select.statement.overrides` with ORDER BY);
    /// otherwise that of its primary key.
    public var snapshotOrders: [String: [String]] = [:]

    /// When a snapshot is taken.
    public enum SnapshotMode: String, Hashable, Sendable {
        /// When no offset is stored.
        case initial
        /// Likewise, and when the slot has not got what the stored offset needs.
        case whenNeeded = "when_needed"
        /// Never: streaming begins where the slot stands.
        case noData = "no_data"
    }

    public init(connectorName: String, topicPrefix: String, slotName: String, tables: [Table]) {
        self.connectorName = connectorName
        self.topicPrefix = topicPrefix
        self.slotName = slotName
        self.tables = tables
        databaseName = "postgres"
    }
}

/// How the Outbox Event Router is set. Source: Debezium documentation, "Outbox Event Router", configuration options.
public struct OutboxRouterSettings: Hashable, Sendable {
    /// What is done with an update of an outbox row, which nobody should make (`table.op.invalid.behavior`).
    public enum UpdateBehavior: String, Hashable, Sendable {
        /// It is logged and left out.
        case warn
        /// It is logged as an error and left out.
        case error
        /// The task fails.
        case fatal
    }

    /// Where a further column of the row goes (`table.fields.additional.placement`).
    public struct Placement: Hashable, Sendable {
        public let column: String
        /// The header's name.
        public let header: String

        public init(_ column: String, header: String) {
            self.column = column
            self.header = header
        }
    }

    /// `table.field.event.id`
    public var idColumn = "id"
    /// `route.by.field`
    public var routeColumn = "aggregatetype"
    /// `table.field.event.key`
    public var keyColumn = "aggregateid"
    /// `table.field.event.payload`
    public var payloadColumn = "payload"
    /// `route.topic.replacement`, what stands before `${routedByValue}`.
    public var topicPrefix = "outbox.event."
    /// `table.fields.additional.placement`, headers only.
    public var placements: [Placement] = []
    /// `table.expand.json.payload`
    public var expandsJSON = false
    /// `route.tombstone.on.empty.payload`
    public var emptyPayloadIsTombstone = false
    public var updateBehavior = UpdateBehavior.warn

    public init() {}

    /// Reads the text of `table.fields.additional.placement`: `column:header:alias,...`.
    ///
    /// - Throws: ``DebeziumError/configuration(_:)`` for a placement that is not modelled.
    public mutating func place(_ text: String) throws(DebeziumError) {
        for part in text.split(separator: ",") {
            let words = part.split(separator: ":")
            guard words.count == 2 || words.count == 3, words[1] == "header" else {
                throw .configuration(
                    "placement '\(part)' is not modelled; expected column:header or column:header:alias")
            }
            placements.append(
                Placement(String(words[0]), header: String(words.last! == "header" ? words[0] : words[2])))
        }
    }
}

/// Why a connector's task failed. Connect does not start a failed task again by itself.
public enum DebeziumError: Error, Hashable, Sendable, CustomStringConvertible {
    case configuration(String)
    /// The slot has gone on, or was created again, since the offset was stored: changes in between are gone.
    case offsetNoLongerAvailable(stored: LSN, slot: LSN)
    /// A row that the event router was told not to expect (`table.op.invalid.behavior=fatal`), or cannot route.
    case unexpectedOutboxRow(String)

    public var description: String {
        switch self {
        case .configuration(let text): text
        case .offsetNoLongerAvailable(let stored, let slot):
            "the offset stored is \(stored), but the slot stands at \(slot): what lies between is no longer available; "
                + "use snapshot.mode=when_needed"
        case .unexpectedOutboxRow(let text): text
        }
    }
}
