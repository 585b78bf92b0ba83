#if Production
    public import Ports

    /// How a service uses one database.
    public struct PostgresSettings: Sendable {
        public var url: PostgresURL
        /// `application_name`, what `pg_stat_activity` shows.
        public var applicationName = "rehearsal"
        /// The most connections open at once.
        public var connectionLimit = 8
        /// How long ``Ports/Database/connect()`` waits for one to become free.
        public var queueTimeout: Nanoseconds = .seconds(5)
        /// How long opening a connection may take.
        public var connectTimeout: Nanoseconds = .seconds(5)
        /// `statement_timeout`: the server gives up a statement, 57014.
        public var statementTimeout: Nanoseconds = .seconds(30)
        /// `lock_timeout`: the server gives up waiting for a lock, 55P03. Zero: never.
        public var lockTimeout: Nanoseconds = .zero
        /// `idle_in_transaction_session_timeout`: the server ends a session that forgot its transaction.
        public var idleInTransactionTimeout: Nanoseconds = .minutes(1)
        /// How long an answer may take before the connection counts as lost: longer than the statement timeout, for
        /// servers that say nothing any more.
        public var responseTimeout: Nanoseconds = .seconds(40)
        /// `synchronous_commit`; off means that a crash may lose the last commits.
        public var isSynchronousCommit = true

        public init(url: PostgresURL) { self.url = url }

        /// What is set on every connection by its startup packet (`options`), which costs no round trip.
        var serverOptions: String {
            [
                "statement_timeout=\(milliseconds(statementTimeout))", "lock_timeout=\(milliseconds(lockTimeout))",
                "idle_in_transaction_session_timeout=\(milliseconds(idleInTransactionTimeout))",
                "synchronous_commit=\(isSynchronousCommit ? "on" : "off")",
                "default_transaction_isolation=read\\ committed",
            ]
            .map { "-c \($0)" }.joined(separator: " ")
        }

        private func milliseconds(_ span: Nanoseconds) -> Int64 { (span.rawValue + 999_999) / 1_000_000 }
    }
#endif
