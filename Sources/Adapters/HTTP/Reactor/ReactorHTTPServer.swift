#if os(Linux)
    public import AdapterSystem
    import Glibc
    public import Ports
    import Synchronization

    /// An HTTP/1.1 server that needs no library: sockets on a reactor's one thread, handlers as tasks of Swift's pool.
    public final class ReactorHTTPServer: RunningHTTPServer {
        private struct State {
            var connections: [ObjectIdentifier: ServerConnection] = [:]
            var isDraining = false
        }

        let settings: HTTPServerSettings
        let handler: any HTTPHandler
        let reactor: SocketReactor
        private let state = Mutex(State())
        private let listener: Listener
        public let port: UInt16

        /// - Throws: ``HTTPServerError`` when the port cannot be had.
        public init(
            _ settings: HTTPServerSettings, _ handler: any HTTPHandler, reactor: SocketReactor = .shared
        ) throws {
            self.settings = settings
            self.handler = handler
            self.reactor = reactor
            let socket = try ListeningSocket(host: settings.host, port: settings.port)
            port = socket.port
            listener = Listener(socket.descriptor, reactor)
            listener.start(self)
        }

        public var connectionCount: Int { state.withLock { $0.connections.count } }
        var isDraining: Bool { state.withLock { $0.isDraining } }

        /// Takes a connection in. Returns false when that was the last one that there is room for.
        fileprivate func accept(_ descriptor: Int32) -> Bool {
            let connection = ServerConnection(descriptor, server: self)
            let mayAcceptMore = state.withLock { state in
                state.connections[ObjectIdentifier(connection)] = connection
                return state.connections.count < settings.connectionLimit
            }
            connection.start()
            return mayAcceptMore
        }

        func didClose(_ connection: ServerConnection) {
            let madeRoom = state.withLock { state in
                let wasFull = state.connections.count >= settings.connectionLimit
                state.connections[ObjectIdentifier(connection)] = nil
                return wasFull && !state.isDraining
            }
            if madeRoom { listener.goOn() }
        }

        public func stop(drainTimeout: Nanoseconds) async {
            listener.stop()
            state.withLock { $0.isDraining = true }
            forEachConnection { $0.drain() }
            let deadline = SocketReactor.now + drainTimeout.rawValue
            while connectionCount > 0, SocketReactor.now < deadline {
                try? await Task.sleep(for: .milliseconds(5))
            }
            forEachConnection { $0.abort() }
        }

        public func kill() async {
            listener.stop()
            state.withLock { $0.isDraining = true }
            forEachConnection { $0.abort() }
        }

        private func forEachConnection(_ body: (ServerConnection) -> Void) {
            for connection in state.withLock({ Array($0.connections.values) }) { body(connection) }
        }
    }

    /// The listening socket: accepts while there is room.
    private final class Listener: ReactorHandler {
        private struct State {
            weak var server: ReactorHTTPServer?
            var token: SocketReactor.Token?
            var isWatched = false
            var isStopped = false
        }

        private let descriptor: Int32
        private let reactor: SocketReactor
        private let state = Mutex(State())

        init(_ descriptor: Int32, _ reactor: SocketReactor) {
            self.descriptor = descriptor
            self.reactor = reactor
        }

        func start(_ server: ReactorHTTPServer) {
            let token = reactor.register(self)
            state.withLock { state in
                state.server = server
                state.token = token
            }
            goOn()
        }

        /// Watches the socket again.
        func goOn() {
            state.withLock { state in
                guard let token = state.token, !state.isStopped, !state.isWatched else { return }
                state.isWatched = true
                reactor.watch(descriptor, for: token)
            }
        }

        private func pause(_ state: inout State) {
            guard state.isWatched else { return }
            state.isWatched = false
            reactor.unwatch(descriptor)
        }

        func stop() {
            state.withLock { state in
                guard !state.isStopped else { return }
                pause(&state)
                state.isStopped = true
                if let token = state.token { reactor.unregister(token) }
                close(descriptor)
            }
        }

        func socketIsReady() {
            while true {
                // The lock is not held while the server takes the connection in: it calls back.
                let (server, accepted) = state.withLock { state -> (ReactorHTTPServer?, Int32) in
                    guard state.isWatched, let server = state.server else { return (nil, -1) }
                    let accepted = ListeningSocket.accept(descriptor)
                    if accepted < 0, errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS {
                        // Out of descriptors: try again a little later instead of at once, for ever.
                        pause(&state)
                        if let token = state.token { reactor.wake(token, at: SocketReactor.now + 100_000_000) }
                    }
                    return (server, accepted)
                }
                guard let server, accepted >= 0 else { return }
                if !server.accept(accepted) {
                    state.withLock { pause(&$0) }
                    // One may have closed between the two.
                    if server.connectionCount < server.settings.connectionLimit { goOn() }
                    return
                }
            }
        }

        func deadlinePassed(now: Int64) { goOn() }
    }
#endif
