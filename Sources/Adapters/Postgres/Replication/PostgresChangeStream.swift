#if Production
    import AdapterSystem
    import Clibpq
    import Ports
    import Synchronization

    /// A slot that is being consumed: bytes come in on the reactor's thread and leave as whole transactions.
    final class PostgresChangeStream: ChangeStream, ReactorHandler {
        typealias Continuation = CheckedContinuation<[CommittedTransaction], any Error>

        /// Somebody to be resumed once the lock is free again.
        struct Completion {
            let continuation: Continuation
            let result: Result<[CommittedTransaction], any Error>

            func resume() { continuation.resume(with: result) }
        }

        private let state: Mutex<ChangeStreamState>

        init(_ handle: ConnectionHandle, reactor: SocketReactor = .shared) {
            state = Mutex(ChangeStreamState(handle, reactor: reactor))
            let token = reactor.register(self)
            state.withLock { $0.begin(token) }
        }

        func next(maximumTransactions: Int, timeout: Nanoseconds) async throws -> [CommittedTransaction] {
            precondition(maximumTransactions > 0, "asked for \(maximumTransactions) transactions")
            try Task.checkCancellation()
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    state.withLock { state in
                        Task.isCancelled
                            ? Completion(continuation: continuation, result: .failure(CancellationError()))
                            : state.request(maximumTransactions, timeout, continuation)
                    }?
                    .resume()
                }
            } onCancel: {
                state.withLock { $0.cancelRequest() }?.resume()
            }
        }

        func confirm(_ lsn: LSN) async throws {
            let (completion, failure) = state.withLock { $0.confirm(lsn) }
            completion?.resume()
            if let failure { throw failure }
        }

        func close() async {
            let (completion, handle) = state.withLock { $0.close() }
            completion?.resume()
            guard let handle else { return }
            await withCheckedContinuation { continuation in
                DedicatedThread.start("pg-close") {
                    handle.endReplication(timeout: .seconds(2))
                    continuation.resume()
                }
            }
        }

        func socketIsReady() {
            state.withLock { $0.receive() }?.resume()
        }

        func deadlinePassed(now: Int64) {
            state.withLock { $0.deadlinePassed(now: now) }?.resume()
        }
    }
#endif
