import Ports
import SimCore

/// The Outbox Event Router: what becomes of an outbox row.
enum OutboxRouterCases {
    static let all: [ContractCase] = [
        routed, headers, payloadText, expanded, expandedNulls, deletesDropped, updateWarned, updateFatal,
        snapshotRouted,
        byAggregate, emptyPayload,
    ]

    private static let outbox = Table(
        "outbox",
        columns: [
            .column("id", .uuid), .column("aggregatetype", .text), .column("aggregateid", .text),
            .column("type", .text), .column("version", .int64), .column("payload", .json, nullable: true),
        ],
        primaryKey: ["id"])
    private static let schema = Schema(name: "contract", version: 1, tables: [outbox])

    private static func options(_ change: (inout OutboxRouterSettings) -> Void = { _ in }) -> ConnectorOptions {
        var router = OutboxRouterSettings()
        change(&router)
        var options = ConnectorOptions(tables: [outbox])
        options.router = router
        return options
    }

    private static func id(_ number: UInt64) -> UniqueID { UniqueID(high: 0xFEED, low: number) }

    /// One event.
    private static func event(
        _ number: UInt64, order: String = "o-1", aggregate: String = "order", payload: Value = .json(.members(["n": 1]))
    ) -> Statement {
        .insert(
            Insert(
                into: outbox, rows: [[.uuid(id(number)), .text(aggregate), .text(order), "OrderPlaced", 2, payload]]))
    }

    /// The topic of an aggregate type, of this case alone.
    private static func topic(_ stage: ConnectorStage, _ aggregate: String = "order") -> String {
        "\(stage.connector.topicPrefix).event.\(aggregate)"
    }

    private static func begin(_ stage: ConnectorStage) async throws {
        try await stage.connector.start()
        try await stage.clock.sleep(for: .milliseconds(500))
    }

    private static let routed = ContractCase.debezium(
        "router/routed",
        "An outbox row becomes a record: topic by aggregatetype, key aggregateid, value payload, header id",
        options: options { $0.expandsJSON = true }, schema: schema
    ) { stage in
        try await begin(stage)
        try await stage.write(event(1))
        let record = try await stage.records(topic(stage), 1)[0]
        try expect(record.key, equals: "o-1", "key")
        try expect(record.event, equals: .members(["n": 1]), "value")
        try expect(record.header("id"), equals: id(1).description, "id")
        try expect(record.header("eventType"), equals: nil, "eventType, which was not asked for")
    }

    private static let headers = ContractCase.debezium(
        "router/headers", "Further columns become headers by table.fields.additional.placement, in that order",
        options: options { router in
            router.placements = [.init("type", header: "eventType"), .init("version", header: "eventVersion")]
        }, schema: schema
    ) { stage in
        try await begin(stage)
        try await stage.write(event(1))
        let record = try await stage.records(topic(stage), 1)[0]
        try expect(record.header("eventType"), equals: "OrderPlaced", "eventType")
        try expect(record.header("eventVersion"), equals: "2", "eventVersion")
        try expect(
            record.headers.map(\.name).filter { !$0.hasPrefix("__debezium") },
            equals: ["id", "eventType", "eventVersion"], "headers")
    }

    private static let payloadText = ContractCase.debezium(
        "router/payload-text",
        "Without table.expand.json.payload the value is a string: the document as the server prints it",
        options: options(), schema: schema
    ) { stage in
        try await begin(stage)
        try await stage.write(event(1, payload: .json(.members(["bb": [1, 2], "a": "x"]))))
        let record = try await stage.records(topic(stage), 1)[0]
        try expect(record.event, equals: .string(#"{"a": "x", "bb": [1, 2]}"#), "value")
    }

    private static let expanded = ContractCase.debezium(
        "router/payload-expanded", "With table.expand.json.payload the value is the document itself",
        options: options { $0.expandsJSON = true }, schema: schema
    ) { stage in
        try await begin(stage)
        let document = JSONValue.members([
            "name": "x\"é", "paid": true,
            // Members as `jsonb` keeps them.
            "items": [.members(["q": 2, "id": 1]), .members(["q": 3, "id": 2])], "total": 1_250,
        ])
        try await stage.write(event(1, payload: .json(document)))
        let record = try await stage.records(topic(stage), 1)[0]
        for member in ["items", "total", "name", "paid"] {
            try expect(record.event[member], equals: document[member], member)
        }
    }

    private static let expandedNulls = ContractCase.debezium(
        "router/payload-nulls", "Expansion leaves out members that are null",
        options: options { $0.expandsJSON = true }, schema: schema
    ) { stage in
        try await begin(stage)
        try await stage.write(event(1, payload: .json(.members(["a": .null, "b": 1]))))
        let record = try await stage.records(topic(stage), 1)[0]
        try expect(record.event, equals: .members(["b": 1]), "value")
    }

    private static let deletesDropped = ContractCase.debezium(
        "router/deletes", "Deletes of outbox rows and their tombstones are dropped",
        options: options { $0.expandsJSON = true }, schema: schema
    ) { stage in
        try await begin(stage)
        try await stage.write(event(1), .delete(Delete(from: outbox, where: [])))
        try await stage.write(event(2))
        try await stage.write(.delete(Delete(from: outbox, where: [])))
        try await stage.write(event(3))
        let records = try await stage.records(topic(stage), 3)
        try expect(records.map { $0.header("id") }, equals: (1...3).map { id($0).description }, "events")
    }

    private static let touch = Statement.update(
        Update(outbox, set: [.set(outbox.column("type"), "Changed")], where: []))

    private static let updateWarned = ContractCase.debezium(
        "router/update", "An update of an outbox row is left out with a warning, and the connector goes on",
        options: options(), schema: schema
    ) { stage in
        try await begin(stage)
        try await stage.write(event(1))
        try await stage.write(touch)
        try await stage.write(event(2))
        let records = try await stage.records(topic(stage), 2)
        try expect(records.map { $0.header("id") }, equals: (1...2).map { id($0).description }, "events")
    }

    private static let updateFatal = ContractCase.debezium(
        "router/update-fatal", "With table.op.invalid.behavior=fatal an update of an outbox row fails the task",
        options: options { $0.updateBehavior = .fatal }, schema: schema
    ) { stage in
        try await begin(stage)
        try await stage.write(event(1))
        _ = try await stage.records(topic(stage), 1)
        try await stage.write(touch)
        try await stage.mustFail()
    }

    private static let snapshotRouted = ContractCase.debezium(
        "router/snapshot", "Rows that a snapshot reads are routed, too: retained outbox rows come again with each",
        options: options { $0.expandsJSON = true }, schema: schema
    ) { stage in
        try await stage.write(event(1), event(2))
        try await stage.connector.start()
        _ = try await stage.records(topic(stage), 2)
        try await stage.connector.stop()
        try await stage.connector.forgetOffset()
        try await stage.connector.start()
        let records = try await stage.records(topic(stage), 4)
        try expect(
            records.map { $0.header("id") }, equals: [1, 2, 1, 2].map { id($0).description }, "events")
    }

    private static let byAggregate = ContractCase.debezium(
        "router/topics", "Each aggregate type has a topic of its own",
        options: options { $0.expandsJSON = true }, schema: schema
    ) { stage in
        try await begin(stage)
        try await stage.write(event(1), event(2, order: "p-1", aggregate: "payment"), event(3))
        let orders = try await stage.records(topic(stage), 2)
        let payments = try await stage.records(topic(stage, "payment"), 1)
        try expect((orders + payments).map(\.key), equals: ["o-1", "o-1", "p-1"], "keys")
    }

    private static let emptyPayload = ContractCase.debezium(
        "router/empty-payload", "A row without payload becomes a record whose value is null",
        options: options { $0.expandsJSON = true }, schema: schema
    ) { stage in
        try await begin(stage)
        try await stage.write(event(1, payload: .null))
        let record = try await stage.records(topic(stage), 1)[0]
        try expect(record.value?.json ?? .null, equals: .null, "value")
        try expect(record.header("id"), equals: id(1).description, "id")
    }
}
