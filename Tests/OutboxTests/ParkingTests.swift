import PortFakes
import Ports
import Testing

@testable import Outbox

private let a = UniqueID(high: 1, low: 1)
private let b = UniqueID(high: 2, low: 2)

@Suite struct ParkingTests {
    @Test("A poison message is tried a bounded number of times, then goes to the dead-letter topic with its cause")
    func deadLetter() async throws {
        let consumer = try await CounterConsumer { $0.attemptsBeforeDeadLetter = 3 }
        let id = consumer.publish(to: a, amount: "much")
        consumer.publish(to: b)
        try await consumer.poll()
        #expect(consumer.total(b) == 1)
        // Once with the batch, then three times alone, and once for b.
        #expect(consumer.handler.batchSizes.count == 5)
        let parked = try #require(consumer.parked.first)
        #expect(parked.uuid(ParkedEventsTable.eventID) == id)
        #expect(parked.text(ParkedEventsTable.state) == "DEAD")
        let letter = try #require(consumer.outbox.first { $0.text(OutboxTable.type) == "EventDeadLettered" })
        #expect(letter.text(OutboxTable.aggregateType) == "counter.dlq")
        #expect(letter.text(OutboxTable.causationID) == id.description)
        let payload = letter.json(OutboxTable.payload)
        #expect(payload["cause"]?.stringValue?.contains("amount must be an integer") == true)
        #expect(payload["eventId"]?.stringValue == id.description)
        #expect(payload["payload"] == ["amount": "much"])
    }

    @Test("Later events of the aggregate wait behind a dead letter, durably and in order; others do not")
    func parkedBehind() async throws {
        let consumer = try await CounterConsumer()
        consumer.publish(to: a, amount: "much")
        try await consumer.poll()
        consumer.publish(to: a, amount: 2)
        consumer.publish(to: b, amount: 3)
        try await consumer.poll()
        consumer.publish(to: a, amount: 4)
        try await consumer.poll()
        #expect(consumer.total(a) == nil)
        #expect(consumer.total(b) == 3)
        #expect(consumer.parked.map { $0.text(ParkedEventsTable.state) } == ["DEAD", "WAITING", "WAITING"])
        #expect(consumer.inbox.count == 1)
    }

    @Test("With the mistake planted later events overtake a dead letter")
    func plantedSkip() async throws {
        let consumer = try await CounterConsumer { $0.mistakes = .deadLetterSkips }
        consumer.publish(to: a, amount: "much")
        consumer.publish(to: a, amount: 2)
        try await consumer.poll()
        #expect(consumer.total(a) == 2)
    }

    @Test("Redelivered, a parked event is neither parked nor dead-lettered again")
    func redelivered() async throws {
        let consumer = try await CounterConsumer()
        let dead = consumer.publish(to: a, amount: "much")
        let waiting = consumer.publish(to: a, amount: 2)
        try await consumer.poll()
        consumer.publish(to: a, amount: "much", id: dead)
        consumer.publish(to: a, amount: 2, id: waiting)
        try await consumer.poll()
        #expect(consumer.parked.count == 2)
        #expect(consumer.outbox.count { $0.text(OutboxTable.type) == "EventDeadLettered" } == 1)
    }

    @Test("An event whose parking committed and cannot be seen yet is not dead-lettered again")
    func parkedByAnInvisibleCommit() async throws {
        var late: LateCommitDatabase!
        let consumer = try await CounterConsumer(database: { database in
            late = LateCommitDatabase(database, table: ParkedEventsTable.table)
            return late
        })
        let dead = consumer.publish(to: a, amount: "much")
        try await consumer.poll()
        consumer.publish(to: a, amount: "much", id: dead)
        late.hideRows()
        try await consumer.poll()
        #expect(consumer.parked.count == 1)
        #expect(consumer.outbox.count { $0.text(OutboxTable.type) == "EventDeadLettered" } == 1)
    }

    @Test("A call replays the parked events of an aggregate in order, up to the first that fails again")
    func replay() async throws {
        let consumer = try await CounterConsumer()
        // Above what the check constraint allows: fails until there is room.
        consumer.publish(to: a, amount: 900)
        try await consumer.poll()
        consumer.publish(to: a, amount: 200)
        consumer.publish(to: a, amount: -50)
        try await consumer.poll()
        #expect(consumer.parked.count == 2)
        await #expect(throws: DatabaseError.self) {
            try await consumer.loop.replayParked(aggregateID: a.description)
        }
        #expect(consumer.parked.count == 2)
        _ = try await consumer.database.executeAtomically([
            .update(Update(CountersTable.table, set: [.set(CountersTable.total, 100)], where: []))
        ])
        #expect(try await consumer.loop.replayParked(aggregateID: a.description) == 2)
        #expect(consumer.total(a) == 250)
        #expect(consumer.parked.isEmpty)
        consumer.publish(to: a, amount: 1)
        try await consumer.poll()
        #expect(consumer.total(a) == 251)
    }

    @Test("An unknown event type is parked without a dead letter, and a version that knows it applies it by itself")
    func unknownType() async throws {
        let old = try await CounterConsumer()
        old.publish("Doubled", to: a, amount: 5)
        old.publish(to: a, amount: 1)
        try await old.poll()
        #expect(old.parked.map { $0.text(ParkedEventsTable.state) } == ["UNKNOWN_TYPE", "WAITING"])
        #expect(old.outbox.isEmpty)
        try await old.poll()
        #expect(old.parked.count == 2)

        let new = try await CounterConsumer(alsoKnown: ["Doubled"], on: old)
        try await new.poll()
        #expect(new.total(a) == 6)
        #expect(new.parked.isEmpty)
        #expect(new.handler.committed == [[5], [6]])
    }

    @Test("A parked event of a type that is known by now and of no concern lets those behind it go")
    func parkedAndIgnored() async throws {
        let old = try await CounterConsumer()
        let counter = UniqueID(high: 1, low: 1)
        old.publish("Renamed", to: counter)
        old.publish("Added", to: counter, amount: 5)
        try await old.poll()
        try await old.poll()
        #expect(old.parked.count == 2)
        let new = try await CounterConsumer(on: old) { $0.ignoredEventTypes = ["Renamed"] }
        try await new.poll()
        #expect(new.parked.isEmpty)
        #expect(new.total(counter) == 5)
    }

    @Test("A type that is to be passed over is not parked, although nobody handles it")
    func ignoredTypeIsPassedOver() async throws {
        let consumer = try await CounterConsumer { $0.ignoredEventTypes = ["Renamed"] }
        let counter = UniqueID(high: 1, low: 1)
        consumer.publish("Renamed", to: counter)
        consumer.publish("Added", to: counter, amount: 5)
        try await consumer.poll()
        #expect(consumer.parked.isEmpty)
        #expect(consumer.total(counter) == 5)
    }

    @Test("An event that another member applied while it was parked here is only taken off")
    func appliedElsewhere() async throws {
        let old = try await CounterConsumer()
        let id = old.publish("Doubled", to: a, amount: 5)
        try await old.poll()
        let row = try #require(old.parked.first)
        let new = try await CounterConsumer(alsoKnown: ["Doubled"], on: old)
        try await new.poll()
        #expect(new.total(a) == 5)
        // Parked once more by an old member that did not know.
        _ = try await old.database.executeAtomically([
            .insert(Insert(into: ParkedEventsTable.table, rows: [row.values]))
        ])
        try await new.poll()
        #expect(new.total(a) == 5)
        #expect(new.parked.isEmpty)
        // And an old member that gets it again sees that it was applied.
        old.publish("Doubled", to: a, amount: 5, id: id)
        try await old.poll()
        #expect(old.parked.isEmpty)
    }

    @Test(
        "A record that is no event at all becomes a dead letter and holds up nobody",
        arguments: [
            ProducerRecord(topic: CounterConsumer.topic, key: nil, value: .bytes([1, 2, 3])),
            ProducerRecord(topic: CounterConsumer.topic, key: nil, value: nil),
            ProducerRecord(
                topic: CounterConsumer.topic, key: "k", value: .json([:]), headers: [RecordHeader("id", "x")]),
            ProducerRecord(
                topic: CounterConsumer.topic, key: "k", value: .bytes([0]),
                headers: [
                    RecordHeader("id", "00000000-0000-0000-0000-000000000001"), RecordHeader("eventType", "Added"),
                    RecordHeader("eventVersion", "1"), RecordHeader("aggregateId", "k"),
                ]),
        ])
    func malformed(record: ProducerRecord) async throws {
        let consumer = try await CounterConsumer()
        consumer.eventLog.append(record)
        consumer.publish(to: b)
        try await consumer.poll()
        #expect(consumer.total(b) == 1)
        #expect(consumer.parked.map { $0.text(ParkedEventsTable.state) } == ["DEAD"])
        #expect(consumer.outbox.count { $0.text(OutboxTable.type) == "EventDeadLettered" } == 1)
        let kept = ParkedEvent(try #require(consumer.parked.first)).record
        #expect(kept.value == record.value)
        #expect(kept.key == record.key)
        #expect(kept.headers == record.headers)
    }

    private static func envelope(
        aggregateID: String = a.description, payload: JSONValue = ["amount": 1]
    ) -> ProducerRecord {
        ProducerRecord(
            topic: CounterConsumer.topic, key: "k", value: .json(payload),
            headers: [
                RecordHeader("id", "00000000-0000-0000-0000-000000000001"), RecordHeader("eventType", "Added"),
                RecordHeader("eventVersion", "1"), RecordHeader("aggregateId", aggregateID),
            ])
    }

    @Test(
        "U+0000, which no database text can hold, makes an event malformed, and is kept as U+FFFD",
        arguments: [
            envelope(payload: ["amount": 1, "note": "a\0b"]), envelope(payload: ["amount": 1, "a\0b": 1]),
            envelope(payload: ["amount": 1, "notes": [["a\0b"]]]),
            envelope(aggregateID: "a\0b"),
        ])
    func zeroBytes(record: ProducerRecord) async throws {
        let consumer = try await CounterConsumer()
        consumer.eventLog.append(record)
        consumer.publish(to: b)
        try await consumer.poll()
        #expect(consumer.total(b) == 1)
        let parked = try #require(consumer.parked.first)
        #expect(parked.text(ParkedEventsTable.state) == "DEAD")
        #expect(parked.text(ParkedEventsTable.cause).contains("U+0000"))
        #expect("\(ParkedEvent(parked).record)".contains("a\u{FFFD}b"))
        #expect(consumer.deadLetterCount == 1)
        // What is kept is not what was sent, so it is never applied.
        await #expect(throws: MalformedEvent.self) {
            try await consumer.loop.replayParked(aggregateID: parked.text(ParkedEventsTable.aggregateID))
        }
        #expect(consumer.parked.count == 1)
    }

    @Test("An aggregate id that no index can hold makes an event malformed, and nobody waits behind it")
    func longAggregateID() async throws {
        let consumer = try await CounterConsumer()
        consumer.eventLog.append(Self.envelope(aggregateID: String(repeating: "x", count: 256)))
        consumer.publish(to: b)
        try await consumer.poll()
        #expect(consumer.total(b) == 1)
        let parked = try #require(consumer.parked.first)
        #expect(parked.text(ParkedEventsTable.state) == "DEAD")
        #expect(parked.text(ParkedEventsTable.aggregateID) == "")
        #expect(ParkedEvent(parked).record.header(EventHeader.aggregateID)?.utf8.count == 256)
    }

    @Test("An aggregate id of 255 bytes is none too long")
    func longestAggregateID() async throws {
        let consumer = try await CounterConsumer()
        consumer.eventLog.append(Self.envelope(aggregateID: String(repeating: "x", count: 255)))
        try await consumer.poll()
        // The counters want an id of their own kind: it was read, and then failed.
        let parked = try #require(consumer.parked.first)
        #expect(parked.text(ParkedEventsTable.aggregateID).utf8.count == 255)
        #expect(parked.text(ParkedEventsTable.cause).contains("amount must be"))
    }

    @Test("A malformed copy that comes before its event has that event wait, not vanish")
    func malformedCopyFirst() async throws {
        let consumer = try await CounterConsumer()
        let id = UniqueID(high: 7, low: 77)
        consumer.publish(to: a, amount: 5, id: id, version: "not a number")
        consumer.publish(to: a, amount: 5, id: id)
        try await consumer.poll()
        #expect(consumer.parked.map { $0.text(ParkedEventsTable.state) } == ["DEAD", "WAITING"])
        #expect(consumer.parked.last?.uuid(ParkedEventsTable.eventID) == id)
    }

    @Test("A malformed copy that comes after its event is set aside and told of like any other")
    func malformedCopyLast() async throws {
        let consumer = try await CounterConsumer()
        let id = consumer.publish(to: a, amount: 5)
        consumer.publish(to: a, amount: 5, id: id, version: "not a number")
        try await consumer.poll()
        #expect(consumer.total(a) == 5)
        #expect(consumer.parked.map { $0.text(ParkedEventsTable.state) } == ["DEAD"])
        #expect(consumer.deadLetterCount == 1)
    }

    @Test("A malformed record that is delivered again is parked and told of once")
    func malformedAgain() async throws {
        let consumer = try await CounterConsumer()
        consumer.publish(to: a, version: "not a number")
        try await consumer.poll()
        // Another member, which starts where the first began.
        let other = try await CounterConsumer(on: consumer) { $0.consumerName = "counter" }
        other.eventLog.forgetOffsets(of: "counter")
        try await other.poll()
        #expect(other.parked.count == 1)
        #expect(other.deadLetterCount == 1)
    }

    @Test("One that fails for good when its turn comes is dead then, and holds up no other aggregate")
    func failsWhenItsTurnComes() async throws {
        let old = try await CounterConsumer()
        for counter in [a, b] {
            old.publish("Doubled", to: counter)
            old.publish(to: counter, amount: counter == a ? "much" : 3)
        }
        try await old.poll()
        #expect(old.parked.count == 4)
        let new = try await CounterConsumer(alsoKnown: ["Doubled"], on: old)
        for _ in 0..<2 { try await new.poll() }
        #expect(new.total(b) == 4, "what waits in other aggregates goes on")
        #expect(new.parked.map { $0.text(ParkedEventsTable.state) } == ["DEAD"])
        #expect(new.deadLetterCount == 1)
    }

    @Test("A dead letter is never too large for the log: a large event stays in the table")
    func largeDeadLetter() async throws {
        let consumer = try await CounterConsumer()
        consumer.publish(to: a, amount: .string(String(repeating: "x", count: 900_000)))
        try await consumer.poll()
        let letter = try #require(consumer.outbox.first { $0.text(OutboxTable.type) == "EventDeadLettered" })
        #expect(letter.json(OutboxTable.payload).estimatedByteCount < 5_000)
        #expect(letter.json(OutboxTable.payload)["payloadByteCount"] != nil)
        #expect(consumer.parked.first?.json(ParkedEventsTable.payload).estimatedByteCount ?? 0 > 900_000)
    }

    @Test("What another member applied meanwhile is not buried, nor what waits behind it")
    func buriesOnlyItself() async throws {
        let consumer = try await CounterConsumer()
        let first = consumer.publish("Doubled", to: a)
        consumer.publish(to: a)
        try await consumer.poll()
        typealias Columns = ParkedEventsTable
        _ = try await consumer.database.executeAtomically([
            .delete(Delete(from: Columns.table, where: [Columns.eventID == .uuid(first)]))
        ])
        let session = try await consumer.database.connect()
        try await session.begin(.readCommitted)
        try await consumer.loop.applier.parkedEvents.bury(first, cause: "it failed", in: session)
        await session.close()
        #expect(consumer.parked.map { $0.text(Columns.state) } == ["WAITING"])
        #expect(consumer.deadLetterCount == 0)
    }
}
