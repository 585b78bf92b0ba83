import Ports
import SimCore

/// A database without isolation: every write is there for all at once, and a rollback puts back what was there before it,
/// whatever others have done since. Holds one table of a `bigint` and a `jsonb`, and knows what list appends need.
final class ImmediateDatabase: Database, @unchecked Sendable {
    fileprivate var rows: [Int64: Value] = [:]
    fileprivate let context: ProcessContext
    /// What the commit of each transaction throws, if anything, by how many commits there were before.
    private let commitError: (Int) -> DatabaseError?
    /// Whether a commit that fails took effect all the same.
    fileprivate let appliesUnknownCommits: Bool
    private var commitCount = 0

    init(
        _ context: ProcessContext, appliesUnknownCommits: Bool = false,
        commitError: @escaping (Int) -> DatabaseError? = { _ in nil }
    ) {
        self.context = context
        self.appliesUnknownCommits = appliesUnknownCommits
        self.commitError = commitError
    }

    func connect() async throws -> any DatabaseSession { ImmediateSession(self) }

    fileprivate func nextCommitError() -> DatabaseError? {
        defer { commitCount += 1 }
        return commitError(commitCount)
    }
}

private final class ImmediateSession: DatabaseSession, @unchecked Sendable {
    private let database: ImmediateDatabase
    /// What each write replaced, latest last.
    private var replaced: [(key: Int64, value: Value?)] = []

    init(_ database: ImmediateDatabase) { self.database = database }

    func begin(_ isolation: IsolationLevel) async throws {}

    func execute(_ statements: [Statement]) async throws -> [StatementResult] {
        try await database.context.yield()
        return statements.map(run)
    }

    func executeAndCommit(_ statements: [Statement]) async throws -> [StatementResult] {
        try await database.context.yield()
        let results = statements.map(run)
        guard let error = database.nextCommitError() else {
            replaced = []
            return results
        }
        if case .commitOutcomeUnknown = error, database.appliesUnknownCommits { replaced = [] }
        try await rollback()
        throw error
    }

    func rollback() async throws {
        for (key, value) in replaced.reversed() { database.rows[key] = value }
        replaced = []
    }

    func close() async { try? await rollback() }

    private func run(_ statement: Statement) -> StatementResult {
        switch statement {
        case .select(let select):
            guard case .int64(let key) = select.condition[0].operands[0], let value = database.rows[key] else {
                return StatementResult(affectedRowCount: 0)
            }
            return StatementResult(affectedRowCount: 1, rows: [Row([.int64(key), value])])
        case .insert(let insert):
            guard case .int64(let key) = insert.rows[0][0], database.rows[key] == nil else {
                return StatementResult(affectedRowCount: 0)
            }
            write(key, insert.rows[0][1])
            return StatementResult(affectedRowCount: 1)
        case .update(let update):
            guard case .int64(let key) = update.condition[0].operands[0],
                case .set(_, let value) = update.assignments[0]
            else { preconditionFailure("list appends set one column of one row, and this is \(update)") }
            write(key, value)
            return StatementResult(affectedRowCount: 1)
        case .delete: preconditionFailure("list appends delete nothing")
        }
    }

    private func write(_ key: Int64, _ value: Value) {
        replaced.append((key, database.rows[key]))
        database.rows[key] = value
    }
}
