import Ports
import Synchronization

/// One step of a session, under way or over.
final class Step<Value: Sendable>: Sendable {
    private let session: String
    private let clock: any ServiceClock
    private let outcome = Mutex<Result<Value, any Error>?>(nil)

    init(_ session: String, _ clock: any ServiceClock) {
        self.session = session
        self.clock = clock
    }

    func end(_ result: Result<Value, any Error>) { outcome.withLock { $0 = result } }

    var hasEnded: Bool { outcome.withLock { $0 != nil } }

    /// Checks that the step does not end by itself: somebody holds what it needs.
    func mustWait(
        _ span: Nanoseconds = Stage.waitingSpan, file: String = #fileID, line: UInt = #line
    ) async throws {
        try await clock.sleep(for: span)
        if let early = outcome.withLock({ $0 }) {
            throw ContractFailure("\(session) must wait, but ended with \(early)", file: file, line: line)
        }
    }

    /// Waits for the end.
    func result(
        within patience: Nanoseconds = Stage.patience, file: String = #fileID, line: UInt = #line
    ) async throws -> Result<Value, any Error> {
        let deadline = clock.monotonicNow + patience
        while true {
            if let result = outcome.withLock({ $0 }) { return result }
            guard clock.monotonicNow < deadline else {
                throw ContractFailure("\(session) has not ended within \(patience)", file: file, line: line)
            }
            try await clock.sleep(for: .milliseconds(1))
        }
    }

    /// Waits for the end, which must be a success.
    @discardableResult
    func value(file: String = #fileID, line: UInt = #line) async throws -> Value {
        switch try await result(file: file, line: line) {
        case .success(let value): return value
        case .failure(let error):
            throw ContractFailure("\(session) must succeed, but got \(error)", file: file, line: line)
        }
    }

    /// Waits for the end, which must be a database's refusal with that state.
    @discardableResult
    func mustFail(_ state: SQLState, file: String = #fileID, line: UInt = #line) async throws -> DatabaseError {
        let error = try await databaseError(file: file, line: line)
        guard error.sqlState == state else {
            throw ContractFailure("\(session) must fail with \(state), but got \(error)", file: file, line: line)
        }
        return error
    }

    /// Waits for the end, which must be an error of the database.
    func databaseError(file: String = #fileID, line: UInt = #line) async throws -> DatabaseError {
        switch try await result(file: file, line: line) {
        case .success(let value):
            throw ContractFailure("\(session) must fail, but succeeded with \(value)", file: file, line: line)
        case .failure(let error as DatabaseError): return error
        case .failure(let error):
            throw ContractFailure("\(session) must fail as a database, but got \(error)", file: file, line: line)
        }
    }
}
