import Ports
import SimCore
import Testing

/// Faults of a server, on one that other faults disturb as well.
struct PostgresFaultTests {
    private static let accounts = Table("account", columns: [.column("id", .int64)], primaryKey: ["id"])
    private static let schema = Schema(name: "bank", version: 1, tables: [accounts])

    @Test("A long transaction that is to end while its server is frozen ends when the server goes on")
    func longTransactionOfFrozenServer() {
        let simulation = Simulation(seed: 1)
        let server = SimulatedPostgres(simulation, name: "postgres")
        PostgresFaults.register(with: simulation.faults, servers: [server])
        let report = simulation.run { context in
            try await SimulatedDatabase(server, context: context).migrate(to: Self.schema)
            let transaction = try simulation.faults.inject("long-transaction", targets: ["postgres"])
            let pause = try simulation.faults.inject("pause", targets: ["postgres"])
            try await context.sleep(for: .seconds(1))
            simulation.faults.heal(transaction)
            try await context.sleep(for: .seconds(1))
            simulation.faults.heal(pause)
            // A slot waits for every transaction that was open: it comes to be only when none is left.
            let streams = SimulatedChangeStreams(server, context: context)
            try await streams.createSlot("relay", tables: ["account"])
            await (try await streams.open("relay", from: nil)).close()
        }
        #expect(report.held, "\(report.violations)")
    }

    @Test("While privileges are revoked statements on the table fail with 42501, across a crash, and not afterwards")
    func privilegeLoss() {
        let simulation = Simulation(seed: 2)
        let server = SimulatedPostgres(simulation, name: "postgres")
        PostgresFaults.register(with: simulation.faults, servers: [server])
        let report = simulation.run { context in
            let database = SimulatedDatabase(server, context: context)
            try await database.migrate(to: Self.schema)
            let select = Statement.select(Select(from: Self.accounts))
            let state: () async throws -> SQLState? = {
                do {
                    _ = try await database.executeAtomically([select])
                    return nil
                } catch let error as DatabaseError { return error.sqlState }
            }
            let fault = try simulation.faults.inject("privilege-loss", targets: ["postgres"])
            #expect(try await state()?.rawValue == "42501")
            simulation.crash(server.process)
            simulation.start(server.process)
            try await context.sleep(for: .seconds(2))
            #expect(try await state()?.rawValue == "42501")
            simulation.faults.heal(fault)
            #expect(try await state() == nil)
        }
        #expect(report.held, "\(report.violations)")
        #expect(report.faults.first?.effectCount == 2)
    }
}
