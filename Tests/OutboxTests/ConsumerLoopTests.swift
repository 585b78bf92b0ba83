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
