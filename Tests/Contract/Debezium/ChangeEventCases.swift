import Ports
import SimCore

/// The events of changed rows, member by member.
enum ChangeEventCases {
    static let all: [ContractCase] = [
        create, update, delete, deletePlaceholders, noTombstone, changedKey, compositeKey, everyType, nulls, source,
        sequence, transactionMetadata, commitOrder, contextHeaders, otherTables,
    ]

    /// Starts without the rows that are there, so that each case sees its own changes only.
    private static let quiet = ConnectorOptions(snapshotMode: .noData)

    private static func quiet(_ change: (inout ConnectorOptions) -> Void) -> ConnectorOptions {
        var options = quiet
        change(&options)
        return options
    }

    /// Starts the connector and waits until its slot is consumed.
    private static func begin(_ stage: ConnectorStage) async throws {
        try await stage.connector.start()
        let deadline = stage.clock.monotonicNow + ConnectorStage.patience
        while try await stage.server.changeStreams.slot(stage.connector.slotName)?.isActive != true {
            try expect(stage.clock.monotonicNow < deadline, "the slot is consumed in time")
            try await stage.clock.sleep(for: .milliseconds(50))
        }
    }

    private static func names(_ document: JSONValue?) -> [String] {
        if case .object(let members)? = document { members.map(\.name) } else { [] }
    }

    private static let create = ContractCase.debezium(
        "events/create", "An insert is an event with op c: before null, after the whole row, and the key as a struct",
        options: quiet
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insert(3, 30))
        let record = try await stage.changes(1)[0]
        try expect(record.key, equals: #"{"id":3}"#, "key")
        try expect(
            names(record.event),
            equals: ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"], "members")
        try expect(record.event["before"], equals: .null, "before")
        try expect(record.event["after"], equals: .members(["id": 3, "value": 30]), "after")
        try expect(record.operation, equals: "c", "op")
        let (milliseconds, nanoseconds) = (record.event["ts_ms"]?.integerValue, record.event["ts_ns"]?.integerValue)
        try expect(milliseconds, equals: nanoseconds.map { $0 / 1_000_000 }, "ts_ms beside ts_ns")
    }

    private static let update = ContractCase.debezium(
        "events/update",
        "An update is an event with op u: after the whole row, and before null, since only keys are logged",
        options: quiet
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.set(1, 11))
        let record = try await stage.changes(1)[0]
        try expect(record.operation, equals: "u", "op")
        try expect(record.event["before"], equals: .null, "before")
        try expect(record.event["after"], equals: .members(["id": 1, "value": 11]), "after")
    }

    private static let delete = ContractCase.debezium(
        "events/delete", "A delete is an event with op d and after null, and a tombstone behind it with the same key",
        options: quiet
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.delete(1))
        let records = try await stage.changes(2)
        try expect(records.map(\.key), equals: [#"{"id":1}"#, #"{"id":1}"#], "keys")
        try expect(records[0].operation, equals: "d", "op")
        try expect(records[0].event["after"], equals: .null, "after")
        try expect(records[1].value, equals: nil, "the tombstone's value")
    }

    private static let deletePlaceholders = ContractCase.debezium(
        "events/delete-before",
        "REPLICA IDENTITY DEFAULT: a delete's before has the key, null for what may be null, and zeros for the rest",
        options: quiet { $0.tables = [required] }, schema: Schema(name: "contract", version: 1, tables: [required])
    ) { stage in
        try await begin(stage)
        try await stage.write(
            .insert(
                Insert(
                    into: required,
                    rows: [
                        [
                            1, 5, "x", true, .uuid(UniqueID(high: 1, low: 2)), .timestamp(.epoch + .seconds(1)),
                            .json(.members(["a": 1])), .bytes([1]), "y",
                        ]
                    ])))
        try await stage.write(.delete(Delete(from: required, where: [required.column("id") == 1])))
        let records = try await stage.changes(3, of: required)
        try expect(
            records[1].event["before"],
            equals: .members([
                "id": 1, "n": 0, "t": "", "b": false, "u": "", "at": "1970-01-01T00:00:00Z", "j": "", "y": "",
                "o": .null,
            ]), "before")
    }

    /// A column of each type that may not be null, and one that may.
    private static let required = Table(
        "required",
        columns: [
            .column("id", .int64), .column("n", .int64), .column("t", .text), .column("b", .bool), .column("u", .uuid),
            .column("at", .timestamp), .column("j", .json), .column("y", .bytes), .column("o", .text, nullable: true),
        ],
        primaryKey: ["id"])

    private static let noTombstone = ContractCase.debezium(
        "events/no-tombstone", "With tombstones.on.delete=false a delete has no tombstone behind it",
        options: quiet { $0.emitsTombstones = false }
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.delete(1))
        try await stage.write(Fixtures.insert(3, 30))
        try expect(try await stage.changes(2).map(\.summary), equals: ["d 1", "c 3"], "events")
    }

    private static let changedKey = ContractCase.debezium(
        "events/changed-key",
        "A changed primary key is a delete with its tombstone and a create, each with the other's key in a header",
        options: quiet
    ) { stage in
        try await begin(stage)
        try await stage.write(
            .update(Update(Fixtures.test, set: [.set(Fixtures.id, 9)], where: [Fixtures.id == 1])))
        let records = try await stage.changes(3)
        try expect(records.map(\.summary), equals: ["d 1", #"tombstone {"id":1}"#, "c 9"], "events")
        try expect(
            records.map { $0.header("__debezium.newkey") }, equals: [#"{"id":9}"#, #"{"id":9}"#, nil], "new keys")
        try expect(records.map { $0.header("__debezium.oldkey") }, equals: [nil, nil, #"{"id":1}"#], "old keys")
        try expect(
            records[0].event["source"]?["lsn"], equals: records[2].event["source"]?["lsn"],
            "one position for both events")
    }

    private static let pairs = Table(
        "pairs",
        columns: [.column("a", .text), .column("b", .int64), .column("c", .bool), .column("v", .text, nullable: true)],
        primaryKey: ["b", "a"])

    private static let compositeKey = ContractCase.debezium(
        "events/composite-key", "The key of several columns is a struct of them all",
        options: quiet { $0.tables = [pairs] }, schema: Schema(name: "contract", version: 1, tables: [pairs])
    ) { stage in
        try await begin(stage)
        try await stage.write(.insert(Insert(into: pairs, rows: [["x\"y", -7, true, nil]])))
        let record = try await stage.changes(1, of: pairs)[0]
        try expect(record.event["after"], equals: .members(["a": "x\"y", "b": -7, "c": true, "v": .null]), "after")
        try expect(record.key, equals: #"{"b":-7,"a":"x\"y"}"#, "key, in the order of the primary key")
    }

    private static let everyType = ContractCase.debezium(
        "events/types", "Values of each type as Debezium's converters write them",
        options: quiet { $0.tables = [required] }, schema: Schema(name: "contract", version: 1, tables: [required])
    ) { stage in
        try await begin(stage)
        let document = JSONValue.members(["bb": 1, "a": [1, .decimal(unscaled: 250, scale: 2), "x\"é\n"]])
        try await stage.write(
            .insert(
                Insert(
                    into: required,
                    rows: [
                        [
                            .int64(.max), .int64(.min), "ü\n", false,
                            .uuid(UniqueID(high: 0x2adf_1194_be14_46cd, low: 0xa7c8_7f22_b7d2_e4e1)),
                            .timestamp(Instant(nanosecondsSinceEpoch: 1_767_323_045_123_456_000)), .json(document),
                            .bytes([1, 2, 255, 0]), "",
                        ]
                    ])))
        let record = try await stage.changes(1, of: required)[0]
        try expect(
            record.event["after"],
            equals: .members([
                "id": .integer(.max), "n": .integer(.min), "t": "ü\n", "b": false,
                "u": "2adf1194-be14-46cd-a7c8-7f22b7d2e4e1", "at": "2026-01-02T03:04:05.123456Z",
                "j": #"{"a": [1, 2.50, "x\"é\n"], "bb": 1}"#, "y": "AQL/AA==", "o": "",
            ]), "after")
    }

    private static let nulls = ContractCase.debezium(
        "events/nulls", "A null is null", options: quiet { $0.tables = [Fixtures.everyType] }
    ) { stage in
        try await begin(stage)
        try await stage.write(
            .insert(Insert(into: Fixtures.everyType, rows: [[1, nil, nil, nil, nil, nil, nil, nil]])))
        let record = try await stage.changes(1, of: Fixtures.everyType)[0]
        try expect(
            record.event["after"],
            equals: .members([
                "id": 1, "a_int64": .null, "a_text": .null, "a_bool": .null, "a_uuid": .null, "a_timestamp": .null,
                "a_json": .null, "a_bytes": .null,
            ]), "after")
    }

    private static let source = ContractCase.debezium(
        "events/source", "The source block names connector, database, table, transaction and position", options: quiet
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insert(3, 30), Fixtures.set(1, 11))
        let sources = try await stage.changes(2).map { $0.event["source"] ?? .null }
        let first = sources[0]
        try expect(
            names(first),
            equals: [
                "version", "connector", "name", "ts_ms", "snapshot", "db", "sequence", "ts_us", "ts_ns", "schema",
                "table", "txId", "lsn", "xmin", "origin", "origin_lsn",
            ], "members")
        try expect(first["version"], equals: "3.6.3.Final", "version")
        try expect(first["connector"], equals: "postgresql", "connector")
        try expect(first["name"]?.stringValue, equals: stage.connector.topicPrefix, "name")
        try expect(first["snapshot"], equals: "false", "snapshot")
        try expect(first["db"]?.stringValue, equals: stage.connector.databaseName, "db")
        try expect(first["schema"]?.stringValue, equals: stage.connector.schemaName, "schema")
        try expect(first["table"], equals: "test", "table")
        for member in ["xmin", "origin", "origin_lsn"] { try expect(first[member], equals: .null, member) }
        try expect(sources[1]["txId"], equals: first["txId"], "the transaction of both events")
        guard let firstLSN = first["lsn"]?.integerValue, let secondLSN = sources[1]["lsn"]?.integerValue else {
            throw ContractFailure("a source without lsn")
        }
        try expect(firstLSN < secondLSN, "positions of a transaction's events grow")
        guard let nanoseconds = first["ts_ns"]?.integerValue else { throw ContractFailure("a source without ts_ns") }
        try expect(nanoseconds % 1_000, equals: 0, "the database's clock has microseconds")
        try expect(first["ts_us"]?.integerValue, equals: nanoseconds / 1_000, "ts_us")
        try expect(first["ts_ms"]?.integerValue, equals: nanoseconds / 1_000_000, "ts_ms")
    }

    private static let sequence = ContractCase.debezium(
        "events/sequence", "source.sequence is a JSON string of the last commit's end and the event's position",
        options: quiet
    ) { stage in
        try await begin(stage)
        for id in 3...5 as ClosedRange<Int64> { try await stage.write(Fixtures.insert(id, 0)) }
        let sources = try await stage.changes(3).map { $0.event["source"] ?? .null }
        var earlier: Int64 = 0
        for (index, source) in sources.enumerated() {
            guard let lsn = source["lsn"]?.integerValue, let sequence = source["sequence"]?.stringValue else {
                throw ContractFailure("a source without lsn or sequence: \(source)")
            }
            if index == 0 {
                try expect(sequence, equals: "[null,\"\(lsn)\"]", "sequence of the first event")
            } else {
                let parts = sequence.split(separator: "\"").map(String.init)
                guard parts.count == 5, let commit = Int64(parts[1]) else {
                    throw ContractFailure("not a sequence of two: \(sequence)")
                }
                try expect(parts[3], equals: "\(lsn)", "position in \(sequence)")
                try expect(commit > earlier && commit <= lsn, "\(commit) ends the commit of \(earlier), before \(lsn)")
            }
            earlier = lsn
        }
    }

    private static let transactionMetadata = ContractCase.debezium(
        "events/transaction-metadata",
        "provide.transaction.metadata: each event has its place in its transaction, which BEGIN and END enclose",
        options: quiet {
            $0.tables = [Fixtures.stock, Fixtures.test]
            $0.providesTransactionMetadata = true
        }
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insert(3, 30), Fixtures.insertStock(1, "a"), Fixtures.set(1, 11))
        let events = try await stage.changes(2)
        let stock = try await stage.changes(1, of: Fixtures.stock)[0]
        let places = [events[0], stock, events[1]].map { $0.event["transaction"] ?? .null }
        try expect(places.map { $0["total_order"] }, equals: [1, 2, 3], "total order")
        try expect(places.map { $0["data_collection_order"] }, equals: [1, 1, 2], "order among the table's events")
        guard let id = places[0]["id"]?.stringValue, let txID = events[0].event["source"]?["txId"]?.integerValue else {
            throw ContractFailure("an event without its transaction")
        }
        try expect(id.hasPrefix("\(txID):"), "\(id) begins with \(txID)")
        let frame = try await stage.records(stage.connector.transactionTopic, 2).map(\.event)
        try expect(frame.map { $0["status"] }, equals: ["BEGIN", "END"], "status")
        try expect(frame[0]["id"]?.stringValue, equals: id, "BEGIN's id")
        try expect(frame[0]["event_count"], equals: .null, "BEGIN's count")
        try expect(frame[1]["event_count"], equals: 3, "END's count")
        let schema = stage.connector.schemaName
        // Debezium counts them in a hash table, whose order depends on the names.
        let collections = (frame[1]["data_collections"]?.arrayValue ?? []).sorted {
            ($0["data_collection"]?.stringValue ?? "") < ($1["data_collection"]?.stringValue ?? "")
        }
        try expect(
            collections,
            equals: [
                .members(["data_collection": .string("\(schema).stock"), "event_count": 1]),
                .members(["data_collection": .string("\(schema).test"), "event_count": 2]),
            ], "END's collections")
    }

    private static let commitOrder = ContractCase.debezium(
        "events/commit-order", "Events come in the order of commits, and never of what was rolled back", options: quiet
    ) { stage in
        try await begin(stage)
        let database = stage.server.database
        let (a, b, c) = (try await database.connect(), try await database.connect(), try await database.connect())
        for session in [a, b, c] { try await session.begin(.readCommitted) }
        _ = try await a.execute(Fixtures.insert(3, 0))
        _ = try await b.execute(Fixtures.insert(4, 0))
        _ = try await c.execute(Fixtures.insert(5, 0))
        _ = try await a.execute(Fixtures.insert(6, 0))
        try await c.rollback()
        try await b.commit()
        try await a.commit()
        for session in [a, b, c] { await session.close() }
        try expect(try await stage.changes(3).map(\.summary), equals: ["c 4", "c 3", "c 6"], "events")
    }

    private static let contextHeaders = ContractCase.debezium(
        "events/context-headers", "Headers say which connector, task and run wrote a record", options: quiet
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insert(3, 30))
        let record = try await stage.changes(1)[0]
        try expect(
            record.headers.map(\.name),
            equals: [
                "__debezium.context.connectorLogicalName", "__debezium.context.taskId",
                "__debezium.context.connectorName", "__debezium.context.runId",
            ], "headers")
        try expect(
            record.headers.prefix(3).map(\.value), equals: [stage.connector.topicPrefix, "0", "postgresql"], "values")
    }

    private static let otherTables = ContractCase.debezium(
        "events/other-tables", "Tables that are not in table.include.list are not published", options: quiet
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insertStock(1, "a"))
        try await stage.write(Fixtures.insert(3, 30), Fixtures.insertStock(2, "b"))
        try expect(try await stage.changes(1).map(\.summary), equals: ["c 3"], "events of test")
        let stock = try await stage.connector.records(of: stage.connector.topic(of: Fixtures.stock))
        try expect(stock.count, equals: 0, "events of stock")
    }
}
