#if Production
    import AdapterSystem
    import Clibpq
    public import Ports

    /// Logical replication slots of one database, decoded by `pgoutput`. A slot has a publication of the same name.
    public final class PostgresChangeStreams: ChangeStreams {
        private let settings: PostgresSettings
        private let database: PostgresDatabase

        /// - Parameter settings: those of the database; its role needs the REPLICATION attribute.
        public init(_ settings: PostgresSettings) {
            var own = settings
            own.connectionLimit = 2
            // Creating a slot waits for every transaction that is open now.
            own.statementTimeout = .minutes(5)
            own.responseTimeout = .minutes(6)
            self.settings = settings
            database = PostgresDatabase(own)
        }

        /// Closes the connections for administration; open streams live on.
        public func close() { database.close() }

        public func createSlot(_ name: String, tables: [String]) async throws {
            try Self.check(name)
            guard try await slot(name) == nil else {
                throw DatabaseError.statement(.duplicateObject, message: "replication slot \"\(name)\" already exists")
            }
            // The publication comes first: decoding a change from before it existed would fail.
            let list = tables.map { RenderedStatement.quoted($0) }.joined(separator: ", ")
            let published = try await database.administer("SELECT 1 FROM pg_publication WHERE pubname = $1", [name])
            if published.isEmpty {
                try await database.administer(
                    "CREATE PUBLICATION \"\(name)\"" + (tables.isEmpty ? "" : " FOR TABLE \(list)"))
            } else {
                try await database.administer("ALTER PUBLICATION \"\(name)\" SET TABLE \(list)")
            }
            try await database.administer("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [name])
        }

        public func dropSlot(_ name: String) async throws {
            try Self.check(name)
            try await database.administer("SELECT pg_drop_replication_slot($1)", [name])
            try await database.administer("DROP PUBLICATION IF EXISTS \"\(name)\"")
        }

        public func slot(_ name: String) async throws -> ReplicationSlot? {
            let rows = try await database.administer(Self.slotQuery, [name])
            guard let row = rows.first else { return nil }
            return ReplicationSlot(
                name: name, restartLSN: row[0].flatMap { LSN($0) } ?? .zero,
                confirmedFlushLSN: row[1].flatMap { LSN($0) } ?? .zero, isActive: row[2] == "t",
                status: row[3].flatMap { SlotStatus(rawValue: $0) } ?? .lost)
        }

        public func currentLSN() async throws -> LSN {
            let rows = try await database.administer("SELECT pg_current_wal_lsn()")
            guard let lsn = rows.first?.first?.flatMap({ LSN($0) }) else {
                throw DatabaseError.connectionLost("the server did not tell its WAL position")
            }
            return lsn
        }

        public func open(_ name: String, from start: LSN?) async throws -> any ChangeStream {
            try Self.check(name)
            let parameters = Self.parameters(settings)
            let command =
                "START_REPLICATION SLOT \"\(name)\" LOGICAL \(start ?? .zero) "
                + "(proto_version '1', publication_names '\"\(name)\"', binary 'true')"
            let timeout = settings.connectTimeout
            let result = await withCheckedContinuation { continuation in
                DedicatedThread.start("pg-stream") {
                    continuation.resume(returning: Self.start(command, parameters, timeout))
                }
            }
            return PostgresChangeStream(try result.get())
        }

        /// Connects and starts. Blocks.
        private static func start(
            _ command: String, _ parameters: [PostgresURL.Parameter], _ timeout: Nanoseconds
        ) -> Result<ConnectionHandle, DatabaseError> {
            ConnectionHandle.open(parameters, timeout: timeout).flatMap { handle in
                guard let result = PQexec(handle.pointer, command) else {
                    defer { handle.finish() }
                    return .failure(.connectionLost(handle.errorText))
                }
                defer { PQclear(result) }
                guard PQresultStatus(result) == PGRES_COPY_BOTH else {
                    defer { handle.finish() }
                    return .failure(PostgresErrors.statement(result))
                }
                return .success(handle)
            }
        }

        private static func parameters(_ settings: PostgresSettings) -> [PostgresURL.Parameter] {
            settings.url.parameters.filter { $0.keyword != "application_name" } + [
                PostgresURL.Parameter(keyword: "replication", value: "database"),
                PostgresURL.Parameter(keyword: "application_name", value: settings.applicationName),
            ]
        }

        /// Slot names are letters, digits and underscores, as PostgreSQL wants them: they stand in commands that take no
        /// parameters.
        private static func check(_ name: String) throws {
            let isPlain = name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            }
            guard isPlain, (1...63).contains(name.utf8.count) else {
                throw DatabaseError.statement(
                    SQLState(rawValue: "42602"),
                    message:
                        "replication slot name \"\(name)\" is not 1 to 63 lower case letters, digits and underscores")
            }
        }

        private static let slotQuery = """
            SELECT restart_lsn::text, confirmed_flush_lsn::text, active, wal_status
            FROM pg_replication_slots WHERE slot_name = $1
            """
    }

    extension LSN {
        /// Reads PostgreSQL's form, `16/B374D848`.
        init?(_ text: String) {
            let halves = text.split(separator: "/")
            guard halves.count == 2, let high = UInt32(halves[0], radix: 16), let low = UInt32(halves[1], radix: 16)
            else {
                return nil
            }
            self.init(UInt64(high) << 32 | UInt64(low))
        }
    }
#endif
