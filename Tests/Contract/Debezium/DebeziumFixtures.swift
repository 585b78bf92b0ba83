import Ports
import SimCore

/// What a case on the connector works with.
struct ConnectorStage: Sendable {
    let server: any DatabaseServer
    let connector: any ConnectorServer
    let clock: any ServiceClock

    /// How long records are waited for: a real worker takes its time to start.
    static let patience: Nanoseconds = .seconds(60)
    /// How long a look for records that should not come is.
    static let quietSpan: Nanoseconds = .seconds(2)

    /// Runs the statements as one transaction.
    func write(_ statements: Statement...) async throws { _ = try await server.database.executeAtomically(statements) }

    /// All records of a topic, once there are so many, and no more a while later.
    func records(
        _ topic: String, _ count: Int, file: String = #fileID, line: UInt = #line
    ) async throws -> [ConsumerRecord] {
        let found = try await recordsOnceThere(topic, count, file: file, line: line)
        guard found.count == count else {
            throw ContractFailure(
                "topic \(topic) has \(found.count) records instead of \(count): \(found.map(\.summary))", file: file,
                line: line)
        }
        try await clock.sleep(for: .milliseconds(500))
        let later = try await connector.records(of: topic)
        try expect(later.count, equals: count, "records of \(topic) a while later", file: file, line: line)
        return found
    }

    /// All records of a topic, once there are at least so many.
    func recordsOnceThere(
        _ topic: String, _ count: Int, file: String = #fileID, line: UInt = #line
    ) async throws -> [ConsumerRecord] {
        let deadline = clock.monotonicNow + Self.patience
        while true {
            let found = try await connector.records(of: topic)
            if found.count >= count { return found }
            guard clock.monotonicNow < deadline else {
                let hasFailed = try await connector.hasFailed()
                throw ContractFailure(
                    "topic \(topic) has \(found.count) of \(count) records after \(Self.patience)\(hasFailed ? "; the task has failed" : ""): \(found.map(\.summary))",
                    file: file, line: line)
            }
            try await clock.sleep(for: .milliseconds(50))
        }
    }

    /// The records of `test`, or of another table.
    func changes(
        _ count: Int, of table: Table = Fixtures.test, file: String = #fileID, line: UInt = #line
    ) async throws -> [ConsumerRecord] {
        try await records(connector.topic(of: table), count, file: file, line: line)
    }

    /// Waits until the task has failed.
    func mustFail(file: String = #fileID, line: UInt = #line) async throws {
        let deadline = clock.monotonicNow + Self.patience
        while try await !connector.hasFailed() {
            guard clock.monotonicNow < deadline else {
                throw ContractFailure("the task has not failed", file: file, line: line)
            }
            try await clock.sleep(for: .milliseconds(100))
        }
    }
}

extension ConsumerRecord {
    /// The change event in the value.
    var event: JSONValue { value?.json ?? .null }
    var operation: String? { event["op"]?.stringValue }
    /// `op id`, for messages and for checks of order; `tombstone` for a record without a value.
    var summary: String {
        guard let value, let document = value.json else { return "tombstone \(key ?? "nil")" }
        guard let operation else { return "\(key ?? "nil"): \(document)" }
        let after = document["after"] ?? .null
        let row = after.isNull ? document["before"] ?? .null : after
        return "\(operation) \(row["id"]?.integerValue ?? -1)"
    }
}

extension ContractCase {
    /// A case on a database with the fixtures' schema and rows (1, 10) and (2, 20) in `test`, and a connector on it that is
    /// not started.
    static func debezium(
        _ id: String, _ rule: String, options: ConnectorOptions = ConnectorOptions(), schema: Schema = Fixtures.schema,
        _ body: @escaping @Sendable (ConnectorStage) async throws -> Void
    ) -> ContractCase {
        ContractCase("debezium/\(id)", rule, area: .debezium) { world in
            let server = try await world.makeDatabase(DatabaseOptions())
            do {
                try await server.administration.migrate(to: schema)
                if schema.tables.contains(where: { $0.name == Fixtures.test.name }) {
                    _ = try await server.database.executeAtomically([
                        .insert(Insert(into: Fixtures.test, rows: [[1, 10], [2, 20]]))
                    ])
                }
                let connector = try await world.makeConnector(options, on: server)
                do {
                    try await body(ConnectorStage(server: server, connector: connector, clock: world.clock))
                } catch {
                    await connector.discard()
                    throw error
                }
                await connector.discard()
            } catch {
                await server.discard()
                throw error
            }
            await server.discard()
        }
    }
}
