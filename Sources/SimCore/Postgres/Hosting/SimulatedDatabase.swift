public import Ports

/// How a client's connection pool is set.
public struct DatabasePoolSettings: Hashable, Sendable {
    /// Connections open at one time.
    public var connectionLimit = 10
    /// How long a caller waits for a free connection.
    public var queueTimeout: Nanoseconds = .seconds(5)
    /// How long an attempt to connect may take.
    public var connectTimeout: Nanoseconds = .seconds(5)
    /// How long an answer may take; as `tcp_user_timeout` and keepalives bound it for libpq.
    public var answerTimeout: Nanoseconds = .seconds(30)
    /// What each of its sessions sets for itself.
    public var session = PostgresSessionSettings()

    public init() {}
}

/// The database port on a simulated server, for the code of one incarnation: a pool of connections over the simulated
/// network.
public final class SimulatedDatabase: Database, DatabaseAdministration, @unchecked Sendable {
    let server: SimulatedPostgres
    let context: ProcessContext
    let settings: DatabasePoolSettings
    // Not checked for exclusive access at run time: nothing here is held across a call of foreign code.
    @exclusivity(unchecked) private var idle: ContiguousArray<PostgresClientConnection> = []
    @exclusivity(unchecked) private var openCount = 0
    @exclusivity(unchecked) private var queue: ContiguousArray<WaiterID> = []
    @exclusivity(unchecked) private var queueHead = 0

    public init(
        _ server: SimulatedPostgres, context: ProcessContext, settings: DatabasePoolSettings = DatabasePoolSettings()
    ) {
        self.server = server
        self.context = context
        self.settings = settings
    }

    public func connect() async throws -> any DatabaseSession {
        try context.checkAlive()
        return SimulatedDatabaseSession(self, try await take())
    }

    public func migrate(to schema: Schema) async throws {
        try context.checkAlive()
        let connection = try await take()
        let reply = try await connection.call(.migrate(schema), timeout: settings.answerTimeout)
        giveBack(connection)
        switch reply {
        case .failure(let error): throw error
        case nil: throw DatabaseError.commitOutcomeUnknown(connection.end ?? "the connection broke")
        default: return
        }
    }

    // MARK: The pool

    private func take() async throws -> PostgresClientConnection {
        let deadline = server.simulation.now + server.simulation.trueSpan(context, settings.queueTimeout)
        while true {
            while let connection = idle.popLast() {
                if connection.isUsable { return connection }
                openCount -= 1
            }
            if openCount < settings.connectionLimit { return try await open() }
            let waiter = server.simulation.makeWaiter(context, WaitReason("a pooled connection"), deadline: deadline)
            queue.append(waiter)
            guard try await server.simulation.wait(waiter) else {
                throw DatabaseError.poolTimeout(waited: settings.queueTimeout)
            }
        }
    }

    private func open() async throws -> PostgresClientConnection {
        openCount += 1
        let connection = PostgresClientConnection(server, context: context)
        do {
            try await connection.open(timeout: settings.connectTimeout)
            if !settings.session.isEmpty { connection.post(.configure(settings.session)) }
            return connection
        } catch {
            openCount -= 1
            wakeNext()
            throw error
        }
    }

    /// Takes a connection back, or forgets it when it is broken.
    func giveBack(_ connection: PostgresClientConnection) {
        if connection.isUsable { idle.append(connection) } else { openCount -= 1 }
        wakeNext()
    }

    private func wakeNext() {
        while queueHead < queue.count {
            let waiter = queue[queueHead]
            queueHead += 1
            if server.simulation.wake(waiter) { break }
        }
        if queueHead == queue.count {
            queue.removeAll(keepingCapacity: true)
            queueHead = 0
        }
    }
}

/// A session on a pooled connection.
final class SimulatedDatabaseSession: DatabaseSession, @unchecked Sendable {
    private let database: SimulatedDatabase
    private let connection: PostgresClientConnection
    /// BEGIN that travels with the next statements.
    @exclusivity(unchecked) private var pendingBegin: IsolationLevel?
    @exclusivity(unchecked) private var isInTransaction = false
    @exclusivity(unchecked) private var isClosed = false

    init(_ database: SimulatedDatabase, _ connection: PostgresClientConnection) {
        self.database = database
        self.connection = connection
    }

    func begin(_ isolation: IsolationLevel) async throws {
        try database.context.checkAlive()
        guard !isInTransaction else {
            throw DatabaseError.statement(.activeTransaction, message: "there is already a transaction in progress")
        }
        isInTransaction = true
        pendingBegin = isolation
    }

    func execute(_ statements: [Statement]) async throws -> [StatementResult] {
        try database.context.checkAlive()
        try Task.checkCancellation()
        let commits = !isInTransaction && !statements.allSatisfy(\.isReadOnly)
        let reply = try await call(.execute(statements, begin: takeBegin()), commits: commits)
        return try results(reply)
    }

    func executeAndCommit(_ statements: [Statement]) async throws -> [StatementResult] {
        try database.context.checkAlive()
        guard isInTransaction else {
            throw DatabaseError.statement(.noActiveTransaction, message: "there is no transaction in progress")
        }
        try Task.checkCancellation()
        let begin = takeBegin()
        isInTransaction = false
        // Nothing was ever sent: an empty transaction.
        if begin != nil, statements.isEmpty { return [] }
        // What an open transaction did before is not known here.
        let commits = begin == nil || !statements.allSatisfy(\.isReadOnly)
        let reply = try await call(.executeAndCommit(statements, begin: begin), commits: commits)
        return try results(reply)
    }

    func rollback() async throws {
        try database.context.checkAlive()
        guard isInTransaction else { return }
        isInTransaction = false
        if takeBegin() != nil { return }
        _ = try await call(.rollback, commits: false, isInterruptible: false)
    }

    func close() async {
        guard !isClosed else { return }
        isClosed = true
        if isInTransaction, pendingBegin == nil, connection.isUsable, database.context.isAlive {
            let reply = try? await connection.call(
                .rollback, timeout: database.settings.answerTimeout, isInterruptible: false)
            if reply == nil { connection.close() }
        }
        guard database.context.isAlive else { return }
        database.giveBack(connection)
    }

    private func takeBegin() -> IsolationLevel? {
        defer { pendingBegin = nil }
        return pendingBegin
    }

    private func call(
        _ body: PostgresRequest, commits: Bool, isInterruptible: Bool = true
    ) async throws -> PostgresReply {
        guard connection.isUsable else {
            throw DatabaseError.connectionLost(connection.end ?? "the connection is closed")
        }
        if let reply = try await connection.call(
            body, timeout: database.settings.answerTimeout, isInterruptible: isInterruptible)
        {
            if commits, case .results(_, let warning?) = reply { throw DatabaseError.commitOutcomeUnknown(warning) }
            return reply
        }
        let why = connection.end ?? "the connection broke"
        throw commits ? DatabaseError.commitOutcomeUnknown(why) : .connectionLost(why)
    }

    private func results(_ reply: PostgresReply) throws -> [StatementResult] {
        switch reply {
        case .results(let results, _): return results
        case .failure(let error): throw error
        case .done: return []
        case .slot, .position: preconditionFailure("a statement was answered as a replication command")
        }
    }
}

extension Statement {
    /// Whether it neither changes nor locks anything.
    fileprivate var isReadOnly: Bool { if case .select(let select) = self { select.lock == .none } else { false } }
}
