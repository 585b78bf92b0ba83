#if Production
    import Ports
    import Synchronization

    /// One borrowed connection.
    final class PostgresSession: DatabaseSession {
        private enum Transaction {
            case none
            /// BEGIN is asked for and travels with the first statements.
            case announced(IsolationLevel)
            case open
            /// A statement failed; the server waits for ROLLBACK.
            case failed
            /// A statement was refused here, before it was sent; the server has rolled back already.
            case discarded
        }

        private struct State {
            /// `nil` once the session was closed.
            var connection: PostgresConnection?
            var transaction = Transaction.none
        }

        private let pool: ConnectionPool
        private let state: Mutex<State>

        init(_ connection: PostgresConnection, of pool: ConnectionPool) {
            self.pool = pool
            state = Mutex(State(connection: connection))
        }

        func begin(_ isolation: IsolationLevel) async throws {
            try state.withLock { state in
                guard case .none = state.transaction else {
                    throw DatabaseError.statement(
                        .activeTransaction, message: "there is already a transaction in progress")
                }
                state.transaction = .announced(isolation)
            }
        }

        func execute(_ statements: [Statement]) async throws -> [StatementResult] {
            guard !statements.isEmpty else { return [] }
            let (connection, transaction) = try current()
            var pipeline = Pipeline()
            switch transaction {
            case .none: pipeline.mayCommit = true  // a transaction of their own
            case .announced(let isolation): pipeline.commands.append(.control(Self.begin(isolation)))
            case .open, .failed: break
            case .discarded: throw Self.inFailedTransaction
            }
            try await append(statements, to: &pipeline, connection, transaction)
            if pipeline.isReadOnly { pipeline.mayCommit = false }
            let outcome = try await run(pipeline, on: connection)
            if case .none = transaction {} else { set(outcome.error == nil ? .open : .failed) }
            if let error = outcome.error { throw error }
            return outcome.results
        }

        func executeAndCommit(_ statements: [Statement]) async throws -> [StatementResult] {
            let (connection, transaction) = try current()
            var pipeline = Pipeline()
            switch transaction {
            case .none:
                throw DatabaseError.statement(.noActiveTransaction, message: "there is no transaction in progress")
            case .announced(let isolation):
                guard !statements.isEmpty else {
                    set(.none)
                    return []
                }
                pipeline.commands.append(.control(Self.begin(isolation)))
            case .open, .failed: break
            case .discarded:
                set(.none)
                throw Self.inFailedTransaction
            }
            do {
                try await append(statements, to: &pipeline, connection, transaction)
            } catch {
                set(.none)
                throw error
            }
            // What an open transaction did before is not known here.
            if case .announced = transaction {
                pipeline.mayCommit = !pipeline.isReadOnly
            } else {
                pipeline.mayCommit = true
            }
            pipeline.commands.append(.control("COMMIT"))
            let outcome = try await run(pipeline, on: connection)
            if outcome.isInTransaction { try await rollBack(connection) }
            set(.none)
            if let error = outcome.error { throw error }
            return outcome.results
        }

        func rollback() async throws {
            let (connection, transaction) = try current()
            set(.none)
            switch transaction {
            case .none, .announced, .discarded: break
            case .open, .failed: try await rollBack(connection)
            }
        }

        func close() async {
            try? await rollback()
            let connection = state.withLock { $0.connection.take() }
            if let connection { pool.give(connection) }
        }

        // MARK: Steps

        private func current() throws -> (PostgresConnection, Transaction) {
            try state.withLock { state in
                guard let connection = state.connection else {
                    throw DatabaseError.connectionLost("the session is closed")
                }
                return (connection, state.transaction)
            }
        }

        private func set(_ transaction: Transaction) {
            state.withLock { $0.transaction = transaction }
        }

        /// Renders the statements. One with a value of a wrong type is refused before it is sent, and like any refused
        /// statement takes its transaction with it.
        private func append(
            _ statements: [Statement], to pipeline: inout Pipeline, _ connection: PostgresConnection,
            _ transaction: Transaction
        ) async throws {
            do throws(DatabaseError) {
                for statement in statements {
                    let rendered = RenderedStatement(statement)
                    pipeline.commands.append(.statement(rendered, try EncodedParameters(rendered.parameters)))
                }
            } catch {
                switch transaction {
                case .open, .failed: try await rollBack(connection)
                case .none, .announced, .discarded: break
                }
                if case .none = transaction {} else { set(.discarded) }
                throw error
            }
        }

        /// Runs a pipeline; the session has no transaction any more when the connection is lost meanwhile.
        private func run(_ pipeline: Pipeline, on connection: PostgresConnection) async throws -> PipelineOutcome {
            do {
                return try await connection.run(pipeline)
            } catch {
                if error is DatabaseError { set(.none) }
                throw error
            }
        }

        private func rollBack(_ connection: PostgresConnection) async throws {
            let outcome = try await connection.runToTheEnd(Pipeline(commands: [.control("ROLLBACK")]))
            if let error = outcome.error { throw error }
        }

        private static func begin(_ isolation: IsolationLevel) -> String {
            switch isolation {
            case .readCommitted: "BEGIN ISOLATION LEVEL READ COMMITTED"
            case .repeatableRead: "BEGIN ISOLATION LEVEL REPEATABLE READ"
            case .serializable: "BEGIN ISOLATION LEVEL SERIALIZABLE"
            }
        }

        private static var inFailedTransaction: DatabaseError {
            .statement(
                .inFailedTransaction,
                message: "current transaction is aborted, commands ignored until end of transaction")
        }
    }
#endif
