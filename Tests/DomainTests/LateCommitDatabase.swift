import PortFakes
import Ports
import Synchronization

@testable import Domain

/// The order service's database while commits of orders take long to become visible: an order is found only once somebody
/// has waited for it, by inserting its key.
final class LateCommitDatabase: Database {
    private let database: MemoryDatabase
    private let isLate = Mutex(false)

    init(_ database: MemoryDatabase) { self.database = database }

    /// From now on nobody sees any order until it is waited for.
    func hideOrders() { isLate.withLock { $0 = true } }

    func connect() async throws -> any DatabaseSession { Session(try await database.connect(), self) }

    private final class Session: DatabaseSession {
        private let session: any DatabaseSession
        private let database: LateCommitDatabase

        init(_ session: any DatabaseSession, _ database: LateCommitDatabase) {
            self.session = session
            self.database = database
        }

        func begin(_ isolation: IsolationLevel) async throws { try await session.begin(isolation) }

        func execute(_ statements: [Statement]) async throws -> [StatementResult] {
            for case .insert(let insert) in statements where insert.table === OrdersTable.table {
                database.isLate.withLock { $0 = false }
            }
            let isLate = database.isLate.withLock { $0 }
            return zip(statements, try await session.execute(statements)).map { statement, result in
                guard isLate, case .select(let select) = statement, select.table === OrdersTable.table else {
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
