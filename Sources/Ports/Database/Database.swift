/// Isolation levels as PostgreSQL has them: `repeatableRead` is snapshot isolation, `serializable` is SSI.
public enum IsolationLevel: String, Hashable, Sendable, Codable, CaseIterable {
    case readCommitted = "read committed"
    case repeatableRead = "repeatable read"
    case serializable = "serializable"
}

/// The database port: one PostgreSQL database as one service sees it, through a pool of connections.
public protocol Database: Sendable {
    /// Takes a connection of the pool, or opens one.
    ///
    /// - Throws: ``DatabaseError/poolTimeout(waited:)`` when none is free in time, ``DatabaseError/connectionLost(_:)``
    ///   or a statement error (53300, 57P03) when the server cannot be reached or refuses.
    func connect() async throws -> any DatabaseSession
}

/// One connection, used by one task at a time. At most one transaction is open on it.
///
/// A call whose task is cancelled while the server works on it asks the server to stop: the statement then fails with
/// ``SQLState/queryCanceled``. A task that was cancelled before gets a `CancellationError`, and nothing was sent; only
/// ``rollback()`` and ``close()`` are done all the same.
public protocol DatabaseSession: AnyObject, Sendable {
    /// Opens a transaction. Costs no round trip: it travels with the first statements.
    ///
    /// - Throws: ``SQLState/activeTransaction`` when one is open already.
    func begin(_ isolation: IsolationLevel) async throws

    /// Runs the statements one after another in one round trip (a pipeline).
    ///
    /// Without an open transaction they are one transaction of their own, committed with the same round trip; then a
    /// connection lost after sending is ``DatabaseError/commitOutcomeUnknown(_:)``. The first that fails ends the
    /// pipeline: those after it are not run, and the transaction is aborted.
    /// - Returns: one result for each statement, in order.
    /// - Throws: ``DatabaseError`` of the first statement that failed.
    func execute(_ statements: [Statement]) async throws -> [StatementResult]

    /// Runs the statements and commits, in one round trip. Ends the transaction whatever happens.
    ///
    /// A COMMIT of a failed transaction, which the server takes for a ROLLBACK and answers without an error, is reported as
    /// ``SQLState/inFailedTransaction``: nobody may take it for a commit.
    /// - Throws: ``DatabaseError``; ``DatabaseError/commitOutcomeUnknown(_:)`` when the connection broke after sending;
    ///   ``SQLState/noActiveTransaction`` when no transaction is open.
    func executeAndCommit(_ statements: [Statement]) async throws -> [StatementResult]

    /// Rolls back what is open; does nothing when nothing is.
    func rollback() async throws

    /// Gives the connection back to the pool, rolled back first if a transaction is open. Never throws: a broken
    /// connection is dropped.
    func close() async
}

extension DatabaseSession {
    /// Commits the open transaction.
    ///
    /// - Throws: ``DatabaseError``: 40001 is possible here under SERIALIZABLE; the outcome is unknown when the
    ///   connection broke meanwhile.
    @inlinable public func commit() async throws {
        _ = try await executeAndCommit([])
    }

    /// Runs one statement. See ``execute(_:)-(_)``.
    @inlinable public func execute(_ statement: Statement) async throws -> StatementResult {
        try await execute([statement])[0]
    }
}

extension Database {
    /// Runs `body` in one transaction on a connection of its own: commits when it returns, rolls back when it throws.
    ///
    /// Nothing is retried here; see `DatabaseError.isSafeToRetry` and the Outbox library's retrying variant.
    public func transaction<Result>(
        _ isolation: IsolationLevel = .readCommitted, _ body: (any DatabaseSession) async throws -> Result
    ) async throws -> Result {
        let session = try await connect()
        do {
            try await session.begin(isolation)
            let result = try await body(session)
            try await session.commit()
            await session.close()
            return result
        } catch {
            await session.close()
            throw error
        }
    }

    /// Runs the statements as one transaction in a single round trip (BEGIN, statements, COMMIT in a pipeline).
    public func executeAtomically(
        _ statements: [Statement], _ isolation: IsolationLevel = .readCommitted
    ) async throws -> [StatementResult] {
        let session = try await connect()
        do {
            try await session.begin(isolation)
            let results = try await session.executeAndCommit(statements)
            await session.close()
            return results
        } catch {
            await session.close()
            throw error
        }
    }
}

/// What sets a database up: the same declarations make the real one and the simulated one.
public protocol DatabaseAdministration: Sendable {
    /// Creates what the schema declares and does not exist yet, in one transaction, and records its version.
    ///
    /// - Throws: ``DatabaseError``; a schema older than the recorded one is refused.
    func migrate(to schema: Schema) async throws
}
