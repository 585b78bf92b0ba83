public import Ports

/// Runs a database transaction until it commits, as the protocol asks: 40001, 40P01, lost connections and unknown
/// commit outcomes run the whole transaction again, after a bounded, growing delay.
public struct TransactionRunner: Sendable {
    private let database: any Database
    private let clock: any ServiceClock
    private let identifiers: any Identifiers
    public var backoff = Backoff()

    public init(_ ports: ServicePorts) {
        database = ports.database
        clock = ports.clock
        identifiers = ports.identifiers
    }

    /// Runs `body` in a transaction of its own, again after each failure that allows it, for at most `limit`.
    ///
    /// `body` ends with ``Ports/DatabaseSession/executeAndCommit(_:)``, so that its last statements and the commit share a
    /// round trip; what it leaves open is rolled back. After an unknown commit outcome `body` runs again as well, so it
    /// must find what its earlier run wrote: an inbox row, an idempotency key, a changed state.
    ///
    /// - Parameter retrying: which errors run it again; a body that inserts rows whose keys a rival may have taken
    ///   meanwhile adds 23505.
    /// - Throws: what `body` threw last: a ``Ports/DatabaseError`` when the time is up, any other error at once.
    public func run<Result>(
        _ isolation: IsolationLevel = .readCommitted, within limit: Nanoseconds,
        retrying isRetried: (DatabaseError) -> Bool = { $0.mayBeRunAgain },
        _ body: (any DatabaseSession) async throws -> Result
    ) async throws -> Result {
        let start = clock.monotonicNow
        var retries = 0
        while true {
            do {
                return try await attempt(isolation, body)
            } catch let error as DatabaseError where isRetried(error) {
                guard try await waitBeforeRetry(retries, start: start, limit: limit) else { throw error }
                retries += 1
            }
        }
    }

    /// Waits before retry number `retry`; false, without waiting, when `limit` since `start` would pass meanwhile.
    func waitBeforeRetry(_ retry: Int, start: Instant, limit: Nanoseconds) async throws -> Bool {
        let delay = backoff.delay(beforeRetry: retry, randomBits: identifiers.next().low)
        guard clock.monotonicNow - start + delay <= limit else { return false }
        try await clock.sleep(for: delay)
        return true
    }

    private func attempt<Result>(
        _ isolation: IsolationLevel, _ body: (any DatabaseSession) async throws -> Result
    ) async throws -> Result {
        let session = try await database.connect()
        do {
            try await session.begin(isolation)
            let result = try await body(session)
            await session.close()
            return result
        } catch {
            await session.close()
            throw error
        }
    }
}

extension DatabaseError {
    /// Whether a transaction that recognises its own earlier run may be run again.
    public var mayBeRunAgain: Bool {
        if case .commitOutcomeUnknown = self { true } else { isSafeToRetry }
    }
}
