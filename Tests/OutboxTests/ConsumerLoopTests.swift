import PortFakes
import Ports
import Testing

@testable import Outbox

private let a = UniqueID(high: 1, low: 1)
private let b = UniqueID(high: 2, low: 2)

@Suite struct ConsumerLoopTests {
    @Test("The records of one poll are one transaction, and state is carried from one event to the next")
    func batch() async throws {
        let consumer = try await CounterConsumer()
        for amount in 1...4 { consumer.publish(to: a, amount: .integer(Int64(amount))) }
        consumer.publish(to: b, amount: 10)
        try await consumer.poll()
        #expect(consumer.total(a) == 10)
        #expect(consumer.total(b) == 10)
        #expect(consumer.handler.batchSizes == [5])
        #expect(consumer.database.transactions.count == 1)
        #expect(consumer.inbox.count == 5)
        #expect(consumer.outbox.map { $0.int64(OutboxTable.aggregateVersion) }.sorted() == [1, 1, 2, 3, 4])
        #expect(consumer.handler.committed.map { $0.sorted() } == [[1, 3, 6, 10, 10]])
    }

    @Test("A poll costs two round trips to the database: one to read, one to write and commit")
    func roundTrips() async throws {
        let consumer = try await CounterConsumer { $0.parkedReplayInterval = .hours(1) }
        try await consumer.poll()
        let before = consumer.database.roundTripCount
        for _ in 0..<50 { consumer.publish(to: a) }
        try await consumer.poll()
        #expect(consumer.database.roundTripCount - before == 2)
    }

    @Test("An event that comes again has no second effect")
    func duplicates() async throws {
        let consumer = try await CounterConsumer()
        let id = consumer.publish(to: a)
        consumer.publish(to: a, id: id)
        try await consumer.poll()
        consumer.publish(to: a, id: id)
        consumer.publish(to: a, amount: 5)
        try await consumer.poll()
        #expect(consumer.total(a) == 6)
        #expect(consumer.outbox.count == 2)
    }

    @Test("Without the inbox a repeated event is applied twice")
    func plantedNoInbox() async throws {
        let consumer = try await CounterConsumer { $0.mistakes = .noInbox }
        let id = consumer.publish(to: a)
        consumer.publish(to: a, id: id)
        try await consumer.poll()
        #expect(consumer.total(a) == 2)
    }

    @Test("An effect carries the ids of its cause")
    func causation() async throws {
        let consumer = try await CounterConsumer()
        let id = consumer.publish(to: a)
        try await consumer.poll()
        let row = try #require(consumer.outbox.first)
        #expect(row.text(OutboxTable.causationID) == id.description)
        #expect(row.text(OutboxTable.correlationID) == "story")
        #expect(row.text(OutboxTable.traceParent) == "00-trace")
    }

    @Test("Events of no concern move the offset on without touching the database")
    func ignoredTypes() async throws {
        let consumer = try await CounterConsumer { $0.parkedReplayInterval = .hours(1) }
        try await consumer.poll()
        let before = consumer.database.roundTripCount
        consumer.publish("Seen", to: a)
        try await consumer.poll()
        #expect(consumer.database.roundTripCount == before)
        let partition = try #require(consumer.eventLog.records(of: CounterConsumer.topic).first).topicPartition
        #expect(consumer.eventLog.committedOffset("counter", partition) == 1)
    }

    @Test("An event that no longer applies is recorded")
    func ignoredEvents() async throws {
        let consumer = try await CounterConsumer()
        let id = consumer.publish(to: a, amount: 0)
        try await consumer.poll()
        let ignored = try #require(consumer.database.rows(of: IgnoredEventsTable.table).first)
        #expect(ignored.uuid(IgnoredEventsTable.eventID) == id)
        #expect(ignored.text(IgnoredEventsTable.reason) == "nothing to add")
        #expect(consumer.inbox.count == 1)
    }

    @Test("40001, 40P01 and a lost connection run the whole transaction again")
    func retries() async throws {
        let consumer = try await CounterConsumer()
        consumer.publish(to: a)
        consumer.database.failNext(.commit(.statement(.serializationFailure, message: "")))
        consumer.database.failNext(.execute(DatabaseError.statement(.deadlockDetected, message: "")))
        consumer.database.failNext(.execute(DatabaseError.connectionLost("")))
        try await consumer.poll()
        #expect(consumer.total(a) == 1)
        #expect(consumer.outbox.count == 1)
        #expect(consumer.parked.isEmpty)
    }

    @Test("An unknown commit outcome is settled by the inbox: applied once, whether it had taken effect or not")
    func unknownOutcome() async throws {
        let consumer = try await CounterConsumer()
        consumer.publish(to: a)
        consumer.database.failNext(.afterCommit(.commitOutcomeUnknown("")))
        try await consumer.poll()
        #expect(consumer.total(a) == 1)
        consumer.publish(to: a)
        consumer.database.failNext(.commit(.commitOutcomeUnknown("")))
        try await consumer.poll()
        #expect(consumer.total(a) == 2)
        #expect(consumer.outbox.count == 2)
    }

    @Test("Offsets are committed after the database, so a crash between repeats records instead of losing them")
    func offsetsAfterDatabase() async throws {
        let consumer = try await CounterConsumer()
        consumer.publish(to: a)
        let partition = try #require(consumer.eventLog.records(of: CounterConsumer.topic).first).topicPartition
        consumer.database.failNext(.execute(ProcessStopped(process: "counter")))
        await #expect(throws: ProcessStopped.self) { try await consumer.poll() }
        #expect(consumer.eventLog.committedOffset("counter", partition) == nil)

        let restarted = try await CounterConsumer(on: consumer)
        try await restarted.poll()
        #expect(restarted.total(a) == 1)
        #expect(restarted.eventLog.committedOffset("counter", partition) == 1)
    }

    @Test("With offsets committed before the database a crash between loses the event")
    func plantedOffsetFirst() async throws {
        let consumer = try await CounterConsumer { $0.mistakes = .offsetCommittedBeforeDatabase }
        consumer.publish(to: a)
        consumer.database.failNext(.execute(ProcessStopped(process: "counter")))
        await #expect(throws: ProcessStopped.self) { try await consumer.poll() }
        let restarted = try await CounterConsumer(on: consumer)
        try await restarted.poll()
        #expect(restarted.total(a) == nil)
    }

    @Test("Records are given back when the database stays out of reach, and come again")
    func databaseOutOfReach() async throws {
        let consumer = try await CounterConsumer { $0.maximumBatchTime = .milliseconds(100) }
        consumer.publish(to: a)
        for _ in 0..<20 { consumer.database.failNext(.execute(DatabaseError.connectionLost(""))) }
        var polls = 0
        while consumer.total(a) == nil && polls < 30 {
            // What is parked cannot be looked at either meanwhile; that is logged and tried again.
            try await consumer.poll()
            polls += 1
        }
        #expect(polls > 1)
        #expect(consumer.total(a) == 1)
        #expect(consumer.parked.isEmpty)
        #expect(consumer.log.lines.contains { $0.contains("given back") })
    }

    @Test("A consumer without a committed offset starts at the beginning, unless the mistake is planted")
    func offsetReset() async throws {
        let right = try await CounterConsumer()
        try await right.poll()
        #expect(right.eventLog.openedConsumers.last?.offsetReset == .earliest)
        let wrong = try await CounterConsumer { $0.mistakes = .offsetResetLatest }
        try await wrong.poll()
        #expect(wrong.eventLog.openedConsumers.last?.offsetReset == .latest)
    }

    @Test("The outbox is written in the transaction of the effects; with the mistake planted, in one of its own")
    func outboxInTransaction() async throws {
        for (mistakes, transactionCount) in [(PlantedMistakes(), 1), (.outboxOutsideTransaction, 2)] {
            let consumer = try await CounterConsumer { $0.mistakes = mistakes }
            consumer.publish(to: a)
            try await consumer.poll()
            #expect(consumer.database.transactions.count == transactionCount)
            #expect(consumer.outbox.count == 1)
        }
    }

    @Test("Partitions that were revoked have their offsets committed, lost ones are forgotten")
    func rebalance() async throws {
        let ledger = OffsetLedger()
        let (p, q) = (TopicPartition("t", 0), TopicPartition("t", 1))
        ledger.advance(p, to: 5)
        ledger.advance(q, to: 7)
        #expect(ledger.pending(of: [p]) == [CommittedOffset(p, 5)])
        ledger.forget([p])
        #expect(ledger.pending() == [CommittedOffset(q, 7)])
        ledger.didCommit([CommittedOffset(q, 7)])
        #expect(ledger.pending().isEmpty)
        ledger.advance(q, to: 9)
        #expect(ledger.pending() == [CommittedOffset(q, 9)])
    }
}

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
}
