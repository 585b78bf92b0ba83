public import Ports
import Synchronization

/// A database where commits to one table can take long to become visible: a row is found only once somebody has waited for
/// its transaction, by inserting the row's key.
public final class LateCommitDatabase: Database {
    private let database: MemoryDatabase
    private let table: Table
    private let isLate = Mutex(false)

    public init(_ database: MemoryDatabase, table: Table) {
        self.database = database
        self.table = table
    }

    /// From now on nobody sees any row of the table until one is waited for.
    public func hideRows() { isLate.withLock { $0 = true } }

    public func connect() async throws -> any DatabaseSession { Session(try await database.connect(), self) }

    private final class Session: DatabaseSession {
        private let session: any DatabaseSession
        private let database: LateCommitDatabase

        init(_ session: any DatabaseSession, _ database: LateCommitDatabase) {
            self.session = session
            self.database = database
        }

        func begin(_ isolation: IsolationLevel) async throws { try await session.begin(isolation) }

        func execute(_ statements: [Statement]) async throws -> [StatementResult] {
            for case .insert(let insert) in statements where insert.table === database.table {
                database.isLate.withLock { $0 = false }
            }
            let isLate = database.isLate.withLock { $0 }
            return zip(statements, try await session.execute(statements)).map { statement, result in
                guard isLate, case .select(let select) = statement, select.table === database.table else {
                    return result
                }
                return StatementResult(affectedRowCount: 0, rows: [])
            }
        }

        func executeAndCommit(_ statements: [Statement]) async throws -> [StatementResult] {
            try await session.executeAndCommit(statements)
        }

        func rollback() async throws { try await session.rollback() }

        func close() async { await session.close() }
    }
}
