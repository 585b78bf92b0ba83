#if Production
    public import Ports

    /// Sets databases up: DDL from declared schemas, one version a schema.
    public struct PostgresAdministration: DatabaseAdministration {
        private let database: PostgresDatabase

        public init(_ database: PostgresDatabase) { self.database = database }

        /// Creates what the schema declares and does not exist, in one transaction, and records its version in the table
        /// `schema_version`. Services that start at once wait for each other. The recorded version costs one round trip.
        ///
        /// - Throws: ``Ports/DatabaseError``; 55000 for a schema older than the recorded one.
        public func migrate(to schema: Schema) async throws {
            // Concurrent CREATE TABLE IF NOT EXISTS may collide on the catalog; the lock ends with the transaction.
            let lock = ("SELECT pg_advisory_xact_lock(hashtext('schema_version'))", [String?]())
            _ = try await database.administer([lock, (Self.versionTable, [])])
            if let recorded = try await recordedVersion(of: schema.name) {
                guard recorded <= schema.version else { throw Self.isOlder(schema, than: recorded) }
                if recorded == schema.version { return }
            }
            var commands = [lock]
            for table in schema.tables {
                for statement in SchemaRenderer.statements(for: table) { commands.append((statement, [])) }
            }
            commands.append((Self.recordVersion, [schema.name, String(schema.version)]))
            _ = try await database.administer(commands)
        }

        private func recordedVersion(of name: String) async throws -> Int? {
            let rows = try await database.administer("SELECT version FROM schema_version WHERE name = $1", [name])
            return rows.first?[0].flatMap { Int($0) }
        }

        private static func isOlder(_ schema: Schema, than recorded: Int) -> DatabaseError {
            .statement(
                .objectNotInPrerequisiteState,
                message:
                    "database \(schema.name) has schema version \(recorded), this program knows \(schema.version): "
                    + "run a newer program")
        }

        private static let versionTable = """
            CREATE TABLE IF NOT EXISTS schema_version (
                name text COLLATE "C" PRIMARY KEY,
                version bigint NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """

        private static let recordVersion = """
            INSERT INTO schema_version (name, version) VALUES ($1, $2::bigint)
            ON CONFLICT (name) DO UPDATE SET version = excluded.version, applied_at = now()
            WHERE schema_version.version < excluded.version
            """
    }
#endif
