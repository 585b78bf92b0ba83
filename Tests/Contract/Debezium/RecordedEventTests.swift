import AdapterJSON
import Foundation
import Ports
import Testing

@testable import SimCore

/// What the simulated connector writes for the changes that a real Debezium 3.6.3 once published, beside what that wrote:
/// recorded.json, with Connect's JSON converters without schemas.
@Suite("Records of Debezium, beside those of the simulated connector")
struct RecordedEventTests {
    private static let recorded: JSONValue = {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("recorded.json")
            .path
        let bytes = [UInt8](FileManager.default.contents(atPath: path)!)
        return try! JSONReader.read(bytes, limits: JSONLimits(maximumByteCount: 1 << 20))
    }()

    private static func records(_ name: String, topic: String) -> [JSONValue] {
        recorded[name]!.arrayValue!.filter { $0["topic"]?.stringValue == topic }
    }

    private static func value(_ record: JSONValue) throws -> JSONValue {
        try JSONReader.read(Array(record["value"]!.stringValue!.utf8), limits: JSONLimits(maximumByteCount: 1 << 20))
    }

    private static func headers(_ record: JSONValue) -> [RecordHeader] {
        record["headers"]!.arrayValue!.map {
            RecordHeader($0.arrayValue![0].stringValue!, $0.arrayValue![1].stringValue!)
        }
    }

    private static func runID(_ record: JSONValue) -> String {
        headers(record).first { $0.name == "__debezium.context.runId" }!.value
    }

    // MARK: The item table

    /// `price numeric(10,2)` travels as the bytes of its unscaled value.
    private static let item = Table(
        "item",
        columns: [
            .column("id", .int64), .column("name", .text, nullable: true), .column("price", .bytes, nullable: true),
            .column("at", .timestamp),
        ],
        primaryKey: ["id"])

    private static func instant(microseconds: Int64) -> Instant {
        Instant(nanosecondsSinceEpoch: microseconds * 1_000)
    }

    private static func row(_ id: Int64, _ name: String, price: [UInt8], at microseconds: Int64) -> Row {
        Row([.int64(id), .text(name), .bytes(price), .timestamp(instant(microseconds: microseconds))])
    }

    private static func key(_ id: Int64) -> Row { Row([.int64(id), .null, .null, .null]) }

    /// The transactions of the recording, with the positions that they had.
    private static let transactions: [CommittedTransaction] = {
        let inserted = 1_795_361_303_037_941 as Int64
        let a = row(1, "a", price: [0, 225], at: inserted)
        let b = row(1, "b", price: [0, 225], at: inserted)
        let moved = row(2, "b", price: [0, 225], at: inserted)
        let changes: [(UInt64, UInt64, UInt64, Int64, RowChange)] = [
            (736, 22_220_496, 22_220_688, 1_795_361_303_038_117, .insert(new: a)),
            (737, 22_220_688, 22_220_832, 1_795_361_303_038_998, .update(oldKey: nil, new: b)),
            (738, 22_220_832, 22_221_048, 1_795_361_303_039_338, .update(oldKey: key(1), new: moved)),
            (739, 22_221_048, 22_221_200, 1_795_361_303_039_688, .delete(oldKey: key(2))),
        ]
        return changes.map { id, lsn, end, committed, change in
            CommittedTransaction(
                transactionID: id, commitLSN: LSN(end - 48), endLSN: LSN(end),
                committedAt: instant(microseconds: committed),
                changes: [ChangeEvent(table: "item", change: change, lsn: LSN(lsn))])
        }
    }()

    private static func connector(runID: String) -> DebeziumConnector {
        var settings = DebeziumSettings(connectorName: "raw", topicPrefix: "raw", slotName: "raw", tables: [item])
        settings.providesTransactionMetadata = true
        return DebeziumConnector(settings, stored: nil, runID: runID)
    }

    /// Everything that the connector writes for the recording.
    private static func written() throws -> [ProducerRecord] {
        let events = records("change_events", topic: "raw.public.item")
        var connector = connector(runID: runID(events[0]))
        connector.beginSnapshot(
            position: LSN(22_219_272), transactionID: 731, at: instant(microseconds: 1_795_361_297_622_199))
        let snapshot = row(0, "snap", price: [0, 150], at: 1_795_361_296_686_795)
        let now = Instant(nanosecondsSinceEpoch: try value(events[0])["ts_ns"]!.integerValue!)
        var written = try connector.snapshotRows(
            [snapshot], of: item, isFirstTable: true, isLastTable: true, rowCount: 1, now: now)
        connector.finishSnapshot()
        for transaction in transactions { written += try connector.receive(transaction, now: now) }
        return written.map(\.record)
    }

    /// Without the connector's own time, which differs from event to event.
    private static func withoutTime(_ event: JSONValue) -> JSONValue {
        guard case .object(let members) = event else { return event }
        return .object(members.filter { !["ts_ms", "ts_us", "ts_ns"].contains($0.name) })
    }

    /// The recorded table had a default for `at`, in whose form a value that is not known is written; a column without a
    /// default has `1970-01-01T00:00:00Z` there, as a case of the contract shows.
    private static func withoutDefault(_ event: JSONValue) -> JSONValue {
        guard case .object(let members) = event else { return event }
        return .object(
            members.map { member in
                guard member.name == "before", case .object(let columns) = member.value else { return member }
                return JSONMember(
                    "before",
                    .object(
                        columns.map {
                            $0.value == "1970-01-01T00:00:00.000000Z"
                                ? JSONMember($0.name, "1970-01-01T00:00:00Z") : $0
                        }))
            })
    }

    @Test("Change events have the recorded keys, headers and values, member by member")
    func changeEvents() throws {
        let expected = Self.records("change_events", topic: "raw.public.item")
        // The recording leaves tombstones out.
        let found = try Self.written().filter { $0.topic == "raw.public.item" && $0.value != nil }
        try #require(found.count == expected.count)
        for (found, expected) in zip(found, expected) {
            #expect(found.key == expected["key"]?.stringValue)
            #expect(found.headers == Self.headers(expected))
            let value = Self.withoutDefault(try Self.value(expected))
            let event = try #require(found.value?.json)
            #expect(Self.withoutTime(event) == Self.withoutTime(value))
            guard case .object(let members) = event, case .object(let recorded) = value else {
                Issue.record("not an object")
                continue
            }
            #expect(members.map(\.name) == recorded.map(\.name), "members in their order")
        }
    }

    @Test("Tombstones follow each delete, also that of a changed key, with the headers of the delete")
    func tombstones() throws {
        let found = try Self.written().filter { $0.topic == "raw.public.item" }
        for (index, record) in found.enumerated() where record.value == nil {
            let delete = found[index - 1]
            #expect(delete.value?.json?["op"] == "d")
            #expect(record.key == delete.key)
            #expect(record.headers == delete.headers)
        }
        #expect(found.count { $0.value == nil } == 2)
    }

    @Test("BEGIN and END of transactions are as recorded, each with the id of its own position")
    func transactionEvents() throws {
        let expected = Self.records("change_events", topic: "raw.transaction")
        let found = try Self.written().filter { $0.topic == "raw.transaction" }
        // Of a transaction that truncated a table the simulated server knows nothing.
        for record in expected where record["key"]?.stringValue?.contains("740:") == false {
            let same = found.first { $0.key == record["key"]?.stringValue }
            #expect(same?.value?.json == (try Self.value(record)))
        }
    }

    // MARK: The outbox

    @Test("Routed events have the recorded topic, key, headers and payload")
    func routedEvents() throws {
        let outbox = Table(
            "outbox",
            columns: [
                .column("id", .uuid), .column("aggregatetype", .text), .column("aggregateid", .text),
                .column("type", .text), .column("payload", .json),
            ],
            primaryKey: ["id"])
        var router = OutboxRouterSettings()
        try router.place("type:header:eventType")
        router.expandsJSON = true
        var settings = DebeziumSettings(connectorName: "shop", topicPrefix: "shop", slotName: "shop", tables: [outbox])
        settings.outboxRouter = router
        for (index, expected) in Self.recorded["outbox_event_router"]!.arrayValue!.enumerated() {
            let headers = Self.headers(expected)
            var connector = DebeziumConnector(settings, stored: nil, runID: Self.runID(expected))
            connector.beginSnapshot(position: LSN(1), transactionID: 1, at: .epoch)
            let id = try #require(UniqueID(headers.first { $0.name == "id" }!.value))
            let row = Row([
                .uuid(id), "order", .text(expected["key"]!.stringValue!), "OrderPlaced",
                .json(try Self.value(expected)),
            ])
            let record: ProducerRecord
            if index == 0 {
                record = try connector.snapshotRows(
                    [row], of: outbox, isFirstTable: true, isLastTable: true, rowCount: 1, now: .epoch)[0].record
            } else {
                connector.finishSnapshot()
                let change = ChangeEvent(table: "outbox", change: .insert(new: row), lsn: LSN(10))
                record = try connector.receive(
                    CommittedTransaction(
                        transactionID: 2, commitLSN: LSN(20), endLSN: LSN(30), committedAt: .epoch, changes: [change]),
                    now: .epoch)[0].record
            }
            #expect(record.topic == expected["topic"]?.stringValue)
            #expect(record.key == expected["key"]?.stringValue)
            #expect(record.headers == headers)
            #expect(record.value == .json(try Self.value(expected)))
        }
    }
}
