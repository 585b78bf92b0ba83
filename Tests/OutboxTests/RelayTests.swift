import PortFakes
import Ports
import Testing

@testable import Outbox

@Suite struct RelayTests {
    /// An outbox with its relay on ports in memory.
    final class Shop {
        let clock = ManualClock()
        let database = MemoryDatabase(Schema(name: "shop", version: 1, tables: OutboxSchema.tables))
        let eventLog = MemoryEventLog(topics: ["outbox.event.order", "outbox.event.payment"])
        let identifiers = CountingIdentifiers()
        let log = MemoryLog()
        let relay: OutboxRelay

        init(_ change: (inout OutboxRelaySettings) -> Void = { _ in }) {
            var settings = OutboxRelaySettings(slotName: "relay")
            settings.snapshotPageRowCount = 3
            change(&settings)
            relay = OutboxRelay(
                settings: settings, streams: database,
                ports: ServicePorts(
                    database: database, eventLog: eventLog, clock: clock, identifiers: identifiers, log: log))
        }

        /// Commits one transaction that publishes an event of the order.
        func write(_ order: String, version: Int64 = 1) async throws {
            var work = UnitOfWork(now: clock.now)
            work.publish(event(order, version: version), causedBy: cause)
            let session = try await database.connect()
            try await session.begin(.readCommitted)
            try await work.commit(on: session)
        }

        func event(_ order: String, version: Int64 = 1) -> OutboundEvent {
            OutboundEvent(
                id: identifiers.next(), aggregateType: "order", aggregateID: order, type: "OrderPlaced", version: 2,
                occurredAt: Instant(nanosecondsSinceEpoch: 1_500), aggregateVersion: version,
                payload: ["n": .integer(version)])
        }

        var cause: EventCause { EventCause(causationID: "cause", correlationID: "story", traceParent: "00-1") }

        var published: [(key: String?, version: Int64?)] {
            eventLog.records(of: "outbox.event.order").map { ($0.key, $0.value?.json?["n"]?.integerValue) }
        }

        /// Opens the relay, and publishes the snapshot if one is due, as `run` does.
        func open() async throws -> OutboxRelay.Session {
            let session = try await relay.open()
            if let snapshot = session.dueSnapshot { try await relay.publishSnapshot(snapshot, session.producer) }
            return session
        }
    }

    @Test("A row becomes the record that Debezium's event router would write, and is read back as the same event")
    func codec() async throws {
        let shop = Shop()
        var session = try await shop.open()
        try await shop.write("o-1", version: 7)
        try await shop.relay.publishOnce(&session)
        let record = try #require(shop.eventLog.records(of: "outbox.event.order").first)
        let row = try #require(shop.database.rows(of: OutboxTable.table).first)
        #expect(record.key == "o-1")
        #expect(record.value == .json(["n": 7]))
        #expect(
            record.headers == [
                RecordHeader("id", row.uuid(OutboxTable.id).description), RecordHeader("eventType", "OrderPlaced"),
                RecordHeader("eventVersion", "2"), RecordHeader("aggregateId", "o-1"), RecordHeader("occurredAt", "1"),
                RecordHeader("causationId", "cause"), RecordHeader("correlationId", "story"),
                RecordHeader("traceparent", "00-1"),
            ])
        let event = try Event(record)
        #expect(event.id == row.uuid(OutboxTable.id))
        #expect(event.type == "OrderPlaced")
        #expect(event.version == 2)
        #expect(event.aggregateID == "o-1")
        #expect(event.payload == ["n": 7])
        let asCause = event.asCause
        #expect(asCause == EventCause(causationID: event.id.description, correlationID: "story", traceParent: "00-1"))
    }

    @Test("Headers that Debezium puts before its own, or in another order, do not matter to a reader")
    func otherHeaderOrder() throws {
        let headers = [
            RecordHeader("__debezium.context.connectorName", "postgresql"), RecordHeader("eventVersion", "3"),
            RecordHeader("traceparent", "t"), RecordHeader("id", "00000000-0000-0000-0000-00000000000a"),
            RecordHeader("eventType", "OrderPaid"), RecordHeader("correlationId", "story"),
            RecordHeader("aggregateId", "00000000-0000-0000-0000-00000000000b"),
        ]
        let event = try Event(
            ConsumerRecord(
                topicPartition: TopicPartition("t", 0), offset: 0, timestamp: .epoch, key: "k", value: .json([:]),
                headers: headers))
        #expect(event.id == UniqueID(high: 0, low: 10))
        #expect(event.version == 3)
        #expect(event.type == "OrderPaid")
        #expect(event.aggregateUUID == UniqueID(high: 0, low: 11))
        #expect(event.asCause.correlationID == "story")
        #expect(event.asCause.traceParent == "t")
    }

    @Test("The placement for Debezium names columns of the table and the envelope's headers")
    func placement() {
        let placed = OutboxTable.debeziumFieldPlacement.split(separator: ",").map { $0.split(separator: ":") }
        for field in placed {
            #expect(OutboxTable.table.columns.contains { $0.name == field[0] })
            #expect(field[1] == "header")
        }
        #expect(
            placed.map { String($0[2]) } == [
                EventHeader.type, EventHeader.version, EventHeader.aggregateID, EventHeader.occurredAt,
                EventHeader.causationID, EventHeader.correlationID, EventHeader.traceParent,
            ])
    }

    @Test("Rows from before the slot are published from the table, in the order of each aggregate, page by page")
    func snapshot() async throws {
        let shop = Shop()
        for order in ["b", "a", "c"] { try await shop.write(order, version: 2) }
        for order in ["c", "a", "b"] { try await shop.write(order, version: 1) }
        for version in [4, 3, 5, 6] { try await shop.write("a", version: Int64(version)) }
        _ = try await shop.open()
        #expect(shop.published.count == 10)
        for order in ["a", "b", "c"] {
            let versions = shop.published.filter { $0.key == order }.compactMap(\.version)
            #expect(versions == versions.sorted())
        }
        #expect(try await shop.relay.open().dueSnapshot == nil)
    }

    @Test("A crash between slot and snapshot repeats the snapshot")
    func crashBeforeSnapshot() async throws {
        let shop = Shop()
        try await shop.write("a")
        let session = try await shop.relay.open()
        #expect(session.dueSnapshot != nil)
        _ = try await shop.open()
        #expect(shop.published.map(\.key) == ["a"])
    }

    @Test("A position is confirmed only after the records are acknowledged, so a failed send is repeated")
    func confirmedAfterProduce() async throws {
        let shop = Shop()
        var session = try await shop.open()
        try await shop.write("a")
        let before = try await shop.database.slot("relay")?.confirmedFlushLSN
        shop.eventLog.failNextSend(EventLogError(.requestTimedOut, "", outcome: .unknown))
        await #expect(throws: EventLogError.self) { try await shop.relay.publishOnce(&session) }
        #expect(try await shop.database.slot("relay")?.confirmedFlushLSN == before)
        var restarted = try await shop.open()
        try await shop.relay.publishOnce(&restarted)
        #expect(shop.published.map(\.key) == ["a"])
        #expect(try await shop.database.slot("relay")?.confirmedFlushLSN != before)
    }

    @Test("With the mistake planted a failed send loses the events")
    func plantedConfirmFirst() async throws {
        let shop = Shop { $0.mistakes = .positionConfirmedBeforeProduce }
        var session = try await shop.open()
        try await shop.write("a")
        shop.eventLog.failNextSend(EventLogError(.requestTimedOut, "", outcome: .unknown))
        await #expect(throws: EventLogError.self) { try await shop.relay.publishOnce(&session) }
        var restarted = try await shop.open()
        try await shop.relay.publishOnce(&restarted)
        #expect(shop.published.isEmpty)
    }

    @Test("A slot that went back publishes again what it had published")
    func slotGoesBack() async throws {
        let shop = Shop()
        var session = try await shop.open()
        try await shop.write("a")
        try await shop.relay.publishOnce(&session)
        shop.database.setBack("relay", to: .zero)
        var restarted = try await shop.open()
        try await shop.relay.publishOnce(&restarted)
        #expect(shop.published.map(\.key) == ["a", "a"])
    }

    @Test("A slot that lost its log is made anew, and the outbox is published from its table")
    func lostSlot() async throws {
        let shop = Shop()
        var session = try await shop.open()
        try await shop.write("a")
        shop.database.loseSlot("relay")
        session = try await shop.open()
        #expect(shop.published.map(\.key) == ["a"])
        try await shop.write("b")
        try await shop.relay.publishOnce(&session)
        #expect(shop.published.map(\.key).sorted { $0! < $1! } == ["a", "b"])
        #expect(shop.log.lines.contains { $0.contains("lost its log") })
    }

    @Test("A relay that lost its slot cannot call complete the snapshot that another relay has still to publish")
    func supersededSnapshot() async throws {
        let shop = Shop()
        try await shop.write("a")
        let first = try await shop.relay.open()
        shop.database.loseSlot("relay")
        let second = try await shop.relay.open()
        #expect(second.dueSnapshot != first.dueSnapshot)
        await #expect(throws: SnapshotSuperseded.self) {
            try await shop.relay.publishSnapshot(try #require(first.dueSnapshot), first.producer)
        }
        // The second relay dies before its own: the next has to publish what it did not.
        #expect(try await shop.relay.open().dueSnapshot == second.dueSnapshot)
        try await shop.relay.publishSnapshot(try #require(second.dueSnapshot), second.producer)
        #expect(try await shop.relay.open().dueSnapshot == nil)
    }

    @Test("Deletes of the janitor are not published, but are confirmed")
    func deletes() async throws {
        let shop = Shop()
        var session = try await shop.open()
        try await shop.write("a")
        try await shop.relay.publishOnce(&session)
        _ = try await shop.database.executeAtomically([.delete(Delete(from: OutboxTable.table, where: []))])
        try await shop.relay.publishOnce(&session)
        #expect(shop.published.count == 1)
        let confirmed = try await shop.database.slot("relay")?.confirmedFlushLSN
        #expect(confirmed == shop.database.transactions.last?.endLSN)
    }

    @Test("A quiet database gets a heartbeat that moves its slot on")
    func heartbeat() async throws {
        let shop = Shop()
        var session = try await shop.open()
        try await shop.relay.publishOnce(&session)
        let count = shop.database.transactions.count
        try await shop.relay.publishOnce(&session)
        #expect(shop.database.transactions.count == count)
        shop.clock.advance(by: .seconds(10))
        try await shop.relay.publishOnce(&session)
        #expect(shop.database.transactions.count == count + 1)
        try await shop.relay.publishOnce(&session)
        #expect(try await shop.database.slot("relay")?.confirmedFlushLSN == shop.database.transactions.last?.endLSN)
        #expect(shop.published.isEmpty)
    }

    @Test("The producer is idempotent and waits for all replicas, unless the mistake is planted")
    func producerSettings() async throws {
        let right = Shop()
        _ = try await right.open()
        #expect(right.eventLog.openedProducers.last?.acknowledgement == .all)
        #expect(right.eventLog.openedProducers.last?.isIdempotent == true)
        let wrong = Shop { $0.mistakes = .leaderAcknowledgementOnly }
        _ = try await wrong.open()
        #expect(wrong.eventLog.openedProducers.last?.acknowledgement == .leader)
    }

    @Test("With the mistake planted records are keyed by event id")
    func plantedKey() async throws {
        let shop = Shop { $0.mistakes = .eventKeyIsNotTheAggregateID }
        var session = try await shop.open()
        try await shop.write("a")
        try await shop.relay.publishOnce(&session)
        let record = try #require(shop.eventLog.records(of: "outbox.event.order").first)
        #expect(record.key == record.header("id"))
        #expect(try Event(record).aggregateID == "a")
    }
}
