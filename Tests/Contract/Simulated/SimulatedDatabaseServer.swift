import Ports
import SimCore

/// A simulated PostgreSQL server, which holds the case's database only.
struct SimulatedDatabaseServer: DatabaseServer {
    private let postgres: SimulatedPostgres
    private let context: ProcessContext
    private let main: SimulatedDatabase
    private let streams: SimulatedChangeStreams

    var database: any Database { main }
    var administration: any DatabaseAdministration { main }
    var changeStreams: any ChangeStreams { streams }

    init(_ postgres: SimulatedPostgres, context: ProcessContext, options: DatabaseOptions) {
        self.postgres = postgres
        self.context = context
        let settings = Self.settings(options)
        main = SimulatedDatabase(postgres, context: context, settings: settings)
        streams = SimulatedChangeStreams(postgres, context: context, settings: settings)
    }

    private static func settings(_ options: DatabaseOptions) -> DatabasePoolSettings {
        var settings = DatabasePoolSettings()
        settings.connectionLimit = options.connectionLimit
        settings.queueTimeout = options.queueTimeout
        settings.answerTimeout = options.responseTimeout
        settings.session.synchronousCommit = options.isSynchronousCommit ? .on : .off
        settings.session.lockTimeout = options.lockTimeout
        settings.session.statementTimeout = options.statementTimeout
        return settings
    }

    func client(_ options: DatabaseOptions) -> any Database {
        SimulatedDatabase(postgres, context: context, settings: Self.settings(options))
    }

    func checkpoint() async throws {
        postgres.startCheckpoint()
        while postgres.isCheckpointRunning { try await context.sleep(for: .milliseconds(1)) }
    }

    func exceedSlotLimit() async throws {
        let settings = postgres.settings
        var limited = settings
        limited.maximumSlotWALByteCount = 1 << 20
        postgres.reload(limited)
        postgres.switchWAL()
        try await checkpoint()
        postgres.reload(settings)
    }

    func terminateSessions() async throws {
        postgres.terminateSessions()
        try await passMessages()
    }

    func crash() async throws {
        context.simulation.crash(postgres.process)
        context.simulation.resume(postgres.process)
        try await passMessages()
    }

    func shutDown() async throws {
        postgres.shutDown()
        while context.simulation.state(of: postgres.process) == .running {
            try await context.sleep(for: .milliseconds(1))
        }
        try await passMessages()
    }

    func start() async throws {
        context.simulation.start(postgres.process)
        let probe = client(DatabaseOptions())
        while true {
            do {
                await (try await probe.connect()).close()
                return
            } catch is DatabaseError {
                try await context.sleep(for: .milliseconds(10))
            }
        }
    }

    func pause() async throws { context.simulation.pause(postgres.process) }
    func resume() async throws { context.simulation.resume(postgres.process) }
    /// Nothing outlives the simulation.
    func discard() async {}

    /// Lets the clients hear of what was done to the server.
    private func passMessages() async throws { try await context.sleep(for: .milliseconds(10)) }
}
