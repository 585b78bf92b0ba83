import Outbox
import Ports

/// The next release of every service, as its neighbours see it: its events carry version 2 and a field that nobody asked for,
/// and a placed order is told of by an event of a type that the present release does not know.
enum NextRelease {
    /// A type that only the next release writes, and only it knows to be of no concern to consumers.
    static let eventType = "OrderChannelNoted"
    static let eventVersion: Int64 = 2
    static let addedField = "release"

    /// The statements as the next release writes them.
    static func rewritten(_ statements: [Statement], _ identifiers: any Identifiers) -> [Statement] {
        statements.map { statement in
            guard case .insert(var insert) = statement, insert.table === OutboxTable.table else { return statement }
            insert.rows = insert.rows.flatMap { rows(insteadOf: $0, identifiers) }
            return .insert(insert)
        }
    }

    private static func rows(insteadOf row: [Value], _ identifiers: any Identifiers) -> [[Value]] {
        var event = row
        event[OutboxTable.version.ordinal] = .int64(eventVersion)
        if case .json(.object(let members)) = row[OutboxTable.payload.ordinal] {
            event[OutboxTable.payload.ordinal] = .json(
                .object(members + [JSONMember(addedField, .string("next"))]))
        }
        guard row[OutboxTable.type.ordinal] == .text("OrderPlaced") else { return [event] }
        var note = row
        note[OutboxTable.id.ordinal] = .uuid(identifiers.next())
        note[OutboxTable.type.ordinal] = .text(eventType)
        note[OutboxTable.payload.ordinal] = .json(["channel": "web"])
        return [event, note]
    }
}

/// The database of a service of the next release.
struct NextReleaseDatabase: Database {
    let base: any Database
    let identifiers: any Identifiers

    func connect() async throws -> any DatabaseSession {
        NextReleaseSession(try await base.connect(), identifiers)
    }
}

private final class NextReleaseSession: DatabaseSession {
    private let base: any DatabaseSession
    private let identifiers: any Identifiers

    init(_ base: any DatabaseSession, _ identifiers: any Identifiers) {
        self.base = base
        self.identifiers = identifiers
    }

    func begin(_ isolation: IsolationLevel) async throws { try await base.begin(isolation) }

    func execute(_ statements: [Statement]) async throws -> [StatementResult] {
        try await base.execute(NextRelease.rewritten(statements, identifiers))
    }

    func executeAndCommit(_ statements: [Statement]) async throws -> [StatementResult] {
        try await base.executeAndCommit(NextRelease.rewritten(statements, identifiers))
    }

    func rollback() async throws { try await base.rollback() }
    func close() async { await base.close() }
}
