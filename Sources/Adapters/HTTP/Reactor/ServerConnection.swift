#if os(Linux)
    import AdapterSystem
    import Glibc
    import Ports
    import Synchronization

    /// One connection of a ``ReactorHTTPServer``: requests one after another, each answered before the next is looked at.
    ///
    /// Reading happens on the reactor's thread, answers come from tasks; both change one state under one lock, and what has
    /// to be done outside of it is collected in ``Effects``.
    final class ServerConnection: ReactorHandler {
        enum Phase {
            /// Between requests, or inside one that has not come whole.
            case reading
            /// A handler has the request.
            case responding
            /// A handler writes an event stream.
            case streaming
            /// The last answer is on its way; what the client still sends is thrown away.
            case lingering
            case closed
        }

        struct State {
            var phase = Phase.reading
            var parser: RequestParser
            var output = OutputQueue()
            var keepsAlive = true
            var isHTTP11 = true
            var reads = true
            var wantsWrite = false
            var inputEnded = false
            /// Counts requests, so that a task that is late for one is not taken for that of the next.
            var exchange = 0
            var task: Task<Void, Never>?
            /// By when the request that has begun to come has to be there; `nil` between requests.
            var requestDeadline: Int64?
            /// When something is due in the present phase, and the earliest deadline that the reactor was given.
            var deadline = Int64.max
            var armed = Int64.max
            var lastProgress: Int64 = 0
            var roomWaiter: CheckedContinuation<Void, Never>?
        }

        /// What follows from a change of state.
        struct Effects {
            var request: Result<(RawRequest, exchange: Int), Refusal>?
            var hasRoom: CheckedContinuation<Void, Never>?
            var cancelled: Task<Void, Never>?
            var didClose = false
        }

        let descriptor: Int32
        let server: ReactorHTTPServer
        let token: SocketReactor.Token
        let state: Mutex<State>
        private let link: Link

        /// The reactor knows a connection by this, which can exist before it.
        private final class Link: ReactorHandler {
            private let connection = Mutex<ServerConnection?>(nil)

            func connect(_ connection: ServerConnection?) { self.connection.withLock { $0 = connection } }
            func socketIsReady() { connection.withLock { $0 }?.socketIsReady() }
            func deadlinePassed(now: Int64) { connection.withLock { $0 }?.deadlinePassed(now: now) }
        }

        init(_ descriptor: Int32, server: ReactorHTTPServer) {
            self.descriptor = descriptor
            self.server = server
            link = Link()
            token = server.reactor.register(link)
            state = Mutex(State(parser: RequestParser(limits: server.settings.limits)))
            link.connect(self)
        }

        func start() {
            var one: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            state.withLock { state in
                // A server that is being stopped may have closed it already, and its number may be another's.
                guard state.phase != .closed else { return }
                setDeadline(&state, after: server.settings.idleTimeout)
                server.reactor.watch(descriptor, for: token)
            }
        }

        // MARK: Events of the reactor

        func socketIsReady() {
            perform(
                state.withLock { state in
                    var effects = Effects()
                    guard state.phase != .closed else { return effects }
                    flush(&state, &effects)
                    if state.reads { read(&state, &effects) } else { checkForReset(&state, &effects) }
                    return effects
                })
        }

        func deadlinePassed(now: Int64) {
            perform(
                state.withLock { state in
                    var effects = Effects()
                    if now >= state.armed { state.armed = .max }
                    guard state.phase != .closed, state.deadline != .max else { return effects }
                    if state.deadline > now {
                        arm(&state)
                    } else {
                        isDue(&state, now, &effects)
                    }
                    return effects
                })
        }

        /// What was waited for in this phase has not come.
        private func isDue(_ state: inout State, _ now: Int64, _ effects: inout Effects) {
            let isStuck =
                !state.output.isEmpty && now - state.lastProgress >= server.settings.writeTimeout.rawValue
            switch state.phase {
            case .streaming where !isStuck:
                if state.output.isEmpty { write(EventStreamText.heartbeat, &state, &effects) }
                setDeadline(&state, after: server.settings.heartbeatInterval)
            case .responding where !isStuck: setDeadline(&state, after: server.settings.writeTimeout)
            case .lingering where !isStuck && !state.output.isEmpty:
                setDeadline(&state, after: server.settings.writeTimeout)
            default: close(&state, &effects)
            }
        }

        // MARK: Reading

        private func read(_ state: inout State, _ effects: inout Effects) {
            var budget = 16
            while state.phase != .closed, state.reads, budget > 0 {
                budget -= 1
                let count = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer in
                    let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                    if count > 0, state.phase != .lingering {
                        state.parser.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
                    }
                    return count
                }
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno != EAGAIN { close(&state, &effects) }
                    break
                }
                if count == 0 {
                    state.inputEnded = true
                    stopReading(&state)
                    break
                }
                // Requests that come before the present one is answered have to wait, and so has their client.
                if state.phase != .reading, state.parser.bufferedByteCount > 65_536 { stopReading(&state) }
                advance(&state, &effects)
            }
            if state.inputEnded { endOfInput(&state, &effects) }
        }

        /// A failed socket is told of even when nothing is of interest, and without end.
        private func checkForReset(_ state: inout State, _ effects: inout Effects) {
            guard state.phase != .closed else { return }
            var byte: UInt8 = 0
            if recv(descriptor, &byte, 1, Int32(MSG_PEEK)) < 0, errno != EAGAIN, errno != EINTR {
                close(&state, &effects)
            }
        }

        private func stopReading(_ state: inout State) {
            state.reads = false
            updateInterest(state)
        }

        private func endOfInput(_ state: inout State, _ effects: inout Effects) {
            switch state.phase {
            case .reading where !state.output.isEmpty: linger(&state, &effects)
            case .reading, .streaming: close(&state, &effects)
            case .lingering where state.output.isEmpty: close(&state, &effects)
            case .responding, .lingering, .closed: break
            }
        }

        /// Goes on with what has been read, if no answer is due first.
        private func advance(_ state: inout State, _ effects: inout Effects) {
            while state.phase == .reading {
                switch state.parser.next() {
                case .needsMore:
                    // The whole request has this long, however slowly its bytes come.
                    if state.parser.isInsideRequest, state.requestDeadline == nil {
                        setDeadline(&state, after: server.settings.requestTimeout)
                        state.requestDeadline = state.deadline
                    }
                    return
                case .expectsContinue: write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), &state, &effects)
                case .request(let raw):
                    state.requestDeadline = nil
                    state.phase = .responding
                    state.exchange += 1
                    state.keepsAlive = raw.keepsAlive && !server.isDraining
                    state.isHTTP11 = raw.isHTTP11
                    setDeadline(&state, after: server.settings.writeTimeout)
                    effects.request = .success((raw, state.exchange))
                case .refused(let problem):
                    state.phase = .responding
                    state.keepsAlive = false
                    effects.request = .failure(Refusal(problem: problem))
                }
            }
        }

        // MARK: Answers

        /// Answers a request, on a task of its own.
        private func answer(_ raw: RawRequest) async {
            switch RequestDecoder.decode(raw, limits: server.settings.limits) {
            case .failure(let refusal):
                server.settings.onRefusal(refusal.problem)
                finish(refusal.problem.response, omitsBody: raw.method == "HEAD")
            case .success(let request):
                let response = await server.handler.respond(to: request)
                guard case .events(let write) = response.body else { return finish(response) }
                guard beginStream(response) else { return }
                do {
                    try await write(EventSink(connection: self))
                } catch {
                    // The handler gave up, or its client is gone: the stream ends, and the client may open it again.
                }
                endStream()
            }
        }

        /// Sends a whole response and goes on to the next request, or closes.
        private func finish(_ response: HTTPResponse, omitsBody: Bool = false) {
            guard let body = ResponseEncoder.body(response.body) else {
                preconditionFailure("an event stream is not sent as a whole")
            }
            perform(
                state.withLock { state in
                    var effects = Effects()
                    guard state.phase == .responding else { return effects }
                    state.task = nil
                    if server.isDraining || state.inputEnded { state.keepsAlive = false }
                    let bytes = ResponseEncoder.whole(
                        response, body, keepsAlive: state.keepsAlive, omitsBody: omitsBody)
                    write(bytes, &state, &effects)
                    endAnswer(&state, &effects)
                    return effects
                })
        }

        /// The answer is on its way: back to reading, or to the end.
        private func endAnswer(_ state: inout State, _ effects: inout Effects) {
            guard state.phase != .closed else { return }
            guard state.keepsAlive else { return linger(&state, &effects) }
            state.phase = .reading
            setDeadline(&state, after: server.settings.idleTimeout)
            if !state.reads, !state.inputEnded {
                state.reads = true
                updateInterest(state)
            }
            advance(&state, &effects)
        }

        /// Ends the sending side and waits for the client to end its own: a close with input unread would reset the
        /// connection, and the answer might be lost with it.
        private func linger(_ state: inout State, _ effects: inout Effects) {
            state.phase = .lingering
            setDeadline(&state, after: .seconds(2))
            if !state.reads, !state.inputEnded {
                state.reads = true
                updateInterest(state)
            }
            if state.output.isEmpty {
                shutdown(descriptor, Int32(SHUT_WR))
                if state.inputEnded { close(&state, &effects) }
            }
        }

        // MARK: Streams

        private func beginStream(_ response: HTTPResponse) -> Bool {
            let (effects, isOpen) = state.withLock { state -> (Effects, Bool) in
                var effects = Effects()
                guard state.phase == .responding else { return (effects, false) }
                if state.inputEnded {
                    close(&state, &effects)
                    return (effects, false)
                }
                state.phase = .streaming
                if server.isDraining { effects.cancelled = state.task }
                write(ResponseEncoder.streamHead(response, isChunked: state.isHTTP11), &state, &effects, isRaw: true)
                setDeadline(&state, after: server.settings.heartbeatInterval)
                return (effects, state.phase == .streaming)
            }
            perform(effects)
            return isOpen
        }

        /// Hands bytes of an event stream to the connection; waits while the client is too slow.
        ///
        /// - Throws: ``Ports/HTTPError/connectionReset(_:)`` when the client is gone.
        fileprivate func send(_ bytes: [UInt8]) async throws {
            let (effects, isFull) = state.withLock { state -> (Effects, Bool) in
                var effects = Effects()
                guard state.phase == .streaming else { return (effects, false) }
                write(bytes, &state, &effects)
                setDeadline(&state, after: server.settings.heartbeatInterval)
                return (effects, state.output.count > server.settings.streamBufferByteCount)
            }
            perform(effects)
            if isFull { await waitForRoom() }
            guard state.withLock({ $0.phase == .streaming }) else {
                throw HTTPError.connectionReset("the client of the event stream is gone")
            }
            try Task.checkCancellation()
        }

        private func waitForRoom() async {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isFull = state.withLock { state in
                        guard state.phase == .streaming, !Task.isCancelled,
                            state.output.count > server.settings.streamBufferByteCount
                        else { return false }
                        state.roomWaiter = continuation
                        return true
                    }
                    if !isFull { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.roomWaiter.take() }?.resume()
            }
        }

        private func endStream() {
            perform(
                state.withLock { state in
                    var effects = Effects()
                    guard state.phase == .streaming else { return effects }
                    state.task = nil
                    if state.isHTTP11 {
                        write(EventStreamText.lastChunk, &state, &effects, isRaw: true)
                    } else {
                        state.keepsAlive = false
                    }
                    if server.isDraining { state.keepsAlive = false }
                    endAnswer(&state, &effects)
                    return effects
                })
        }

        // MARK: The end

        /// Lets what is under way finish, and nothing begin.
        func drain() {
            perform(
                state.withLock { state in
                    var effects = Effects()
                    state.keepsAlive = false
                    switch state.phase {
                    case .reading where !state.parser.isInsideRequest && state.output.isEmpty: close(&state, &effects)
                    case .streaming: effects.cancelled = state.task
                    case .reading, .responding, .lingering, .closed: break
                    }
                    return effects
                })
        }

        func abort() {
            perform(
                state.withLock { state in
                    var effects = Effects()
                    close(&state, &effects)
                    return effects
                })
        }

        private func close(_ state: inout State, _ effects: inout Effects) {
            guard state.phase != .closed else { return }
            state.phase = .closed
            server.reactor.unwatch(descriptor)
            server.reactor.unregister(token)
            Glibc.close(descriptor)
            effects.hasRoom = state.roomWaiter.take()
            effects.cancelled = state.task.take()
            effects.didClose = true
        }

        // MARK: Writing

        private func write(
            _ bytes: [UInt8], _ state: inout State, _ effects: inout Effects, isRaw: Bool = false
        ) {
            if state.output.isEmpty { state.lastProgress = SocketReactor.now }
            state.output.append(
                state.phase == .streaming && state.isHTTP11 && !isRaw ? EventStreamText.chunk(bytes) : bytes)
            flush(&state, &effects)
        }

        private func flush(_ state: inout State, _ effects: inout Effects) {
            guard !state.output.isEmpty else { return }
            switch state.output.send(to: descriptor) {
            case .failed: return close(&state, &effects)
            case .progress: state.lastProgress = SocketReactor.now
            case .nothing: break
            }
            if state.roomWaiter != nil, state.output.count <= server.settings.streamBufferByteCount / 2 {
                effects.hasRoom = state.roomWaiter.take()
            }
            if state.wantsWrite == state.output.isEmpty {
                state.wantsWrite.toggle()
                updateInterest(state)
            }
            if state.output.isEmpty, state.phase == .lingering {
                shutdown(descriptor, Int32(SHUT_WR))
                if state.inputEnded { close(&state, &effects) }
            }
        }

        private func updateInterest(_ state: State) {
            server.reactor.setInterest(reads: state.reads, writes: state.wantsWrite, socket: descriptor, for: token)
        }

        // MARK: Parts

        private func setDeadline(_ state: inout State, after span: Nanoseconds) {
            state.deadline = SocketReactor.now + span.rawValue
            arm(&state)
        }

        /// Gives the reactor a deadline only when it has none that is early enough: most are moved before they pass.
        private func arm(_ state: inout State) {
            guard state.deadline < state.armed else { return }
            state.armed = state.deadline
            server.reactor.wake(token, at: state.deadline)
        }

        private func perform(_ effects: Effects) {
            effects.hasRoom?.resume()
            effects.cancelled?.cancel()
            switch effects.request {
            case .success(let (raw, exchange)):
                let task = Task { await answer(raw) }
                let isOver = state.withLock { state in
                    guard state.phase != .closed else { return true }
                    // The task may have answered already, and another request may be under way.
                    if state.exchange == exchange, state.phase == .responding || state.phase == .streaming {
                        state.task = task
                    }
                    return false
                }
                if isOver { task.cancel() }
            case .failure(let refusal):
                server.settings.onRefusal(refusal.problem)
                finish(refusal.problem.response)
            case nil: break
            }
            if effects.didClose {
                link.connect(nil)
                server.didClose(self)
            }
        }

        private struct EventSink: ServerSentEventSink {
            let connection: ServerConnection

            func send(_ event: ServerSentEvent) async throws {
                try await connection.send(EventStreamText.bytes(event))
            }
        }
    }
#endif
