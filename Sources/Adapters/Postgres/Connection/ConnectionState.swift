#if Production
    import AdapterSystem
    import Clibpq
    import Ports

    /// What a connection knows, guarded by its lock.
    struct ConnectionState {
        private var handle: ConnectionHandle?
        private var execution: PipelineExecution?
        private var continuation: PostgresConnection.Continuation?
        private var run: PipelineRun?
        /// Names of the statements prepared on this connection, by their text.
        private var preparedNames: [String: String] = [:]
        private var preparationCount = 0
        private var wantsWrite = false
        private var wasCancelled = false
        private var whyLost = "the connection is closed"
        private var token: SocketReactor.Token?
        /// When the reactor is to call, at most once at a time.
        private var scheduledWake: Int64?
        private let responseTimeout: Int64
        private let reactor: SocketReactor

        init(_ handle: ConnectionHandle, responseTimeout: Int64, reactor: SocketReactor) {
            self.handle = handle
            self.responseTimeout = responseTimeout
            self.reactor = reactor
        }

        func preparedName(_ sql: String) -> String? { preparedNames[sql] }

        /// A name that this connection has not used: those of preparations that failed stay unused.
        mutating func newPreparedName() -> String {
            preparationCount += 1
            return "s\(preparationCount)"
        }

        var isUsable: Bool { handle != nil && !wasCancelled }

        /// Looks at the socket of an idle connection: one that the server has closed is found out before it is lent.
        mutating func checkWhileIdle() {
            guard let handle, execution == nil, handle.hasInput else { return }
            _ = receive()
        }

        mutating func begin(_ token: SocketReactor.Token) {
            self.token = token
            if let handle { reactor.watch(handle.socket, for: token) }
        }

        /// Sends a pipeline. Returns a completion when it failed at once.
        mutating func start(
            _ pipeline: Pipeline, as run: PipelineRun, _ continuation: PostgresConnection.Continuation
        ) -> PostgresConnection.Completion? {
            guard !run.isCancelled else {
                return PostgresConnection.Completion(continuation: continuation, result: .failure(CancellationError()))
            }
            guard let handle else {
                return PostgresConnection.Completion(
                    continuation: continuation, result: .failure(DatabaseError.connectionLost(whyLost)))
            }
            precondition(
                execution == nil, "two pipelines at once on one connection: a session is used by one task at a time")
            let deadline = SocketReactor.now + responseTimeout
            var execution = PipelineExecution(mayCommit: pipeline.mayCommit, deadline: deadline)
            var newNames: [String: String] = [:]
            var wasSent = true
            for command in pipeline.commands where wasSent {
                wasSent = send(command, on: handle.pointer, &execution, &newNames)
            }
            wasSent = wasSent && PQpipelineSync(handle.pointer) == 1
            self.execution = execution
            self.continuation = continuation
            self.run = run
            guard wasSent else { return end(handle.errorText) }
            scheduleWake(at: deadline)
            return flush()
        }

        private mutating func scheduleWake(at deadline: Int64) {
            guard scheduledWake == nil, let token else { return }
            scheduledWake = deadline
            reactor.wake(token, at: deadline)
        }

        /// Reads what has come. Returns a completion when a pipeline is through, or lost.
        mutating func receive() -> PostgresConnection.Completion? {
            guard let handle else { return nil }
            guard PQconsumeInput(handle.pointer) == 1 else { return end(handle.errorText) }
            if wantsWrite, let lost = flush() { return lost }
            return takeResults(handle)
        }

        private mutating func takeResults(_ handle: ConnectionHandle) -> PostgresConnection.Completion? {
            while execution != nil, PQisBusy(handle.pointer) == 0 {
                guard let result = PQgetResult(handle.pointer) else {
                    if handle.isBroken { return end(handle.errorText) }
                    execution?.endCommand()
                    continue
                }
                defer { PQclear(result) }
                if PQresultStatus(result) == PGRES_PIPELINE_SYNC { return complete(handle) }
                if handle.isBroken || PostgresErrors.endsSession(result) {
                    return endSession(with: result, handle)
                }
                execution?.take(result, gaveUpStandby: handle.takeGivenUpStandby())
            }
            return nil
        }

        /// The server ended the session: with its own reason (57P01, say), or without a word.
        private mutating func endSession(
            with result: OpaquePointer, _ handle: ConnectionHandle
        ) -> PostgresConnection.Completion? {
            let error = PostgresErrors.statement(result)
            if case .statement = error { execution?.fail(error) }
            return end(handle.errorText)
        }

        private mutating func complete(_ handle: ConnectionHandle) -> PostgresConnection.Completion? {
            guard var finished = execution, let continuation else { return nil }
            execution = nil
            self.continuation = nil
            for (sql, name) in finished.prepared { preparedNames[sql] = name }
            finished.outcome.isInTransaction = PQtransactionStatus(handle.pointer) != PQTRANS_IDLE
            return PostgresConnection.Completion(continuation: continuation, result: .success(finished.outcome))
        }

        /// Writes what libpq still holds; asks the reactor for room when the socket takes no more.
        private mutating func flush() -> PostgresConnection.Completion? {
            guard let handle, let token else { return nil }
            let rest = PQflush(handle.pointer)
            guard rest >= 0 else { return end(handle.errorText) }
            if wantsWrite != (rest == 1) {
                wantsWrite = rest == 1
                reactor.setWantsWrite(wantsWrite, socket: handle.socket, for: token)
            }
            return nil
        }

        mutating func deadlinePassed(now: Int64) -> PostgresConnection.Completion? {
            scheduledWake = nil
            guard let execution else { return nil }
            guard now >= execution.deadline else {
                scheduleWake(at: execution.deadline)
                return nil
            }
            return end("no answer within \(Nanoseconds(responseTimeout))")
        }

        /// What to send to have the server cancel what runs now; `nil` when nothing does.
        mutating func cancellation(of cancelled: PipelineRun) -> Cancellation? {
            cancelled.markCancelled()
            guard let handle, execution != nil, run === cancelled else { return nil }
            wasCancelled = true
            return PQgetCancel(handle.pointer).map { Cancellation(pointer: $0) }
        }

        /// Gives the connection up. What was under way had no effect, or an unknown one when it could have committed.
        mutating func end(_ why: String) -> PostgresConnection.Completion? {
            guard let handle else { return nil }
            whyLost = why
            self.handle = nil
            reactor.unwatch(handle.socket)
            if let token { reactor.unregister(token) }
            handle.finish()
            guard let lost = execution, let continuation else { return nil }
            execution = nil
            self.continuation = nil
            let error: DatabaseError =
                lost.outcome.error ?? (lost.mayCommit ? .commitOutcomeUnknown(why) : .connectionLost(why))
            return PostgresConnection.Completion(continuation: continuation, result: .failure(error))
        }
    }
#endif
