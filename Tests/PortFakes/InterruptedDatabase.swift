public import Ports
import Synchronization

/// A database where others commit between two statements of one call, as each statement at READ COMMITTED may see.
public final class InterruptedDatabase: Database {
    public typealias Interruption = @Sendable () async throws -> Void

    private let database: any Database
    private let interruption = Mutex<Interruption?>(nil)

    public init(_ database: any Database) { self.database = database }

    /// What happens once, after the first statement of the next call that has several and only reads.
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

        func execute(_ statements: [Statement]) async throws -> [StatementResult] {
            guard let interruption = database.takeInterruption(statements) else {
                return try await session.execute(statements)
            }
            let first = try await session.execute([statements[0]])
            try await interruption()
            return first + (try await session.execute(Array(statements.dropFirst())))
        }

        func executeAndCommit(_ statements: [Statement]) async throws -> [StatementResult] {
            guard let interruption = database.takeInterruption(statements) else {
                return try await session.executeAndCommit(statements)
            }
            let first = try await session.execute([statements[0]])
            try await interruption()
            return first + (try await session.executeAndCommit(Array(statements.dropFirst())))
        }

        func rollback() async throws { try await session.rollback() }

        func close() async { await session.close() }
    }
}
