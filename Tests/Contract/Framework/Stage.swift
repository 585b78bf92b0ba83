import Ports
import Synchronization

/// Where the sessions of one case play: each step runs in a task of its own, so that the script can go on while it waits.
final class Stage: Sendable {
    let clock: any ServiceClock
    private let database: any Database
    private let jobs: AsyncStream<@Sendable () async -> Void>.Continuation
    private let sessions = Mutex<[StageSession]>([])

    /// How long a step that must wait is watched.
    static let waitingSpan: Nanoseconds = .milliseconds(150)
    /// How long a step that must end is waited for.
    static let patience: Nanoseconds = .seconds(15)

    private init(
        _ database: any Database, _ clock: any ServiceClock,
        _ jobs: AsyncStream<@Sendable () async -> Void>.Continuation
    ) {
        self.database = database
        self.clock = clock
        self.jobs = jobs
    }

    /// Runs a script; afterwards every step has ended and every session is closed, whatever happened.
    static func play(
        _ database: any Database, _ clock: any ServiceClock,
        _ script: @escaping @Sendable (Stage) async throws -> Void
    ) async throws {
        let (stream, jobs) = AsyncStream<@Sendable () async -> Void>.makeStream()
        let stage = Stage(database, clock, jobs)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { jobs.finish() }
                try await script(stage)
            }
            for await job in stream { group.addTask { await job() } }
            var failure: (any Error)?
            // After a failure, what still waits is cancelled: the script cannot end it any more.
            do { try await group.next() } catch {
                failure = error
                group.cancelAll()
            }
            while true {
                do {
                    guard try await group.next() != nil else { break }
                } catch {
                    failure = failure ?? error
                    group.cancelAll()
                }
            }
            for session in stage.sessions.withLock({ $0 }) { await session.close() }
            if let failure { throw failure }
        }
    }

    /// Opens a session, with a transaction announced when a level is given.
    func session(_ name: String, _ isolation: IsolationLevel? = nil) async throws -> StageSession {
        let session = StageSession(name, try await database.connect(), of: self)
        sessions.withLock { $0.append(session) }
        if let isolation { try await session.begin(isolation) }
        return session
    }

    func run(_ job: @escaping @Sendable () async -> Void) { jobs.yield(job) }

    /// Waits for a while in which nothing is expected.
    func pause(_ span: Nanoseconds = Stage.waitingSpan) async throws { try await clock.sleep(for: span) }
}

/// One session of a case, called A, B, ...
final class StageSession: Sendable {
    let name: String
    private let session: any DatabaseSession
    private let stage: Stage

    init(_ name: String, _ session: any DatabaseSession, of stage: Stage) {
        self.name = name
        self.session = session
        self.stage = stage
    }

    /// Begins a step and goes on at once.
    func start<Value: Sendable>(
        _ operation: @escaping @Sendable (any DatabaseSession) async throws -> Value
    ) -> Step<Value> {
        let step = Step<Value>(name, stage.clock)
        let session = session
        stage.run {
            do {
                step.end(.success(try await operation(session)))
            } catch {
                step.end(.failure(error))
            }
        }
        return step
    }

    func begin(_ isolation: IsolationLevel) async throws {
        try await start { try await $0.begin(isolation) }.value()
    }
    func commit(file: String = #fileID, line: UInt = #line) async throws {
        try await start { try await $0.commit() }.value(file: file, line: line)
    }
    func rollback() async throws { try await start { try await $0.rollback() }.value() }
    func close() async { await session.close() }

    /// Starts statements that are expected to wait.
    func start(_ statements: Statement...) -> Step<[StatementResult]> { start { try await $0.execute(statements) } }

    /// Starts a commit.
    func startCommit() -> Step<Void> { start { try await $0.commit() } }

    /// Runs statements that must succeed without waiting for anybody.
    @discardableResult
    func run(_ statements: Statement..., file: String = #fileID, line: UInt = #line) async throws -> [StatementResult] {
        try await start { try await $0.execute(statements) }.value(file: file, line: line)
    }

    /// The rows of one statement.
    func rows(_ statement: Statement, file: String = #fileID, line: UInt = #line) async throws -> [Row] {
        try await start { try await $0.execute(statement) }.value(file: file, line: line).rows
    }

    /// Runs statements of which one must be refused with that state.
    @discardableResult
    func mustFail(
        _ state: SQLState, _ statements: Statement..., file: String = #fileID, line: UInt = #line
    ) async throws -> DatabaseError {
        try await start { try await $0.execute(statements) }.mustFail(state, file: file, line: line)
    }

    func commitMustFail(_ state: SQLState, file: String = #fileID, line: UInt = #line) async throws {
        try await startCommit().mustFail(state, file: file, line: line)
    }
}
