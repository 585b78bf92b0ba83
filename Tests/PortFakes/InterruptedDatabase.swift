public import Ports
import Synchronization

/// A database where others commit between two statements of one call, as each statement at READ COMMITTED may see.
public final class InterruptedDatabase: Database {
    public typealias Interruption = @Sendable () async throws -> Void

    private let database: any Database
    private let interruption = Mutex<Interruption?>(nil)

    public init(_ database: any Database) { self.database = database }

    /// What happens once, after the first statement of the next call within a transaction that has several and only reads.
    public func interruptNextReads(_ body: @escaping Interruption) { interruption.withLock { $0 = body } }

    public func connect() async throws -> any DatabaseSession { Session(try await database.connect(), self) }

    private func takeInterruption(_ statements: [Statement]) -> Interruption? {
        let onlyReads = statements.allSatisfy { if case .select = $0 { true } else { false } }
        guard onlyReads, statements.count > 1 else { return nil }
        return interruption.withLock { interruption in
            defer { interruption = nil }
            return interruption
        }
    }

    private final class Session: DatabaseSession {
        private let session: any DatabaseSession
        private let database: InterruptedDatabase

        init(_ session: any DatabaseSession, _ database: InterruptedDatabase) {
            self.session = session
            self.database = database
        }

        func begin(_ isolation: IsolationLevel) async throws { try await session.begin(isolation) }

        /// The database in memory takes its snapshot at the beginning: what only read begins anew, and sees what was committed.
        private func readFirst(_ statement: Statement, _ interruption: Interruption) async throws -> [StatementResult] {
            let first = try await session.execute([statement])
            try await session.rollback()
            try await interruption()
            try await session.begin(.readCommitted)
            return first
        }

        func execute(_ statements: [Statement]) async throws -> [StatementResult] {
            guard let interruption = database.takeInterruption(statements) else {
                return try await session.execute(statements)
            }
            return try await readFirst(statements[0], interruption)
                + session.execute(Array(statements.dropFirst()))
        }

        func executeAndCommit(_ statements: [Statement]) async throws -> [StatementResult] {
            guard let interruption = database.takeInterruption(statements) else {
                return try await session.executeAndCommit(statements)
            }
            return try await readFirst(statements[0], interruption)
                + session.executeAndCommit(Array(statements.dropFirst()))
        }

        func rollback() async throws { try await session.rollback() }

        func close() async { await session.close() }
    }
}
