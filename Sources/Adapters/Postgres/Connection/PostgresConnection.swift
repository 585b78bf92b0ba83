#if Production
    import AdapterSystem
    import Clibpq
    import Ports
    import Synchronization

    /// One connection to a server: pipelines go out on the caller's thread, answers come in on the reactor's.
    ///
    /// Neither ever blocks: libpq is in non-blocking mode, and a caller is suspended until the synchronisation point of
    /// its pipeline came back. One pipeline is under way at a time.
    final class PostgresConnection: ReactorHandler {
        typealias Continuation = CheckedContinuation<PipelineOutcome, any Error>

        /// Somebody to be resumed once the lock is free again.
        struct Completion {
            let continuation: Continuation
            let result: Result<PipelineOutcome, any Error>

            func resume() { continuation.resume(with: result) }
        }

        private let state: Mutex<ConnectionState>
        private let reactor: SocketReactor

        /// Takes over an open connection.
        init(_ handle: ConnectionHandle, responseTimeout: Nanoseconds, reactor: SocketReactor = .shared) {
            self.reactor = reactor
            PQenterPipelineMode(handle.pointer)
            state = Mutex(ConnectionState(handle, responseTimeout: responseTimeout.rawValue, reactor: reactor))
            let token = reactor.register(self)
            state.withLock { $0.begin(token) }
        }

        /// Whether it can still be used, as far as is known without asking the server.
        var isUsable: Bool {
            state.withLock { state in
                state.checkWhileIdle()
                return state.isUsable
            }
        }

        /// Sends a pipeline and waits for its outcome.
        ///
        /// A cancelled task asks the server to cancel what runs, which then fails with 57014, or as an unknown outcome where
        /// it was a commit's wait for the standby; the connection is not used again after that, since the request may reach
        /// the server late.
        /// - Throws: ``Ports/DatabaseError/connectionLost(_:)`` or ``Ports/DatabaseError/commitOutcomeUnknown(_:)``;
        ///   `CancellationError` when the task was cancelled before anything was sent.
        func run(_ pipeline: Pipeline) async throws -> PipelineOutcome {
            try Task.checkCancellation()
            let run = PipelineRun()
            return try await withTaskCancellationHandler {
                try await send(pipeline, as: run)
            } onCancel: {
                cancel(run)
            }
        }

        /// As ``run(_:)``, but cancellation neither prevents nor interrupts it: for ROLLBACK.
        func runToTheEnd(_ pipeline: Pipeline) async throws -> PipelineOutcome {
            try await send(pipeline, as: PipelineRun())
        }

        private func send(_ pipeline: Pipeline, as run: PipelineRun) async throws -> PipelineOutcome {
            try await withCheckedThrowingContinuation { continuation in
                state.withLock { $0.start(pipeline, as: run, continuation) }?.resume()
            }
        }

        /// Closes it; what is under way fails as on a lost connection.
        func close() {
            state.withLock { $0.end("the connection was closed") }?.resume()
        }

        private func cancel(_ run: PipelineRun) {
            guard let cancellation = state.withLock({ $0.cancellation(of: run) }) else { return }
            DedicatedThread.start("pg-cancel") { cancellation.send() }
        }

        func socketIsReady() {
            state.withLock { $0.receive() }?.resume()
        }

        func deadlinePassed(now: Int64) {
            state.withLock { $0.deadlinePassed(now: now) }?.resume()
        }
    }

    /// The identity of one use of a connection, so that a late cancellation cannot hit the next one.
    final class PipelineRun: Sendable {
        private let isCancelledFlag = Atomic(false)

        var isCancelled: Bool { isCancelledFlag.load(ordering: .acquiring) }
        func markCancelled() { isCancelledFlag.store(true, ordering: .releasing) }
    }

    /// A request to cancel, sent over a connection of its own. Blocks.
    struct Cancellation: @unchecked Sendable {
        let pointer: OpaquePointer

        func send() {
            var message = [CChar](repeating: 0, count: 256)
            PQcancel(pointer, &message, Int32(message.count))
            PQfreeCancel(pointer)
        }
    }
#endif
