#if os(Linux)
    import AdapterSystem
    import Glibc
    import Ports
    import Synchronization

    /// One connection of an HTTP client: one exchange at a time, for one task at a time.
    final class ClientConnection: ReactorHandler {
        private struct State {
            var isOpen = false
            var isClosed = false
            var failure: HTTPError?
            var parser = ResponseParser()
            var output = OutputQueue()
            var wantsWrite = true
            var inputEnded = false
            var isExchanging = false
            var steps: [ResponseParser.Step] = []
            var waiter: CheckedContinuation<Void, Never>?
            var deadline = Int64.max
            var armed = Int64.max
            var timeout = Nanoseconds.zero
            var idleSince: Int64 = 0
        }

        private let descriptor: Int32
        private let server: String
        private let reactor: SocketReactor
        private let token: SocketReactor.Token
        private let state = Mutex(State())
        private let link = Link()

        /// The reactor knows a connection by this, which can exist before it.
        private final class Link: ReactorHandler {
            let connection = Mutex<ClientConnection?>(nil)

            func socketIsReady() { connection.withLock { $0 }?.socketIsReady() }
            func deadlinePassed(now: Int64) { connection.withLock { $0 }?.deadlinePassed(now: now) }
        }

        /// Begins to connect.
        ///
        /// - Parameter server: its name, for errors.
        /// - Throws: ``Ports/HTTPError/connectionRefused(_:)``.
        init(_ address: sockaddr_in, server: String, reactor: SocketReactor) throws(HTTPError) {
            var address = address
            let descriptor = socket(
                AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { throw .connectionRefused("\(server): \(String(cString: strerror(errno)))") }
            var one: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard result == 0 || errno == EINPROGRESS else {
                let reason = String(cString: strerror(errno))
                Glibc.close(descriptor)
                throw .connectionRefused("\(server): \(reason)")
            }
            self.descriptor = descriptor
            self.server = server
            self.reactor = reactor
            token = reactor.register(link)
            link.connection.withLock { $0 = self }
            reactor.watch(descriptor, for: token)
            reactor.setInterest(reads: true, writes: true, socket: descriptor, for: token)
        }

        /// Whether another request can be sent: open, and idle for less than `limit`.
        func isReusable(_ limit: Nanoseconds) -> Bool {
            state.withLock { state in
                !state.isClosed && !state.inputEnded && SocketReactor.now - state.idleSince < limit.rawValue
            }
        }

        // MARK: For the task that uses it

        /// Waits until the connection stands.
        func opened(by deadline: Int64, timeout: Nanoseconds) async throws {
            try await wait(until: deadline, timeout) { $0.isOpen }
        }

        /// Sends a request. Its response comes from ``next(by:timeout:)``.
        func send(_ bytes: [UInt8]) {
            let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard !state.isClosed else { return nil }
                state.isExchanging = true
                state.output.append(bytes)
                return flush(&state)
            }
            waiter?.resume()
        }

        /// The next part of the response.
        ///
        /// - Throws: ``Ports/HTTPError``, `CancellationError`; the connection is closed then.
        func next(by deadline: Int64, timeout: Nanoseconds) async throws -> ResponseParser.Step {
            try await wait(until: deadline, timeout) { !$0.steps.isEmpty }
            return state.withLock { $0.steps.removeFirst() }
        }

        /// The exchange is over, and the connection free for another.
        func becomeIdle() {
            state.withLock { state in
                state.isExchanging = false
                state.idleSince = SocketReactor.now
                state.deadline = .max
                if state.parser.isSpent { state.parser.reset() } else { shut(&state, nil) }
            }
        }

        private func wait(
            until deadline: Int64, _ timeout: Nanoseconds, for isThere: (borrowing State) -> Bool
        ) async throws {
            while true {
                try Task.checkCancellation()
                let (isReady, failure) = state.withLock { state -> (Bool, HTTPError?) in
                    if isThere(state) { return (true, nil) }
                    if state.isClosed {
                        return (true, state.failure ?? .connectionReset("the connection to \(server) is closed"))
                    }
                    state.deadline = deadline
                    state.timeout = timeout
                    arm(&state)
                    return (false, nil)
                }
                if let failure { throw failure }
                if isReady { return }
                await pause(for: isThere)
            }
        }

        private func pause(for isThere: (borrowing State) -> Bool) async {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let waits = state.withLock { state in
                        guard !isThere(state), !state.isClosed, !Task.isCancelled else { return false }
                        state.waiter = continuation
                        return true
                    }
                    if !waits { continuation.resume() }
                }
            } onCancel: {
                close()
            }
        }

        /// Closes the connection, whatever is under way.
        func close() {
            state.withLock { shut(&$0, nil) }?.resume()
        }

        // MARK: Events of the reactor

        func socketIsReady() {
            let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard !state.isClosed else { return nil }
                if !state.isOpen {
                    if let reason = connectFailure() { return shut(&state, .connectionRefused("\(server): \(reason)")) }
                    guard isConnected() else { return nil }
                    state.isOpen = true
                    state.idleSince = SocketReactor.now
                }
                if let waiter = flush(&state) { return waiter }
                if let waiter = read(&state) { return waiter }
                // Whoever waits looks for itself whether what it waits for has come.
                return state.waiter.take()
            }
            waiter?.resume()
        }

        func deadlinePassed(now: Int64) {
            let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
                if now >= state.armed { state.armed = .max }
                guard !state.isClosed, state.deadline != .max else { return nil }
                guard state.deadline <= now else {
                    arm(&state)
                    return nil
                }
                guard state.waiter != nil else { return nil }
                return shut(
                    &state,
                    state.isOpen
                        ? .timedOut(after: state.timeout)
                        : .connectionRefused("\(server) did not accept within \(state.timeout)"))
            }
            waiter?.resume()
        }

        private func connectFailure() -> String? {
            var code: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
            return code == 0 ? nil : String(cString: strerror(code))
        }

        private func isConnected() -> Bool {
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            return withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
            } == 0
        }

        private func read(_ state: inout State) -> CheckedContinuation<Void, Never>? {
            while !state.isClosed, !state.inputEnded {
                let count = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer in
                    let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                    if count > 0 {
                        state.parser.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
                    }
                    return count
                }
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno == EAGAIN { return nil }
                    return shut(&state, .connectionReset("\(server): \(String(cString: strerror(errno)))"))
                }
                guard count > 0 else {
                    state.inputEnded = true
                    guard state.isExchanging else { return shut(&state, nil) }
                    return endOfInput(&state)
                }
                // Nobody asked: what comes on an idle connection is of no exchange.
                guard state.isExchanging else { return shut(&state, nil) }
                if let waiter = parse(&state) { return waiter }
            }
            return nil
        }

        private func parse(_ state: inout State) -> CheckedContinuation<Void, Never>? {
            while true {
                let step = state.parser.next()
                switch step {
                case .needsMore: return nil
                case .malformed(let what): return shut(&state, .connectionReset("\(server): \(what)"))
                case .head, .bytes: state.steps.append(step)
                case .end:
                    state.steps.append(step)
                    return nil
                }
            }
        }

        /// The server has ended the connection. What it sent before is still handed on.
        private func endOfInput(_ state: inout State) -> CheckedContinuation<Void, Never>? {
            if case .end? = state.steps.last { return shut(&state, nil) }
            let step = state.parser.end()
            if case .end = step {
                state.steps.append(step)
                return shut(&state, nil)
            }
            return shut(&state, .connectionReset("\(server) ended the connection before its answer was whole"))
        }

        // MARK: Parts

        private func flush(_ state: inout State) -> CheckedContinuation<Void, Never>? {
            guard state.isOpen else { return nil }
            if !state.output.isEmpty, state.output.send(to: descriptor) == .failed {
                // The server may have answered before it closed: what it said is read first.
                if let waiter = read(&state) { return waiter }
                return shut(&state, .connectionReset("\(server): \(String(cString: strerror(EPIPE)))"))
            }
            if state.wantsWrite == state.output.isEmpty {
                state.wantsWrite.toggle()
                reactor.setInterest(reads: true, writes: state.wantsWrite, socket: descriptor, for: token)
            }
            return nil
        }

        private func arm(_ state: inout State) {
            guard state.deadline < state.armed else { return }
            state.armed = state.deadline
            reactor.wake(token, at: state.deadline)
        }

        /// Closes the socket, and gives back who has to be told.
        @discardableResult
        private func shut(_ state: inout State, _ failure: HTTPError?) -> CheckedContinuation<Void, Never>? {
            guard !state.isClosed else { return nil }
            state.isClosed = true
            state.failure = failure
            reactor.unwatch(descriptor)
            reactor.unregister(token)
            Glibc.close(descriptor)
            link.connection.withLock { $0 = nil }
            return state.waiter.take()
        }
    }
#endif
