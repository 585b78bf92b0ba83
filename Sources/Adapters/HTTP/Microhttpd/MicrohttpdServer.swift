#if Production
    import AdapterSystem
    import Cmicrohttpd
    import Glibc
    public import Ports
    import Synchronization

    /// The HTTP server on libmicrohttpd: one thread of the library reads and writes, handlers run as tasks of Swift's pool, and
    /// a connection whose handler has not answered is suspended meanwhile.
    public final class MicrohttpdServer: RunningHTTPServer {
        private struct State {
            /// `nil` once it was stopped.
            var daemon: OpaquePointer?
            var exchanges: [ObjectIdentifier: MicrohttpdExchange] = [:]
            var isDraining = false
            /// From now on nothing may be suspended: the library ends the program when it is stopped with a suspended connection.
            var isStopped = false
        }

        /// For example `0.9.75`.
        public static var libraryVersion: String { String(cString: MHD_get_version()) }

        let settings: HTTPServerSettings
        let handler: any HTTPHandler
        public let port: UInt16
        private let state = Mutex(State())

        /// - Throws: ``HTTPServerError`` when the port cannot be had.
        public init(_ settings: HTTPServerSettings, _ handler: any HTTPHandler) throws {
            self.settings = settings
            self.handler = handler
            let socket = try ListeningSocket(host: settings.host, port: settings.port)
            port = socket.port
            var daemonSettings = Self.daemonSettings(settings, socket: socket.descriptor)
            daemonSettings.context = Unmanaged.passUnretained(self).toOpaque()
            let daemon = rehearsal_start_daemon(&daemonSettings)
            guard let daemon else {
                close(socket.descriptor)
                throw HTTPServerError(
                    host: settings.host, port: settings.port, reason: "libmicrohttpd does not start: error \(errno)")
            }
            let pointer = UInt(bitPattern: daemon)
            state.withLock { $0.daemon = OpaquePointer(bitPattern: pointer) }
        }

        private static func daemonSettings(
            _ settings: HTTPServerSettings, socket: Int32
        ) -> rehearsal_daemon_settings {
            var daemon = rehearsal_daemon_settings()
            daemon.listen_socket = socket
            daemon.connection_limit = UInt32(settings.connectionLimit)
            daemon.timeout_seconds = UInt32(max(1, settings.requestTimeout.rawValue / 1_000_000_000))
            // Half of it is the buffer that a head has to fit, with room for heads that are refused in words.
            daemon.memory_limit = settings.limits.maximumHeaderByteCount * 4 + 32_768
            daemon.begin = MicrohttpdCallbacks.begin
            daemon.access = MicrohttpdCallbacks.access
            daemon.completed = MicrohttpdCallbacks.completed
            return daemon
        }

        public var connectionCount: Int {
            state.withLock { state in
                guard let daemon = state.daemon else { return 0 }
                return Int(rehearsal_connection_count(daemon))
            }
        }

        var isDraining: Bool { state.withLock { $0.isDraining } }
        var isStopped: Bool { state.withLock { $0.isStopped } }

        func didBegin(_ exchange: MicrohttpdExchange) {
            state.withLock { $0.exchanges[ObjectIdentifier(exchange)] = exchange }
        }

        func didEnd(_ exchange: MicrohttpdExchange) {
            state.withLock { $0.exchanges[ObjectIdentifier(exchange)] = nil }
        }

        private var openExchanges: [MicrohttpdExchange] { state.withLock { Array($0.exchanges.values) } }

        public func stop(drainTimeout: Nanoseconds) async {
            guard let daemon = stopListening() else { return }
            openExchanges.forEach { $0.drain() }
            let deadline = SocketReactor.now + drainTimeout.rawValue
            while !openExchanges.isEmpty, SocketReactor.now < deadline {
                try? await Task.sleep(for: .milliseconds(5))
            }
            await end(daemon, answering: true)
        }

        public func kill() async {
            guard let daemon = stopListening() else { return }
            await end(daemon, answering: false)
        }

        /// `nil` when that was done before. The address crosses threads as a number.
        private func stopListening() -> UInt? {
            let running = state.withLock { state -> UInt? in
                guard let daemon = state.daemon, !state.isDraining else { return nil }
                state.isDraining = true
                return UInt(bitPattern: daemon)
            }
            guard let running else { return nil }
            let listening = MHD_quiesce_daemon(OpaquePointer(bitPattern: running))
            if listening >= 0 { close(listening) }
            return running
        }

        private func end(_ daemon: UInt, answering: Bool) async {
            state.withLock { state in
                state.isStopped = true
                state.daemon = nil
            }
            openExchanges.forEach { $0.abort(answering: answering) }
            await withCheckedContinuation { continuation in
                DedicatedThread.start("http-stop") {
                    MHD_stop_daemon(OpaquePointer(bitPattern: daemon))
                    continuation.resume()
                }
            }
        }
    }

    /// What the library calls, on its own thread.
    enum MicrohttpdCallbacks {
        /// The request line has come. What this returns comes back with each later call for the request.
        static let begin:
            @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?) -> UnsafeMutableRawPointer? =
                {
                    server, target, connection in
                    guard let server, let target, let connection else { return nil }
                    let exchange = MicrohttpdExchange(
                        Unmanaged<MicrohttpdServer>.fromOpaque(server).takeUnretainedValue(), connection,
                        target: Array(UnsafeRawBufferPointer(start: target, count: strlen(target))))
                    return Unmanaged.passRetained(exchange).toOpaque()
                }

        static let access: MHD_AccessHandlerCallback = {
            _, _, _, method, version, upload, uploadByteCount, context in
            guard let context = context?.pointee, let uploadByteCount else { return rehearsal_no }
            let exchange = Unmanaged<MicrohttpdExchange>.fromOpaque(context).takeUnretainedValue()
            return exchange.access(method, version, upload, uploadByteCount)
        }

        static let completed:
            @convention(c) (
                UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
                MHD_RequestTerminationCode
            ) -> Void = { _, _, context, _ in
                guard let pointer = context?.pointee else { return }
                context?.pointee = nil
                Unmanaged<MicrohttpdExchange>.fromOpaque(pointer).takeRetainedValue().end()
            }

        /// Gives the library the next bytes of an event stream.
        static let read: MHD_ContentReaderCallback = { context, _, buffer, limit in
            guard let context, let buffer else { return -2 }
            return Unmanaged<MicrohttpdExchange>.fromOpaque(context).takeUnretainedValue().read(into: buffer, limit)
        }

        static let free: MHD_ContentReaderFreeCallback = { context in
            if let context { Unmanaged<MicrohttpdExchange>.fromOpaque(context).release() }
        }
    }
#endif
