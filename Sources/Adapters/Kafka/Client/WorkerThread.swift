#if Production
    import AdapterSystem
    import Glibc
    import Synchronization

    /// One thread for the calls of librdkafka that wait for a broker, one after another. It starts with the first.
    final class WorkerThread: @unchecked Sendable {
        private struct State {
            var jobs: [@Sendable () -> Void] = []
            var isRunning = false
            var isEnding = false
        }

        private let name: String
        private let state = Mutex(State())
        private let semaphore: UnsafeMutablePointer<sem_t>

        init(_ name: String) {
            self.name = name
            semaphore = .allocate(capacity: 1)
            sem_init(semaphore, 0, 0)
        }

        deinit {
            sem_destroy(semaphore)
            semaphore.deallocate()
        }

        /// Runs `body` on the thread and waits for it without blocking this one.
        ///
        /// - Throws: `CancellationError` as soon as the task is cancelled; the call then goes on unwatched.
        func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async throws -> Value {
            try Task.checkCancellation()
            let waiting = WaitingCaller<Value>()
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    waiting.begin(continuation)
                    add { waiting.end(.success(body())) }
                }
            } onCancel: {
                waiting.end(.failure(CancellationError()))
            }
        }

        /// As ``run(_:)``, but a cancelled task waits, too: for closing.
        func runToTheEnd<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
            await withCheckedContinuation { continuation in add { continuation.resume(returning: body()) } }
        }

        /// Runs `body` after what was asked for before.
        func add(_ body: @escaping @Sendable () -> Void) {
            let starts = state.withLock { state in
                precondition(!state.isEnding, "work for a thread that was told to end")
                state.jobs.append(body)
                defer { state.isRunning = true }
                return !state.isRunning
            }
            sem_post(semaphore)
            if starts { DedicatedThread.start(name) { self.serve() } }
        }

        /// Ends the thread after what was asked for before.
        func end() {
            let isRunning = state.withLock { state in
                state.isEnding = true
                return state.isRunning
            }
            if isRunning { sem_post(semaphore) }
        }

        private func serve() {
            while true {
                while sem_wait(semaphore) != 0 {}
                let job = state.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }
                guard let job else { return }
                job()
            }
        }
    }

    /// A task that waits for one result, which comes once: from a thread, or because the task was cancelled.
    final class WaitingCaller<Value: Sendable>: Sendable {
        private enum State {
            case idle
            case waiting(CheckedContinuation<Value, any Error>)
            case ended(Result<Value, any Error>)
            case resumed
        }

        private let state = Mutex(State.idle)

        func begin(_ continuation: CheckedContinuation<Value, any Error>) {
            let early = state.withLock { state -> Result<Value, any Error>? in
                guard case .ended(let result) = state else {
                    state = .waiting(continuation)
                    return nil
                }
                state = .resumed
                return result
            }
            if let early { continuation.resume(with: early) }
        }

        /// Gives the result; a later one is dropped.
        func end(_ result: Result<Value, any Error>) {
            let waiting = state.withLock { state -> CheckedContinuation<Value, any Error>? in
                switch state {
                case .idle:
                    state = .ended(result)
                    return nil
                case .waiting(let continuation):
                    state = .resumed
                    return continuation
                case .ended, .resumed: return nil
                }
            }
            waiting?.resume(with: result)
        }
    }
#endif
