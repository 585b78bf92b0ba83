#if Production
    import AdapterSystem
    import Ports
    import Synchronization

    /// The connections of one database: at most so many open, handed out last used first, waited for in order.
    final class ConnectionPool: ReactorHandler {
        private enum Turn {
            case connection(PostgresConnection)
            /// There is room: open one.
            case mayOpen
        }

        private struct Waiter {
            let id: UInt64
            let continuation: CheckedContinuation<Turn, any Error>
            let since: Int64
        }

        private struct State {
            var idle: [PostgresConnection] = []
            /// Open, being opened, or promised to a waiter.
            var openCount = 0
            var waiters: [Waiter] = []
            var nextWaiterID: UInt64 = 0
            var isClosed = false
            /// Times that a caller had to wait, for the metrics.
            var waitCount = 0
        }

        private let settings: PostgresSettings
        private let parameters: [PostgresURL.Parameter]
        private let state = Mutex(State())
        private let reactor: SocketReactor
        private let token: Mutex<SocketReactor.Token?> = Mutex(nil)

        init(_ settings: PostgresSettings, reactor: SocketReactor = .shared) {
            precondition(
                settings.connectionLimit > 0, "a pool of \(settings.connectionLimit) connections serves nobody")
            self.settings = settings
            self.reactor = reactor
            parameters = Self.parameters(settings)
            let token = reactor.register(self)
            self.token.withLock { $0 = token }
        }

        private static func parameters(_ settings: PostgresSettings) -> [PostgresURL.Parameter] {
            var parameters = settings.url.parameters.filter {
                !["options", "application_name", "client_encoding"].contains($0.keyword)
            }
            let given = settings.url.value("options").map { $0 + " " } ?? ""
            parameters.append(PostgresURL.Parameter(keyword: "options", value: given + settings.serverOptions))
            parameters.append(PostgresURL.Parameter(keyword: "application_name", value: settings.applicationName))
            parameters.append(PostgresURL.Parameter(keyword: "client_encoding", value: "UTF8"))
            return parameters
        }

        /// Counts for metrics.
        var statistics: PoolStatistics {
            state.withLock {
                PoolStatistics(
                    open: $0.openCount, idle: $0.idle.count, waiting: $0.waiters.count, waitsSinceStart: $0.waitCount)
            }
        }

        func take() async throws -> PostgresConnection {
            switch try await turn() {
            case .connection(let connection): return connection
            case .mayOpen:
                do {
                    return try await open()
                } catch {
                    giveUpRoom()
                    throw error
                }
            }
        }

        /// Gives a connection back; one that cannot be used again makes room for another.
        func give(_ connection: PostgresConnection) {
            let isUsable = connection.isUsable
            let (isKept, next) = state.withLock { state -> (Bool, (CheckedContinuation<Turn, any Error>, Turn)?) in
                guard isUsable, !state.isClosed else { return (false, Self.passOnRoom(&state)) }
                guard !state.waiters.isEmpty else {
                    state.idle.append(connection)
                    return (true, nil)
                }
                return (true, (state.waiters.removeFirst().continuation, .connection(connection)))
            }
            if !isKept { connection.close() }
            if let (continuation, turn) = next { continuation.resume(returning: turn) }
        }

        /// Closes what is idle, now and later, and refuses new callers.
        func close() {
            let (idle, waiters) = state.withLock { state in
                state.isClosed = true
                let result = (state.idle, state.waiters)
                state.openCount -= state.idle.count
                state.idle = []
                state.waiters = []
                return result
            }
            idle.forEach { $0.close() }
            waiters.forEach { $0.continuation.resume(throwing: DatabaseError.connectionLost("the pool is closed")) }
            if let token = token.withLock({ $0 }) { reactor.unregister(token) }
        }

        private func giveUpRoom() {
            if let next = state.withLock({ Self.passOnRoom(&$0) }) { next.0.resume(returning: next.1) }
        }

        private static func passOnRoom(_ state: inout State) -> (CheckedContinuation<Turn, any Error>, Turn)? {
            guard !state.waiters.isEmpty, !state.isClosed else {
                state.openCount -= 1
                return nil
            }
            return (state.waiters.removeFirst().continuation, .mayOpen)
        }

        private func turn() async throws -> Turn {
            try Task.checkCancellation()
            if let turn = try state.withLock({ try immediateTurn(&$0) }) { return turn }
            let id = state.withLock { state in
                state.nextWaiterID += 1
                return state.nextWaiterID
            }
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in wait(id, continuation) }
            } onCancel: {
                removeWaiter(id)?.resume(throwing: CancellationError())
            }
        }

        private func immediateTurn(_ state: inout State) throws -> Turn? {
            if state.isClosed { throw DatabaseError.connectionLost("the pool is closed") }
            while let connection = state.idle.popLast() {
                if connection.isUsable { return .connection(connection) }
                state.openCount -= 1
            }
            guard state.openCount < settings.connectionLimit else { return nil }
            state.openCount += 1
            return .mayOpen
        }

        /// Queues up, unless a connection came back or the task was cancelled since the first look: both are seen under
        /// the lock, so neither can be missed.
        private func wait(_ id: UInt64, _ continuation: CheckedContinuation<Turn, any Error>) {
            let now = SocketReactor.now
            let immediate = state.withLock { state -> Result<Turn, any Error>? in
                if Task.isCancelled { return .failure(CancellationError()) }
                do {
                    if let turn = try immediateTurn(&state) { return .success(turn) }
                } catch {
                    return .failure(error)
                }
                state.waitCount += 1
                state.waiters.append(Waiter(id: id, continuation: continuation, since: now))
                return nil
            }
            if let immediate { return continuation.resume(with: immediate) }
            if let token = token.withLock({ $0 }) { reactor.wake(token, at: now + settings.queueTimeout.rawValue) }
        }

        private func removeWaiter(_ id: UInt64) -> CheckedContinuation<Turn, any Error>? {
            state.withLock { state in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
                return state.waiters.remove(at: index).continuation
            }
        }

        private func open() async throws -> PostgresConnection {
            let settings = settings
            let parameters = parameters
            let result = await withCheckedContinuation { continuation in
                // Opening is rare and resolves names, which blocks: a thread of its own, gone when it is done.
                DedicatedThread.start("pg-connect") {
                    continuation.resume(
                        returning: ConnectionHandle.open(parameters, timeout: settings.connectTimeout))
                }
            }
            return PostgresConnection(try result.get(), responseTimeout: settings.responseTimeout, reactor: reactor)
        }

        func socketIsReady() {}

        func deadlinePassed(now: Int64) {
            let limit = settings.queueTimeout
            let late = state.withLock { state in
                let count = state.waiters.prefix { $0.since + limit.rawValue <= now }.count
                let late = Array(state.waiters.prefix(count))
                state.waiters.removeFirst(count)
                return late
            }
            for waiter in late {
                waiter.continuation.resume(throwing: DatabaseError.poolTimeout(waited: Nanoseconds(now - waiter.since)))
            }
        }
    }
#endif
