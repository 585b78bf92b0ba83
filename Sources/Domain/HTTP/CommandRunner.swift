import Outbox
import Ports

/// What a command makes of its request: the answer, and what subscribers are told once it is committed.
struct CommandOutcome<Committed: Sendable>: Sendable {
    var response: HTTPResponse
    var committed: Committed
}

/// Runs the commands of an HTTP interface: each is one transaction of two round trips, and acts once per idempotency key.
///
/// The first round trip reads the key's stored answer together with what the command needs; the second writes effects,
/// events and answer, and commits. A command without a key gets one of its own for the length of the call, so that an
/// unknown commit outcome is settled alike: by looking for the answer.
struct CommandRunner: Sendable {
    let ports: ServicePorts
    let settings: ShopSettings
    private let runner: TransactionRunner

    init(_ ports: ServicePorts, _ settings: ShopSettings) {
        self.ports = ports
        self.settings = settings
        runner = TransactionRunner(ports)
    }

    /// Runs a command.
    ///
    /// - Parameters:
    ///   - loads: what it reads, and locks.
    ///   - decide: makes the answer from what was loaded and adds the writes to the unit of work. Throws a
    ///     ``ProblemDocument`` to refuse, which changes nothing and is not stored.
    ///   - didCommit: told what became durable; not called for a repeated request.
    func run<Committed: Sendable>(
        _ request: HTTPRequest, loads: [Statement],
        decide: (ArraySlice<StatementResult>, EventCause, inout UnitOfWork) throws -> CommandOutcome<Committed>,
        didCommit: (Committed) -> Void
    ) async throws -> HTTPResponse {
        let key = try IdempotencyKey(request, ports.identifiers)
        return try await runner.run(within: settings.commandTimeLimit, retrying: { $0.mayBeRunAgain || $0.isLostRace })
        {
            session in
            let results = try await session.execute([IdempotencyTable.select(key.text)] + loads)
            if let stored = results[0].rows.first {
                return try await IdempotencyTable.repeated(stored, key, in: session)
            }
            var work = UnitOfWork(now: ports.clock.now)
            let outcome = try decide(results.dropFirst(), key.cause(of: request), &work)
            let answer = IdempotencyTable.insert(
                outcome.response, key: key.text, fingerprint: key.fingerprint, at: work.now)
            if settings.mistakes.contains(.notificationBeforeCommit) { didCommit(outcome.committed) }
            if settings.mistakes.contains(.idempotencyKeyOutsideTransaction) {
                try await work.commit(on: session, mistakes: settings.mistakes)
                _ = try await session.execute(
                    .insert(Insert(into: IdempotencyTable.table, rows: [answer], onConflict: .doNothing(key: nil))))
            } else {
                work.insert(answer, into: IdempotencyTable.table)
                try await work.commit(on: session, mistakes: settings.mistakes)
            }
            if !settings.mistakes.contains(.notificationBeforeCommit) { didCommit(outcome.committed) }
            return outcome.response
        }
    }

    /// Runs a query: statements of one round trip. What it reads counts as confirmed only if it locks it (decision 14).
    func query(_ statements: [Statement]) async throws -> [StatementResult] {
        try await runner.run(within: settings.commandTimeLimit) { try await $0.executeAndCommit(statements) }
    }
}

/// A request's idempotency key with what tells its repetitions from other requests.
struct IdempotencyKey: Sendable {
    /// As stored. Keys of clients and those made here cannot meet, because clients' may not hold a space.
    let text: String
    let fingerprint: Int64

    /// - Throws: 400 for a key that is empty, too long or not plain text.
    init(_ request: HTTPRequest, _ identifiers: any Identifiers) throws(ProblemDocument) {
        if let key = request.header("idempotency-key") {
            guard (1...200).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw .invalid("Idempotency-Key", "must be 1 to 200 visible ASCII characters")
            }
            guard request.headers.count(where: { $0.name == "idempotency-key" }) == 1 else {
                throw .invalid("Idempotency-Key", "is given more than once; a request has one")
            }
            text = key
        } else {
            text = "request \(identifiers.next())"
        }
        fingerprint = RequestFingerprint.of(request)
    }

    /// The stored answer of the same request.
    ///
    /// - Throws: 422 when the key was used for another one.
    func repeated(_ row: Row) throws(ProblemDocument) -> HTTPResponse {
        guard row.int64(IdempotencyTable.fingerprint) == fingerprint else {
            throw ProblemDocument(
                422, "Idempotency Key Reused", detail: "this Idempotency-Key was used for a different request",
                field: "Idempotency-Key")
        }
        return IdempotencyTable.response(row)
    }

    /// Where events that the request leads to say that they come from. The correlation id is the aggregate's, set by
    /// whoever publishes.
    func cause(of request: HTTPRequest) -> EventCause {
        EventCause(causationID: text, correlationID: "", traceParent: request.header("traceparent") ?? "")
    }
}

extension DatabaseError {
    /// Whether a rival committed the same idempotency key, or the same new row, first: running again finds it.
    var isLostRace: Bool { sqlState == .uniqueViolation }
}
