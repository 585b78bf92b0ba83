import Ports

extension ListAppendWorkload {
    /// Runs the workload against a simulated PostgreSQL server of its own, without faults: the seed draws the transactions,
    /// the latencies and which task runs next, so the same seed gives the same history.
    ///
    /// - Throws: ``Violation`` when the run itself fails.
    public func historyOnSimulatedPostgres(
        seed: UInt64, settings: PostgresSettings = PostgresSettings()
    ) throws -> History {
        var simulationSettings = SimulationSettings(seed: seed)
        simulationSettings.scheduling = Scheduling.drawn(seed: seed)
        let simulation = Simulation(simulationSettings)
        let server = SimulatedPostgres(simulation, name: "postgres", settings: settings)
        let result = Locked(History())
        let report = simulation.run { context in
            var pool = DatabasePoolSettings()
            pool.connectionLimit = sessionCount
            let database = SimulatedDatabase(server, context: context, settings: pool)
            try await database.migrate(to: Self.schema)
            var generator = SplitMix64(seed: seed)
            let history = try await run(on: database, clock: context.clock, generator: &generator)
            result.withLock { $0 = history }
        }
        if let violation = report.violations.first { throw violation }
        return result.withLock { $0 }
    }
}
