#if os(Linux)
    import AdapterHTTP
    import AdapterSystem
    import Ports
    import Synchronization

    /// HTTP between a real server and a real client, over the loopback device.
    struct LoopbackHTTPWorld: HTTPWorld {
        /// Which of the servers.
        enum Implementation: String, CaseIterable, Sendable {
            case reactor
            #if Production
                case libmicrohttpd
            #endif

            /// What the server calls itself; `nil` for the one of this repository.
            var versions: String? {
                switch self {
                case .reactor: nil
                #if Production
                    case .libmicrohttpd: "libmicrohttpd \(MicrohttpdServer.libraryVersion)"
                #endif
                }
            }

            func start(_ settings: HTTPServerSettings, _ handler: any HTTPHandler) throws -> any RunningHTTPServer {
                switch self {
                case .reactor: try ReactorHTTPServer(settings, handler)
                #if Production
                    case .libmicrohttpd: try MicrohttpdServer(settings, handler)
                #endif
                }
            }
        }

        let name = "real"
        let implementation: Implementation
        let clock: any ServiceClock = SystemClock()

        func makeDatabase(_ options: DatabaseOptions) async throws -> any DatabaseServer {
            throw ContractFailure("a world of HTTP has no database")
        }

        func makeHTTPServer(
            _ limits: HTTPEdgeLimits, _ handler: @escaping @Sendable (any ServiceClock) -> any HTTPHandler
        ) async throws -> any HTTPServerUnderTest {
            var settings = HTTPServerSettings(port: 0)
            settings.host = "127.0.0.1"
            settings.limits = limits
            return try Server(implementation, settings, handler(clock))
        }

        private final class Server: HTTPServerUnderTest {
            private let implementation: Implementation
            private let settings: HTTPServerSettings
            private let handler: any HTTPHandler
            private let running: Mutex<(any RunningHTTPServer)?>

            init(_ implementation: Implementation, _ settings: HTTPServerSettings, _ handler: any HTTPHandler) throws {
                let server = try implementation.start(settings, handler)
                var settings = settings
                settings.port = server.port
                self.implementation = implementation
                self.settings = settings
                self.handler = handler
                running = Mutex(server)
            }

            func makeClient() -> any HTTPClient {
                ReactorHTTPClient(HTTPAddress(host: settings.host, port: settings.port))
            }

            func crash() async throws {
                guard let server = running.withLock({ $0.take() }) else { return }
                await server.kill()
            }

            func start() async throws {
                let server = try implementation.start(settings, handler)
                running.withLock { $0 = server }
            }

            func discard() async { try? await crash() }
        }
    }
#endif
