#if Production
    import AdapterPostgres
    import AdapterSystem
    import Ports

    /// A database of its own on the real PostgreSQL server of `POSTGRES_URL`.
    final class RealDatabaseServer: DatabaseServer {
        private let name: String
        private let settings: PostgresSettings
        private let maintenance: PostgresDatabase
        private let stack: RealStack?
        /// The server's name at the stack: the first of `real-stack up --postgres`.
        private let part: String
        private let main: PostgresDatabase
        private let streams: PostgresChangeStreams

        var database: any Database { main }
        var administration: any DatabaseAdministration { PostgresAdministration(main) }
        var changeStreams: any ChangeStreams { streams }

        init(_ options: DatabaseOptions, server: PostgresURL, part: String, stack: RealStack?) async throws {
            name = "contract_\(RandomIdentifiers().next().low)"
            self.stack = stack
            self.part = part
            maintenance = PostgresDatabase(PostgresSettings(url: server))
            try await maintenance.administer("CREATE DATABASE \(name)")
            settings = Self.settings(options, url: server.withDatabase(name))
            main = PostgresDatabase(settings)
            streams = PostgresChangeStreams(settings)
        }

        private static func settings(_ options: DatabaseOptions, url: PostgresURL) -> PostgresSettings {
            var settings = PostgresSettings(url: url)
            settings.isSynchronousCommit = options.isSynchronousCommit
            settings.lockTimeout = options.lockTimeout
            settings.statementTimeout = options.statementTimeout
            settings.connectionLimit = options.connectionLimit
            settings.queueTimeout = options.queueTimeout
            settings.responseTimeout = options.responseTimeout
            return settings
        }

        func client(_ options: DatabaseOptions) -> any Database {
            PostgresDatabase(Self.settings(options, url: settings.url))
        }

        func checkpoint() async throws { try await maintenance.administer("CHECKPOINT") }

        func exceedSlotLimit() async throws {
            try await maintenance.administer("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
            try await maintenance.administer("SELECT pg_reload_conf()")
            for _ in 0..<3 {
                // Each switch leaves a whole segment of 16 MB behind.
                try await maintenance.administer("SELECT pg_logical_emit_message(false, 'contract', 'filler')")
                try await maintenance.administer("SELECT pg_switch_wal()")
                try await checkpoint()
            }
            try await maintenance.administer("ALTER SYSTEM RESET max_slot_wal_keep_size")
            try await maintenance.administer("SELECT pg_reload_conf()")
        }

        func crash() async throws { try await signal("KILL") }
        func pause() async throws { try await signal("STOP") }
        func resume() async throws { try await signal("CONT") }

        func start() async throws {
            let stack = try controlled()
            try await blocking { [part] in try stack.run("start", part) }
        }

        private func signal(_ signal: String) async throws {
            let stack = try controlled()
            try await blocking { [part] in try stack.run("signal", part, signal) }
        }

        private func controlled() throws -> RealStack {
            guard let stack else { throw ContractFailure("REAL_STACK is not set: the server cannot be killed") }
            return stack
        }

        func discard() async {
            main.close()
            streams.close()
            _ = try? await maintenance.administer(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1", [name])
            _ = try? await maintenance.administer("DROP DATABASE \(name) WITH (FORCE)")
            maintenance.close()
        }
    }

    /// Runs what blocks on a thread of its own.
    func blocking(_ body: @escaping @Sendable () throws -> Void) async throws {
        let result = await withCheckedContinuation { continuation in
            DedicatedThread.start("contract") { continuation.resume(returning: Result { try body() }) }
        }
        try result.get()
    }
#endif
