#if Production
    import AdapterSystem
    import Cmicrohttpd
    import Glibc
    import Ports
    import Synchronization

    /// One request and its answer on a connection of libmicrohttpd.
    ///
    /// The library calls on its own thread; the handler's task runs elsewhere. A connection is suspended while the library has
    /// nothing to do for it, and resumed exactly once, by whoever changed that under the lock.
    final class MicrohttpdExchange: ReactorHandler {
        private enum Phase {
            case head
            case body
            /// The connection is suspended, the handler works.
            case handling
            case answered(HTTPResponse)
            /// The library has the response.
            case sending
            /// An event stream is being written.
            case streaming
            case streamEnded
            /// The connection is to be broken when the library next asks.
            case broken
            /// The library has forgotten the connection.
            case gone
        }

        private struct State {
            var phase = Phase.head
            var raw: RawRequest
            var isTooLong = false
            /// Bytes of an event stream that the library has not taken.
            var output: [UInt8] = []
            var isSuspended = false
            /// The handler has written the whole stream before the library asked for any of it.
            var isStreamOver = false
            var task: Task<Void, Never>?
            var roomWaiter: CheckedContinuation<Void, Never>?
            var token: SocketReactor.Token?
            var heartbeat: Int64 = 0
        }

        private let server: MicrohttpdServer
        private let state: Mutex<State>
        /// An `OpaquePointer` that crosses threads, which the library allows for suspending and resuming.
        private let connectionBits: UInt
        private var connection: OpaquePointer? { OpaquePointer(bitPattern: connectionBits) }

        init(_ server: MicrohttpdServer, _ connection: OpaquePointer, target: [UInt8]) {
            self.server = server
            connectionBits = UInt(bitPattern: connection)
            let raw = RawRequest(method: "", target: target, headers: [], body: nil, isHTTP11: true, keepsAlive: true)
            state = Mutex(State(raw: raw))
            server.didBegin(self)
        }

        // MARK: Calls of the library for the request

        func access(
            _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?, _ upload: UnsafePointer<CChar>?,
            _ uploadByteCount: UnsafeMutablePointer<Int>
        ) -> MHD_Result {
            state.withLock { state in
                switch state.phase {
                case .head:
                    state.raw.method = method.map { String(cString: $0) } ?? ""
                    state.raw.isHTTP11 = version.map { String(cString: $0) } != "HTTP/1.0"
                    state.raw.headers = headers()
                    state.phase = .body
                    // Refused before the body: the library then closes the connection after the answer.
                    return refusalOfHead(state.raw).map { refuse($0, &state) } ?? rehearsal_yes
                case .body where uploadByteCount.pointee > 0:
                    append(upload, uploadByteCount.pointee, &state)
                    uploadByteCount.pointee = 0
                    return rehearsal_yes
                case .body: return begin(&state)
                case .answered(let response): return queue(response, &state)
                case .broken: return rehearsal_no
                case .handling, .sending, .streaming, .streamEnded, .gone: return rehearsal_yes
                }
            }
        }

        private func headers() -> [HTTPHeader] {
            let list = HeaderList()
            // With their lengths: a name may hold a zero byte, and is refused for it. A value was cut there by the library.
            let collect: MHD_KeyValueIteratorN = { context, _, name, nameByteCount, value, valueByteCount in
                guard let context else { return rehearsal_yes }
                func text(_ bytes: UnsafePointer<CChar>?, _ count: Int) -> String {
                    let buffer = UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
                    return String(decoding: buffer, as: UTF8.self)
                }
                Unmanaged<HeaderList>.fromOpaque(context).takeUnretainedValue().headers.append(
                    HTTPHeader(text(name, nameByteCount).lowercased(), text(value, valueByteCount)))
                return rehearsal_yes
            }
            rehearsal_each_header(connection, collect, Unmanaged.passUnretained(list).toOpaque())
            return list.headers
        }

        private final class HeaderList {
            var headers: [HTTPHeader] = []
        }

        private func refusalOfHead(_ raw: RawRequest) -> ProblemDocument? {
            let limits = server.settings.limits
            var byteCount = raw.target.count + raw.method.utf8.count
            for header in raw.headers { byteCount += header.name.utf8.count + header.value.utf8.count + 4 }
            if byteCount > limits.maximumHeaderByteCount || raw.headers.count > limits.maximumHeaderCount {
                return .headersTooLarge(limits)
            }
            guard HTTPMethod(rawValue: raw.method) != nil else { return .methodNotImplemented(raw.method) }
            // The library takes lines and lengths that contradict each other, as the reactor does not.
            guard raw.headers.allSatisfy(HeaderLines.isWellFormed) else { return HeaderLines.malformed }
            if let problem = RequestFraming.problem(ofHost: raw) { return problem }
            switch RequestFraming.of(raw) {
            case .failure(let refusal): return refusal.problem
            case .success(.length(let length)) where length > limits.maximumBodyByteCount:
                return .contentTooLarge(limit: limits.maximumBodyByteCount)
            case .success: return nil
            }
        }

        private func append(_ bytes: UnsafePointer<CChar>?, _ count: Int, _ state: inout State) {
            guard !state.isTooLong, let bytes else { return }
            var body = state.raw.body.take() ?? []
            body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
            state.isTooLong = body.count > server.settings.limits.maximumBodyByteCount
            // Of a body without a length that is too long, nothing is kept.
            state.raw.body = state.isTooLong ? nil : body
        }

        /// The request has come whole: hands it to the handler.
        private func begin(_ state: inout State) -> MHD_Result {
            if state.isTooLong {
                let limit = server.settings.limits.maximumBodyByteCount
                return refuse(.contentTooLarge(limit: limit), &state)
            }
            switch RequestDecoder.decode(state.raw, limits: server.settings.limits) {
            case .failure(let refusal):
                server.settings.onRefusal(refusal.problem)
                return queue(refusal.problem.response, &state)
            case .success where server.isStopped: return queue(Self.stopping, &state)
            case .success(let request):
                state.phase = .handling
                suspend(&state)
                state.task = Task { await self.handle(request) }
                return rehearsal_yes
            }
        }

        // MARK: The handler's task

        private func handle(_ request: HTTPRequest) async {
            let response = await server.handler.respond(to: request)
            let begun = state.withLock { state -> Bool in
                guard case .handling = state.phase else { return false }
                state.phase = .answered(response)
                if case .events = response.body {
                    if server.isDraining { state.task?.cancel() }
                } else {
                    state.task = nil
                }
                resume(&state)
                return true
            }
            guard begun, case .events(let write) = response.body else { return }
            startHeartbeats()
            do {
                try await write(EventSink(exchange: self))
            } catch {
                // The handler gave up, or its client is gone: the stream ends, and the client may open it again.
            }
            endStream()
        }

        /// Hands bytes of an event stream to the connection; waits while the client is too slow.
        ///
        /// - Throws: ``Ports/HTTPError/connectionReset(_:)`` when the client is gone.
        private func send(_ bytes: [UInt8]) async throws {
            let isFull = push(bytes)
            if isFull { await waitForRoom() }
            guard isOpen else { throw HTTPError.connectionReset("the client of the event stream is gone") }
            try Task.checkCancellation()
        }

        private var isOpen: Bool {
            state.withLock { state in
                switch state.phase {
                case .answered, .streaming: true
                default: false
                }
            }
        }

        /// Adds bytes and wakes the library. Returns whether the client is behind.
        @discardableResult
        private func push(_ bytes: [UInt8]) -> Bool {
            state.withLock { state in
                switch state.phase {
                case .answered, .streaming: break
                default: return false
                }
                state.output += bytes
                state.heartbeat = SocketReactor.now + server.settings.heartbeatInterval.rawValue
                if case .streaming = state.phase { resume(&state) }
                return state.output.count > server.settings.streamBufferByteCount
            }
        }

        private func waitForRoom() async {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let waits = state.withLock { state in
                        guard !Task.isCancelled, state.output.count > server.settings.streamBufferByteCount else {
                            return false
                        }
                        if case .gone = state.phase { return false }
                        state.roomWaiter = continuation
                        return true
                    }
                    if !waits { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.roomWaiter.take() }?.resume()
            }
        }

        private func endStream() {
            stopHeartbeats()
            state.withLock { state in
                state.task = nil
                switch state.phase {
                case .streaming:
                    state.phase = .streamEnded
                    resume(&state)
                // Over before the library began to send it: what was written is the whole body.
                case .answered: state.isStreamOver = true
                default: break
                }
            }
        }

        // MARK: Calls of the library for the answer

        /// Answers a request that no handler sees, and ends the connection: where the next request would begin is not known.
        private func refuse(_ problem: ProblemDocument, _ state: inout State) -> MHD_Result {
            server.settings.onRefusal(problem)
            var response = problem.response
            response.headers.append(HTTPHeader("connection", "close"))
            return queue(response, &state)
        }

        private func queue(_ response: HTTPResponse, _ state: inout State) -> MHD_Result {
            if case .events = response.body { return queueStream(response, &state) }
            guard let body = ResponseEncoder.body(response.body) else { return rehearsal_no }
            state.phase = .sending
            let made = body.bytes.withUnsafeBytes { buffer in
                rehearsal_response(buffer.count, UnsafeMutableRawPointer(mutating: buffer.baseAddress))
            }
            guard let made else { return rehearsal_no }
            defer { MHD_destroy_response(made) }
            add(response.headers, contentType: body.contentType, to: made)
            if server.isDraining, !response.headers.contains(where: { $0.name == "connection" }) {
                MHD_add_response_header(made, "connection", "close")
            }
            return MHD_queue_response(connection, UInt32(response.status), made)
        }

        private func queueStream(_ response: HTTPResponse, _ state: inout State) -> MHD_Result {
            state.phase = state.isStreamOver ? .streamEnded : .streaming
            let context = Unmanaged.passRetained(self)
            guard
                let made = MHD_create_response_from_callback(
                    UInt64.max, 4_096, MicrohttpdCallbacks.read, context.toOpaque(), MicrohttpdCallbacks.free)
            else {
                context.release()
                return rehearsal_no
            }
            defer { MHD_destroy_response(made) }
            add(
                response.headers + [HTTPHeader("cache-control", "no-store"), HTTPHeader("x-accel-buffering", "no")],
                contentType: HTTPMediaType.eventStream, to: made)
            if server.isDraining { MHD_add_response_header(made, "connection", "close") }
            return MHD_queue_response(connection, UInt32(response.status), made)
        }

        private func add(_ headers: [HTTPHeader], contentType: String?, to response: OpaquePointer) {
            for header in headers { MHD_add_response_header(response, header.name, header.value) }
            if let contentType, !headers.contains(where: { $0.name == "content-type" }) {
                MHD_add_response_header(response, "content-type", contentType)
            }
        }

        /// The next bytes of the event stream: how many, -1 at its end, -2 to break it off, 0 when there are none now.
        func read(into buffer: UnsafeMutablePointer<CChar>, _ limit: Int) -> Int {
            let (count, waiter) = state.withLock { state -> (Int, CheckedContinuation<Void, Never>?) in
                if state.output.isEmpty {
                    if case .streaming = state.phase {
                        suspend(&state)
                        return (0, nil)
                    }
                    if case .broken = state.phase { return (-2, nil) }
                    return (-1, nil)
                }
                let count = min(limit, state.output.count)
                state.output.withUnsafeBytes { bytes in
                    UnsafeMutableRawPointer(buffer).copyMemory(from: bytes.baseAddress!, byteCount: count)
                }
                state.output.removeFirst(count)
                let hasRoom = state.output.count <= server.settings.streamBufferByteCount / 2
                return (count, hasRoom ? state.roomWaiter.take() : nil)
            }
            waiter?.resume()
            return count
        }

        private func suspend(_ state: inout State) {
            state.isSuspended = true
            MHD_suspend_connection(connection)
        }

        private func resume(_ state: inout State) {
            guard state.isSuspended else { return }
            state.isSuspended = false
            MHD_resume_connection(connection)
        }

        // MARK: Heartbeats

        /// A suspended connection is not watched by the library: only writing to it shows that the client is gone.
        private func startHeartbeats() {
            let token = SocketReactor.shared.register(self)
            let first = SocketReactor.now + server.settings.heartbeatInterval.rawValue
            state.withLock { state in
                state.token = token
                state.heartbeat = first
            }
            SocketReactor.shared.wake(token, at: first)
        }

        func socketIsReady() {}

        func deadlinePassed(now: Int64) {
            let (token, isDue) = state.withLock { ($0.token, $0.heartbeat <= now && $0.output.isEmpty) }
            guard let token else { return }
            if isDue { push(EventStreamText.heartbeat) }
            let next = state.withLock { max($0.heartbeat, now + 1_000_000) }
            SocketReactor.shared.wake(token, at: next)
        }

        private func stopHeartbeats() {
            if let token = state.withLock({ $0.token.take() }) { SocketReactor.shared.unregister(token) }
        }

        // MARK: The end

        /// Ends an event stream; anything else may finish.
        func drain() {
            let task = state.withLock { state -> Task<Void, Never>? in
                switch state.phase {
                case .streaming: state.task
                case .answered(let response): if case .events = response.body { state.task } else { nil }
                default: nil
                }
            }
            task?.cancel()
        }

        private static var stopping: HTTPResponse {
            ProblemDocument(503, "Service Unavailable", detail: "the service is stopping").response
        }

        /// Lets the library have its connection back, whatever the handler is doing.
        ///
        /// - Parameter answering: whether a client that waits is told that the service stops, or its connection breaks.
        func abort(answering: Bool) {
            let task = state.withLock { state -> Task<Void, Never>? in
                switch state.phase {
                case .handling:
                    state.phase = answering ? .answered(Self.stopping) : .broken
                    resume(&state)
                case .streaming:
                    state.phase = answering ? .streamEnded : .broken
                    if !answering { state.output = [] }
                    resume(&state)
                case .answered where !answering: state.phase = .broken
                default: break
                }
                return state.task.take()
            }
            task?.cancel()
        }

        /// The library is done with the request, or has lost its client.
        func end() {
            stopHeartbeats()
            let (task, waiter) = state.withLock { state in
                state.phase = .gone
                return (state.task.take(), state.roomWaiter.take())
            }
            task?.cancel()
            waiter?.resume()
            server.didEnd(self)
        }

        private struct EventSink: ServerSentEventSink {
            let exchange: MicrohttpdExchange

            func send(_ event: ServerSentEvent) async throws {
                try await exchange.send(EventStreamText.bytes(event))
            }
        }
    }
#endif
