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
            _ = try await database.executeAtomically([.insert(Insert(into: Self.accounts, rows: [[1, 1]]))])
        }
        #expect(report.held, "\(report.violations)")
    }
}
