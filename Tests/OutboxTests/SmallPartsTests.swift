import PortFakes
import Ports
import Testing

@testable import Outbox

@Suite struct BackoffTests {
    @Test("Delays double up to the limit, and at least half of each is certain")
    func growth() {
        let backoff = Backoff(firstDelay: .milliseconds(10), maximumDelay: .seconds(1))
        for (retry, ceiling) in [(0, 10), (1, 20), (2, 40), (6, 640), (7, 1_000), (50, 1_000), (5_000, 1_000)] {
            for bits in [0, 1, .max, 12_345_678] as [UInt64] {
                let delay = backoff.delay(beforeRetry: retry, randomBits: bits)
                #expect(delay <= .milliseconds(Int64(ceiling)))
                #expect(delay >= .milliseconds(Int64(ceiling)) / 2)
            }
        }
    }
}

@Suite struct TransactionRunnerTests {
    private func runner(_ database: MemoryDatabase) -> TransactionRunner {
        TransactionRunner(
            ServicePorts(
                database: database, eventLog: MemoryEventLog(topics: []), clock: ManualClock(),
                identifiers: CountingIdentifiers(), log: MemoryLog()))
    }

    private func database() -> MemoryDatabase {
        MemoryDatabase(Schema(name: "counter", version: 1, tables: [CountersTable.table]))
    }

    private let insert = Statement.insert(
        Insert(
            into: CountersTable.table, rows: [[.uuid(UniqueID(high: 1, low: 1)), 1, 1]],
            onConflict: .doNothing(key: nil)))

    @Test("What a retry can cure is run again")
    func retried() async throws {
        let database = database()
        database.failNext(.commit(.statement(.serializationFailure, message: "")))
        database.failNext(.commit(.statement(.deadlockDetected, message: "")))
        database.failNext(.afterCommit(.commitOutcomeUnknown("")))
        var runs = 0
        try await runner(database).run(within: .seconds(10)) { session in
            runs += 1
            _ = try await session.executeAndCommit([insert])
        }
        #expect(runs == 4)
        #expect(database.rows(of: CountersTable.table).count == 1)
    }

    @Test("What no retry cures is thrown at once")
    func notRetried() async throws {
        let database = database()
        database.failNext(.commit(.statement(.checkViolation, message: "")))
        var runs = 0
        await #expect(throws: DatabaseError.statement(.checkViolation, message: "")) {
            try await runner(database).run(within: .seconds(10)) { session in
                runs += 1
                _ = try await session.executeAndCommit([insert])
            }
        }
        #expect(runs == 1)
    }

    @Test("Retries end when the time is up, with the last error")
    func bounded() async throws {
        let database = database()
        for _ in 0..<1_000 { database.failNext(.commit(.connectionLost("gone"))) }
        var runs = 0
        await #expect(throws: DatabaseError.connectionLost("gone")) {
            try await runner(database).run(within: .seconds(3)) { session in
                runs += 1
                _ = try await session.executeAndCommit([insert])
            }
        }
        #expect((3...20).contains(runs))
    }

    @Test("The end of the process is passed on at once")
    func ended() async throws {
        let database = database()
        database.failNext(.execute(ProcessStopped(process: "p")))
        var runs = 0
        await #expect(throws: ProcessStopped.self) {
            try await runner(database).run(within: .seconds(10)) { session in
                runs += 1
                _ = try await session.execute([insert])
            }
        }
        #expect(runs == 1)
    }
}

@Suite struct KeyIndexTests {
    @Test("Every id is found where it was added, and no other is found")
    func lookups() {
        let identifiers = CountingIdentifiers()
        var index = KeyIndex()
        let ids = (0..<1_000).map { _ in identifiers.next() }
        for (position, id) in ids.enumerated() {
            #expect(index.position(of: id) == nil)
            index.append(id)
            #expect(index.position(of: id) == position)
        }
        for (position, id) in ids.enumerated() { #expect(index.position(of: id) == position) }
        #expect(index.position(of: identifiers.next()) == nil)
        #expect(index.count == 1_000)
    }

    @Test("Ids that differ in few bits are told apart")
    func closeIDs() {
        var index = KeyIndex(minimumCapacity: 4)
        let ids = (0..<64).map { UniqueID(high: 1 << UInt64($0), low: 1 << UInt64($0)) }
        for id in ids { index.append(id) }
        for (position, id) in ids.enumerated() { #expect(index.position(of: id) == position) }
    }
}

@Suite struct LockedRowsTests {
    private let ids = (1...3).map { UniqueID(high: 0, low: UInt64($0)) }

    @Test("Changed rows are written back whole, new ones are inserted, others are left alone")
    func written() async throws {
        let database = MemoryDatabase(Schema(name: "counter", version: 1, tables: [CountersTable.table]))
        _ = try await database.executeAtomically([
            .insert(Insert(into: CountersTable.table, rows: [[.uuid(ids[0]), 1, 1], [.uuid(ids[1]), 2, 1]]))
        ])
        let session = try await database.connect()
        try await session.begin(.readCommitted)
        let loaded = try await session.execute(CountersTable.keyed.selectForUpdate(ids)).rows
        var rows = LockedRows(CountersTable.keyed, loaded)
        let position = try #require(rows.position(of: ids[1]))
        rows.update(at: position) { $0.values[1] = 20 }
        rows.insert(Row([.uuid(ids[2]), 3, 1]))
        rows.update(at: try #require(rows.position(of: ids[2]))) { $0.values[1] = 30 }
        var work = UnitOfWork(now: .epoch)
        rows.write(into: &work)
        try await work.commit(on: session)
        #expect(database.rows(of: CountersTable.table).map { $0.int64(CountersTable.total) } == [1, 20, 30])
        #expect(database.committedRows.last?.count == 2)
    }

    @Test("A new row whose key a rival took meanwhile fails instead of overwriting")
    func rival() async throws {
        let database = MemoryDatabase(Schema(name: "counter", version: 1, tables: [CountersTable.table]))
        _ = try await database.executeAtomically([
            .insert(Insert(into: CountersTable.table, rows: [[.uuid(ids[0]), 1, 1]]))
        ])
        var rows = LockedRows(CountersTable.keyed, [])
        rows.insert(Row([.uuid(ids[0]), 9, 1]))
        var work = UnitOfWork(now: .epoch)
        rows.write(into: &work)
        let session = try await database.connect()
        try await session.begin(.readCommitted)
        await #expect { try await work.commit(on: session) } throws: {
            ($0 as? DatabaseError)?.sqlState == .uniqueViolation
        }
        #expect(database.rows(of: CountersTable.table).map { $0.int64(CountersTable.total) } == [1])
    }
}

@Suite struct OutboxJanitorTests {
    @Test("Rows go when they have had their time, and not before")
    func retention() async throws {
        let consumer = try await CounterConsumer()
        let counter = UniqueID(high: 1, low: 1)
        let start = consumer.clock.now
        consumer.publish(to: counter)
        consumer.publish(to: counter, amount: 0)
        try await consumer.poll()
        let janitor = OutboxJanitor(outboxRetention: .hours(1), inboxRetention: .hours(2))
        func sweep(after span: Nanoseconds) async throws -> [Int] {
            _ = try await consumer.database.executeAtomically(janitor.statements(at: start + span))
            return [consumer.outbox, consumer.inbox, consumer.database.rows(of: IgnoredEventsTable.table)].map(\.count)
        }
        #expect(try await sweep(after: .hours(1)) == [1, 2, 1])
        #expect(try await sweep(after: .hours(1) + .milliseconds(1)) == [0, 2, 1])
        #expect(try await sweep(after: .hours(2) + .milliseconds(1)) == [0, 0, 0])
    }
}
