import Ports
import SimCore
import Testing

/// The database port over the simulated network: what a service sees of a simulated server.
struct SimulatedDatabaseTests {
    private static let accounts = Table(
        "account", columns: [.column("id", .int64), .column("balance", .int64)], primaryKey: ["id"])
    private static let id = accounts.column("id")
    private static let balance = accounts.column("balance")

    private static func bank(
        _ context: ProcessContext, _ server: SimulatedPostgres, settings: DatabasePoolSettings = .init()
    ) async throws -> SimulatedDatabase {
        let database = SimulatedDatabase(server, context: context, settings: settings)
        try await database.migrate(to: Schema(name: "bank", version: 1, tables: [accounts]))
        return database
    }

    @Test("What was committed is there for the next transaction")
    func committedIsThere() {
        let simulation = Simulation(seed: 1)
        let server = SimulatedPostgres(simulation, name: "postgres")
        let report = simulation.run { context in
            let database = try await Self.bank(context, server)
            try await database.transaction { session in
                _ = try await session.execute(.insert(Insert(into: Self.accounts, rows: [[1, 100], [2, 50]])))
            }
            _ = try await database.executeAtomically([
                .update(Update(Self.accounts, set: [.increment(Self.balance, by: -30)], where: [Self.id == 1])),
                .update(Update(Self.accounts, set: [.increment(Self.balance, by: 30)], where: [Self.id == 2])),
            ])
            let rows = try await database.executeAtomically([
                .select(Select(from: Self.accounts, orderedBy: [.ascending(Self.id)]))
            ])[0].rows
            #expect(rows.map { $0.int64(Self.balance) } == [70, 80])
        }
        #expect(report.held, "\(report.violations)")
    }

    @Test("A commit whose wait for the synchronous standby is cancelled has an unknown outcome")
    func cancelledStandbyWait() {
        let simulation = Simulation(seed: 3)
        var settings = PostgresSettings()
        settings.hasSynchronousStandby = true
        let server = SimulatedPostgres(simulation, name: "postgres", settings: settings)
        let report = simulation.run { context in
            let database = try await Self.bank(context, server)
            let error = await withTaskGroup(of: (any Error)?.self) { group in
                group.addTask {
                    do {
                        _ = try await database.executeAtomically([
                            .insert(Insert(into: Self.accounts, rows: [[1, 100]]))
                        ])
                        return nil
                    } catch {
                        return error
                    }
                }
                try? await context.sleep(for: .milliseconds(100))
                group.cancelAll()
                return await group.next()!
            }
            guard case .commitOutcomeUnknown? = error as? DatabaseError else {
                Issue.record("expected an unknown outcome, got \(String(describing: error))")
                return
            }
        }
        #expect(report.held, "\(report.violations)")
    }

    @Test("A connection that breaks before COMMIT had no effect; one that breaks with it leaves the outcome unknown")
    func brokenConnectionsAreToldApart() {
        let simulation = Simulation(seed: 2)
        let server = SimulatedPostgres(simulation, name: "postgres")
        let report = simulation.run { context in
            let database = try await Self.bank(context, server)
            let session = try await database.connect()
            try await session.begin(.readCommitted)
            _ = try await session.execute(.insert(Insert(into: Self.accounts, rows: [[1, 100]])))
            try simulation.faults.inject("connection-reset", targets: ["postgres"])
            await #expect(throws: DatabaseError.self) {
                do {
                    _ = try await session.execute(.insert(Insert(into: Self.accounts, rows: [[2, 100]])))
                } catch let error as DatabaseError {
                    guard case .connectionLost = error else { throw error }
                    throw error
                }
            }
            await session.close()
            let second = try await database.connect()
            try await second.begin(.readCommitted)
            _ = try await second.execute(.insert(Insert(into: Self.accounts, rows: [[3, 100]])))
            try simulation.faults.inject("apply-then-fail", targets: ["postgres"])
            do {
                try await second.commit()
                Issue.record("the answer to COMMIT arrived although it was to be lost")
            } catch let error as DatabaseError {
                guard case .commitOutcomeUnknown = error else {
                    Issue.record("expected an unknown outcome, got \(error)")
                    return
                }
            }
            await second.close()
            let rows = try await database.executeAtomically([.select(Select(from: Self.accounts))])[0].rows
            #expect(rows.map { $0.int64(Self.id) } == [3], "the first transaction had no effect, the second had one")
        }
        #expect(report.held, "\(report.violations)")
        #expect(report.faults.allSatisfy { $0.effectCount > 0 })
    }

    @Test("A full pool makes callers wait, and fails them after the queue timeout")
    func fullPoolTimesOut() {
        let simulation = Simulation(seed: 3)
        let server = SimulatedPostgres(simulation, name: "postgres")
        let report = simulation.run { context in
            var settings = DatabasePoolSettings()
            settings.connectionLimit = 1
            settings.queueTimeout = .seconds(1)
            let database = try await Self.bank(context, server, settings: settings)
            let only = try await database.connect()
            await #expect(throws: DatabaseError.poolTimeout(waited: .seconds(1))) {
                _ = try await database.connect()
            }
            await only.close()
            let again = try await database.connect()
            await again.close()
        }
        #expect(report.held, "\(report.violations)")
    }

    @Test("A server that is down refuses, and serves again after its restart")
    func downServerRefuses() {
        let simulation = Simulation(seed: 4)
        let server = SimulatedPostgres(simulation, name: "postgres")
        let report = simulation.run { context in
            let database = try await Self.bank(context, server)
            simulation.crash(server.process)
            await #expect(throws: DatabaseError.self) {
                _ = try await database.executeAtomically([.select(Select(from: Self.accounts))])
            }
            simulation.start(server.process)
            try await context.sleep(for: .seconds(1))
            _ = try await database.executeAtomically([.insert(Insert(into: Self.accounts, rows: [[1, 1]]))])
        }
        #expect(report.held, "\(report.violations)")
    }

    @Test("What was acknowledged survives a crash of the server, open transactions do not")
    func crashKeepsAcknowledged() {
        for seed in 10...20 {
            let simulation = Simulation(seed: UInt64(seed))
            let server = SimulatedPostgres(simulation, name: "postgres")
            let report = simulation.run { context in
                let database = try await Self.bank(context, server)
                _ = try await database.executeAtomically([.insert(Insert(into: Self.accounts, rows: [[1, 1]]))])
                let open = try await database.connect()
                try await open.begin(.readCommitted)
                _ = try await open.execute(.insert(Insert(into: Self.accounts, rows: [[2, 1]])))
                simulation.crash(server.process)
                simulation.start(server.process)
                await #expect(throws: DatabaseError.self) { try await open.commit() }
                await open.close()
                await #expect(throws: DatabaseError.self) { _ = try await database.connect() }
                try await context.sleep(for: .seconds(2))
                let rows = try await database.executeAtomically([.select(Select(from: Self.accounts))])[0].rows
                #expect(rows.map { $0.int64(Self.id) } == [1])
            }
            #expect(report.held, "\(report.violations)")
        }
    }

    @Test("The consumer of a slot gets committed transactions, and again after a crash of the server")
    func changeStream() {
        let simulation = Simulation(seed: 5)
        let server = SimulatedPostgres(simulation, name: "postgres")
        let report = simulation.run { context in
            let database = try await Self.bank(context, server)
            let streams = SimulatedChangeStreams(server, context: context)
            try await streams.createSlot("relay", tables: ["account"])
            for id in 1...3 {
                let insert = Insert(into: Self.accounts, rows: [[.int64(Int64(id)), 1]])
                _ = try await database.executeAtomically([.insert(insert)])
            }
            var stream = try await streams.open("relay", from: nil)
            let received = try await stream.next(maximumTransactions: 10, timeout: .seconds(1))
            #expect(received.count == 3)
            try await stream.confirm(received[2].endLSN)
            try await context.sleep(for: .milliseconds(10))
            #expect(try await streams.slot("relay")?.confirmedFlushLSN == received[2].endLSN)
            simulation.crash(server.process)
            simulation.start(server.process)
            await #expect(throws: DatabaseError.self) {
                _ = try await stream.next(maximumTransactions: 10, timeout: .seconds(1))
            }
            try await context.sleep(for: .seconds(2))
            stream = try await streams.open("relay", from: nil)
            let again = try await stream.next(maximumTransactions: 10, timeout: .seconds(1))
            #expect(again == received, "no checkpoint has kept the confirmation")
            await stream.close()
        }
        #expect(report.held, "\(report.violations)")
    }

    @Test("A consumer whose machine died keeps its slot until a keepalive finds out")
    func silentConsumer() {
        let simulation = Simulation(seed: 6)
        let server = SimulatedPostgres(simulation, name: "postgres")
        let consumer = simulation.addProcess("consumer") { context in
            try await context.sleep(for: .seconds(1))
            let stream = try await SimulatedChangeStreams(server, context: context).open("relay", from: nil)
            _ = try await stream.next(maximumTransactions: 1, timeout: .hours(1))
        }
        let report = simulation.run { context in
            _ = try await Self.bank(context, server)
            let streams = SimulatedChangeStreams(server, context: context)
            try await streams.createSlot("relay", tables: ["account"])
            try await context.sleep(for: .seconds(2))
            simulation.crash(consumer, hostDown: true)
            try await context.sleep(for: .seconds(10))
            await #expect(throws: DatabaseError.self) { _ = try await streams.open("relay", from: nil) }
            try await context.sleep(for: .seconds(60))
            await (try await streams.open("relay", from: nil)).close()
        }
        #expect(report.held, "\(report.violations)")
    }
}
