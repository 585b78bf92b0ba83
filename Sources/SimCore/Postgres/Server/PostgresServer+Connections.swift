import Ports

extension PostgresServer {
    mutating func openConnection(_ connection: PostgresConnectionID) {
        let opening = PostgresRequestID(0)
        precondition(sessionOfConnection[connection] == nil, "connection \(connection.rawValue) is open already")
        if availability == .recovering {
            let error = failure(.cannotConnectNow, "the database system is starting up")
            effects.append(.reply(connection, opening, .failure(error)))
            return
        }
        if availability == .shuttingDown {
            let error = failure(.cannotConnectNow, "the database system is shutting down")
            effects.append(.reply(connection, opening, .failure(error)))
            return
        }
        if sessionOfConnection.count >= settings.maximumConnections {
            refusedConnectionCount += 1
            let error = failure(.tooManyConnections, "sorry, too many clients already")
            effects.append(.reply(connection, opening, .failure(error)))
            return
        }
        let session: Int
        if let free = freeSessions.popLast() {
            session = free
        } else {
            session = sessions.count
            sessions.append(Session())
        }
        sessions[session].connection = connection
        sessions[session].isInUse = true
        sessions[session].isOrphaned = false
        sessions[session].isIdleTimerSet = false
        sessions[session].useNumber &+= 1
        sessions[session].openedNumber = openedCount
        openedCount += 1
        configure(session, PostgresSessionSettings())
        sessionOfConnection[connection] = session
        effects.append(.reply(connection, opening, .done))
    }

    /// The client is gone. A request that runs is finished first: only then the server reads, and finds the end.
    mutating func closeConnection(_ connection: PostgresConnectionID) {
        guard let session = sessionOfConnection[connection] else { return }
        sessions[session].isOrphaned = true
        if sessions[session].request == nil { endSession(session) }
    }

    /// Rolls back and forgets a session.
    mutating func endSession(_ session: Int) {
        if sessions[session].transaction.state == .active { abortTransaction(session) }
        endTransaction(session)
        releaseSlot(session)
        slotCreations.removeAll { $0.session == session }
        sessionOfConnection[sessions[session].connection] = nil
        sessions[session].request = nil
        sessions[session].isInUse = false
        freeSessions.append(session)
    }

    mutating func cancel(_ connection: PostgresConnectionID) {
        guard let session = sessionOfConnection[connection] else { return }
        switch sessions[session].wait {
        case .row, .transaction:
            interrupt(session, failure(.queryCanceled, "canceling statement due to user request"))
        case .standby: cancelStandbyWait(session)
        case .nothing: cancelSlotCreation(session)
        case .walSync: break
        }
    }

    /// Connections, the newest first.
    public var connectionsNewestFirst: [PostgresConnectionID] {
        sessions.indices.filter { sessions[$0].isInUse && !sessions[$0].isOrphaned }
            .sorted { sessions[$0].openedNumber > sessions[$1].openedNumber }
            .map { sessions[$0].connection }
    }

    /// Gives a session settings of its own; what it does not set is the server's.
    private mutating func configure(_ session: Int, _ own: PostgresSessionSettings) {
        func limit(_ own: Nanoseconds?, _ general: Nanoseconds?) -> Nanoseconds? {
            guard let own else { return general }
            return own == .zero ? nil : own
        }
        sessions[session].own = own
        sessions[session].synchronousCommit = own.synchronousCommit ?? settings.synchronousCommit
        sessions[session].lockTimeout = limit(own.lockTimeout, settings.lockTimeout)
        sessions[session].statementTimeout = limit(own.statementTimeout, settings.statementTimeout)
    }

    mutating func terminate(_ connection: PostgresConnectionID) {
        guard let session = sessionOfConnection[connection] else { return }
        let error = failure(.adminShutdown, "terminating connection due to administrator command")
        if sessions[session].wait.isForLock { leaveQueue(session) }
        effects.append(.close(connection, error))
        if sessions[session].transaction.state == .committing {
            // Its commit record is written: it commits, and nobody is told.
            sessions[session].isOrphaned = true
            if case .standby = sessions[session].wait { cancelStandbyWait(session) }
            return
        }
        sessions[session].wait = .nothing
        endSession(session)
    }

    mutating func reload(_ settings: PostgresSettings) {
        self.settings = settings
        for session in sessions.indices where sessions[session].isInUse { configure(session, sessions[session].own) }
    }

    // MARK: Requests

    mutating func receive(
        _ body: PostgresRequest, _ request: PostgresRequestID, from connection: PostgresConnectionID
    ) {
        guard let session = sessionOfConnection[connection] else { return }
        if case .replication(let command) = body, !command.isAnswered {
            receiveReplication(command, request, session)
            return
        }
        if case .configure(let own) = body {
            configure(session, own)
            return
        }
        precondition(
            sessions[session].request == nil,
            "connection \(connection.rawValue) sends request \(request.rawValue) before the last one was answered")
        sessions[session].request = request
        sessions[session].requestNumber &+= 1
        switch body {
        case .execute(let statements, let begin):
            start(session, statements, begin, commitsAtEnd: false)
        case .executeAndCommit(let statements, let begin):
            start(session, statements, begin, commitsAtEnd: true)
        case .rollback:
            if sessions[session].transaction.state == .active { abortTransaction(session) }
            endTransaction(session)
            finishRequest(session, .done)
        case .migrate(let schema):
            migrate(session, schema)
        case .replication(let command): receiveReplication(command, request, session)
        case .configure: break  // seen to above
        }
    }

    private mutating func start(
        _ session: Int, _ statements: [Statement], _ begin: IsolationLevel?, commitsAtEnd: Bool
    ) {
        var commitsAtEnd = commitsAtEnd
        if sessions[session].transaction.state == .none {
            sessions[session].transaction.state = .active
            sessions[session].transaction.isolation = begin ?? .readCommitted
            if begin == nil { commitsAtEnd = true }
        } else if begin != nil {
            finishRequest(session, .failure(failure(.activeTransaction, "there is already a transaction in progress")))
            return
        }
        sessions[session].statements = statements
        sessions[session].statementIndex = 0
        sessions[session].commitsAtEnd = commitsAtEnd
        sessions[session].results.reserveCapacity(statements.count)
        sessions[session].startedAt = now
        if sessions[session].transaction.state == .failed {
            let text = "current transaction is aborted, commands ignored until end of transaction block"
            fail(session, failure(.inFailedTransaction, text))
            return
        }
        run(session)
    }

    /// Runs the batch of a session until it waits or is done.
    mutating func run(_ session: Int) {
        if case .nothing = sessions[session].wait {} else { return }
        while sessions[session].statementIndex < sessions[session].statements.count {
            do throws(DatabaseError) {
                guard try executeStatement(session) else {
                    holdStatementSnapshot(session)
                    return
                }
            } catch {
                fail(session, error)
                return
            }
            sessions[session].statementIndex += 1
        }
        if sessions[session].commitsAtEnd {
            commit(session)
        } else {
            finishBatch(session)
        }
    }

    /// Answers a batch that succeeded.
    mutating func finishBatch(_ session: Int) {
        let results = sessions[session].results
        sessions[session].results = []
        finishRequest(session, .results(results, warning: sessions[session].warning))
    }

    /// Aborts the transaction and answers with the error. What the transaction held is free at once.
    mutating func fail(_ session: Int, _ error: DatabaseError) {
        if sessions[session].transaction.state == .active { abortTransaction(session) }
        sessions[session].transaction.state = .failed
        if sessions[session].commitsAtEnd { endTransaction(session) }
        sessions[session].results = []
        finishRequest(session, .failure(error))
    }

    mutating func finishRequest(_ session: Int, _ reply: PostgresReply) {
        self.reply(session, reply)
        sessions[session].request = nil
        sessions[session].statements = []
        sessions[session].warning = nil
        sessions[session].progress.reset()
        if sessions[session].isOrphaned { endSession(session) } else { noteIdleInTransaction(session) }
    }

    func failure(_ state: SQLState, _ message: String, constraint: String? = nil) -> DatabaseError {
        .statement(state, message: message, constraint: constraint)
    }
}
