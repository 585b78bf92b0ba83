#if Production
    public import Ports

    /// The database port on PostgreSQL, through libpq and a pool of connections.
    ///
    /// No thread of the cooperative pool ever waits for the server: see ``AdapterSystem/SocketReactor``.
    public final class PostgresDatabase: Database {
        private let pool: ConnectionPool

        /// Opens nothing yet.
        public init(_ settings: PostgresSettings) {
            pool = ConnectionPool(settings)
        }

        public func connect() async throws -> any DatabaseSession {
            PostgresSession(try await pool.take(), of: pool)
        }

        /// Closes idle connections now and the others when they come back.
        public func close() { pool.close() }

        public var statistics: PoolStatistics { pool.statistics }

        /// Runs one command of administration outside any transaction block. Parameters and results are text.
        ///
        /// - Throws: ``Ports/DatabaseError``
        @discardableResult
        package func administer(_ sql: String, _ parameters: [String?] = []) async throws -> [[String?]] {
            try await administer([(sql, parameters)])
        }

        /// Runs commands of administration in one transaction.
        package func administer(_ commands: [(String, [String?])]) async throws -> [[String?]] {
            let connection = try await pool.take()
            defer { pool.give(connection) }
            let outcome = try await connection.run(
                Pipeline(commands: commands.map { .text($0.0, $0.1) }, mayCommit: true))
            if let error = outcome.error { throw error }
            return outcome.textRows
        }
    }
#endif
