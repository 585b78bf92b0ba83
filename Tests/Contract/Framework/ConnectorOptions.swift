import Ports
import SimCore

/// How a case's Debezium connector is to be set.
struct ConnectorOptions: Sendable {
    var tables: [Table] = [Fixtures.test]
    var emitsTombstones = true
    var providesTransactionMetadata = false
    var heartbeatInterval: Nanoseconds = .zero
    /// A write that is made with each heartbeat: as a statement, and as the same in SQL, where `{schema}`
    /// stands for the schema's name.
    var heartbeatAction: (statement: Statement, sql: String)?
    var router: OutboxRouterSettings?
    var snapshotMode = DebeziumSettings.SnapshotMode.initial
}

/// One connector, and what can be done to the worker that runs it.
protocol ConnectorServer: Sendable {
    /// Topics of change events are `<prefix>.<schema>.<table>`.
    var topicPrefix: String { get }
    var schemaName: String { get }
    var databaseName: String { get }
    /// The slot it consumes.
    var slotName: String { get }
    /// How often the worker flushes offsets. Cases that crash it take much less time.
    var offsetFlushInterval: Nanoseconds { get }

    /// Starts the connector, or starts it again, and waits until its task runs, or has failed.
    func start() async throws
    /// Stops it in good order: offsets are flushed.
    func stop() async throws
    /// Kills its worker. ``start()`` begins again with what was flushed.
    func crash() async throws
    /// Whether its task has failed.
    func hasFailed() async throws -> Bool
    /// Deletes its stored offset while it is stopped.
    func forgetOffset() async throws
    /// The offset stored last.
    func storedOffset() async throws -> JSONValue?
    /// Every record of a topic so far, in order; none while the topic does not exist.
    func records(of topic: String) async throws -> [ConsumerRecord]
    func discard() async
}

extension ConnectorServer {
    func topic(of table: Table) -> String { "\(topicPrefix).\(schemaName).\(table.name)" }
    var transactionTopic: String { "\(topicPrefix).transaction" }
    var heartbeatTopic: String { "__debezium-heartbeat.\(topicPrefix)" }
}
