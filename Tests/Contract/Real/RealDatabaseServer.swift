#if Production
    import AdapterPostgres
    import AdapterSystem
    import Ports
    import Synchronization

    /// A schema of its own (much cheaper than a database) in the real PostgreSQL database of `POSTGRES_URL`.
    final class RealDatabaseServer: DatabaseServer {
        /// The schema's name.
        let name: String
        /// The server's URL, as the environment gives it.
        let address: String
        private let settings: PostgresSettings
        private let maintenanceSettings: PostgresSettings
        /// A client of the server's own database; a new one after each clean shutdown.
        private let maintenanceClient: Mutex<PostgresDatabase>
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
            address = RealWorld.variable("POSTGRES_URL") ?? ""
            self.stack = stack
            self.part = part
            maintenanceSettings = PostgresSettings(url: server)
            let maintenance = PostgresDatabase(maintenanceSettings)
            maintenanceClient = Mutex(maintenance)
            settings = Self.settings(options, url: server.setting("options", to: "-c search_path=\(name)"), name)
            main = PostgresDatabase(settings)
            streams = PostgresChangeStreams(settings)
            // A run that was killed leaves its slots, whose names the cases use again.
            await dropSlots()
            try await maintenance.administer("CREATE SCHEMA \(name)")
        }

        private func dropSlots() async {
            _ = try? await maintenance.administer(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                    + "WHERE NOT active AND slot_name LIKE 'contract%'")
            for publication in ["contract", "contract_2"] {
                _ = try? await maintenance.administer("DROP PUBLICATION IF EXISTS \(publication)")
            }
        }

        /// Drops what a connector has left.
        func dropReplication(_ slot: String) async {
            _ = try? await maintenance.administer(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", [slot])
            _ = try? await maintenance.administer("DROP PUBLICATION IF EXISTS \(slot)")
        }

        private var maintenance: PostgresDatabase { maintenanceClient.withLock { $0 } }

        private static func settings(_ options: DatabaseOptions, url: PostgresURL, _ name: String) -> PostgresSettings {
            var settings = PostgresSettings(url: url)
            settings.applicationName = name
            settings.isSynchronousCommit = options.isSynchronousCommit
            settings.lockTimeout = options.lockTimeout
            settings.statementTimeout = options.statementTimeout
            settings.connectionLimit = options.connectionLimit
            settings.queueTimeout = options.queueTimeout
            settings.responseTimeout = options.responseTimeout
            return settings
        }

        func client(_ options: DatabaseOptions) -> any Database {
            PostgresDatabase(Self.settings(options, url: settings.url, name))
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

        func terminateSessions() async throws {
            try await maintenance.administer(
                "SELECT pg_terminate_backend(pid, 5000) FROM (SELECT pid FROM pg_stat_activity "
                    + "WHERE application_name = $1 AND pid <> pg_backend_pid() ORDER BY backend_start DESC) AS newest_first",
                [name])
        }

        func crash() async throws {
            try await signal("KILL")
            // A killed process takes a moment to go, in which the stack would not start it again.
            while await isListening() { try await SystemClock().sleep(for: .milliseconds(10)) }
        }
        func pause() async throws { try await signal("STOP") }
        func resume() async throws { try await signal("CONT") }

        func shutDown() async throws {
            // TERM lets nobody in and waits for the sessions to end; this one, opened before, ends the others.
            try await maintenance.administer("SELECT 1")
            try await signal("TERM")
            try await maintenance.administer(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    + "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
            maintenance.close()
            maintenanceClient.withLock { $0 = PostgresDatabase(maintenanceSettings) }
            while await isListening() { try await SystemClock().sleep(for: .milliseconds(20)) }
        }

        /// Whether the server still answers, be it to refuse.
        private func isListening() async -> Bool {
            let probe = PostgresDatabase(PostgresSettings(url: settings.url))
            defer { probe.close() }
            do {
                try await probe.administer("SELECT 1")
                return true
            } catch let error as DatabaseError {
                return error.sqlState != nil
            } catch {
                return false
            }
        }

        func start() async throws {
            let stack = try controlled()
            repeat {
                try await blocking { [part] in try stack.run("start", part) }
            } while await !isListening()
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
            _ = try? await terminateSessions()
            await dropSlots()
            _ = try? await maintenance.administer("DROP SCHEMA \(name) CASCADE")
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
