#if os(Linux)
    import AdapterJSON
    public import AdapterSystem
    import Glibc
    public import Ports
    import Synchronization

    /// Where an HTTP server is.
    public struct HTTPAddress: Hashable, Sendable, CustomStringConvertible {
        /// A name or an IPv4 address.
        public let host: String
        public let port: UInt16

        public init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }

        /// Reads `http://host:port`, with or without a slash at its end; `nil` for anything else.
        public init?(url: String) {
            guard url.hasPrefix("http://") else { return nil }
            var rest = url.dropFirst("http://".count)
            if rest.hasSuffix("/") { rest = rest.dropLast() }
            let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
            guard let host = parts.first, !host.isEmpty, parts.count <= 2, !host.contains("/"),
                let port = parts.count == 2 ? UInt16(parts[1]) : 80, port > 0
            else { return nil }
            self.init(host: String(host), port: port)
        }

        public var description: String { "\(host):\(port)" }
    }

    /// An HTTP/1.1 client of one server, with a pool of kept-alive connections: a request takes an idle one or opens another.
    public final class ReactorHTTPClient: HTTPClient {
        /// Shorter than servers keep idle connections, so that a request does not meet the end of one.
        private static let idleLimit = Nanoseconds.seconds(15)

        private let address: HTTPAddress
        private let reactor: SocketReactor
        private let idle = Mutex<[ClientConnection]>([])

        public init(_ address: HTTPAddress, reactor: SocketReactor = .shared) {
            self.address = address
            self.reactor = reactor
        }

        deinit { for connection in idle.withLock({ $0 }) { connection.close() } }

        public func send(_ request: HTTPRequest, timeout: Nanoseconds) async throws -> HTTPResponse {
            let deadline = SocketReactor.now + timeout.rawValue
            let connection = try await open(by: deadline, timeout)
            do {
                connection.send(bytes(of: request))
                guard case .head(let head) = try await connection.next(by: deadline, timeout: timeout) else {
                    throw HTTPError.connectionReset("\(address): an answer out of order")
                }
                if Self.isEventStream(head) {
                    // Asked for as a plain request: the head is all the answer there is.
                    connection.close()
                    return HTTPResponse(head.status, headers: head.headers)
                }
                let body = try await self.body(connection, by: deadline, timeout)
                return Self.response(head, body)
            } catch {
                connection.close()
                throw error
            }
        }

        public func receiveEvents(
            _ request: HTTPRequest, idleTimeout: Nanoseconds, receive: (ServerSentEvent) async throws -> Bool
        ) async throws {
            func deadline() -> Int64 { SocketReactor.now + idleTimeout.rawValue }
            let connection = try await open(by: deadline(), idleTimeout)
            do {
                var request = request
                request.headers.append(HTTPHeader("accept", HTTPMediaType.eventStream))
                connection.send(bytes(of: request))
                guard case .head(let head) = try await connection.next(by: deadline(), timeout: idleTimeout) else {
                    throw HTTPError.connectionReset("\(address): an answer out of order")
                }
                guard head.status == 200, Self.isEventStream(head) else {
                    if !Self.isEventStream(head) { _ = try await body(connection, by: deadline(), idleTimeout) }
                    throw HTTPError.status(head.status)
                }
                var parser = EventStreamParser()
                while true {
                    switch try await connection.next(by: deadline(), timeout: idleTimeout) {
                    case .bytes(let bytes):
                        for event in parser.append(bytes) where try await !receive(event) {
                            return connection.close()
                        }
                    case .end(let keepsAlive): return giveBack(connection, keepsAlive)
                    case .head, .needsMore, .malformed:
                        throw HTTPError.connectionReset("\(address): an answer out of order")
                    }
                }
            } catch {
                connection.close()
                throw error
            }
        }

        // MARK: Connections

        private func open(by deadline: Int64, _ timeout: Nanoseconds) async throws -> ClientConnection {
            try Task.checkCancellation()
            while let connection = idle.withLock({ $0.popLast() }) {
                if connection.isReusable(Self.idleLimit) { return connection }
                connection.close()
            }
            let connection = try ClientConnection(
                try await AddressResolver.resolve(address), server: address.description, reactor: reactor)
            do {
                try await connection.opened(by: deadline, timeout: timeout)
                return connection
            } catch {
                connection.close()
                throw error
            }
        }

        private func giveBack(_ connection: ClientConnection, _ keepsAlive: Bool) {
            guard keepsAlive else { return connection.close() }
            connection.becomeIdle()
            idle.withLock { $0.append(connection) }
        }

        private func body(
            _ connection: ClientConnection, by deadline: Int64, _ timeout: Nanoseconds
        ) async throws -> [UInt8] {
            var body: [UInt8] = []
            while true {
                switch try await connection.next(by: deadline, timeout: timeout) {
                case .bytes(let bytes): body += bytes
                case .end(let keepsAlive):
                    giveBack(connection, keepsAlive)
                    return body
                case .head, .needsMore, .malformed:
                    throw HTTPError.connectionReset("\(address): an answer out of order")
                }
            }
        }

        // MARK: Messages

        private func bytes(of request: HTTPRequest) -> [UInt8] {
            var output: [UInt8] = []
            let target = RequestTarget.text(path: request.path, query: request.query)
            output.append(contentsOf: "\(request.method.rawValue) \(target) HTTP/1.1\r\n".utf8)
            if request.header("host") == nil { HeaderLines.write(HTTPHeader("host", address.description), to: &output) }
            for header in request.headers { HeaderLines.write(header, to: &output) }
            let body = request.body?.wireBytes
            if let body {
                if request.header("content-type") == nil, case .json? = request.body {
                    HeaderLines.write(HTTPHeader("content-type", HTTPMediaType.json), to: &output)
                }
                HeaderLines.write(HTTPHeader("content-length", String(body.count)), to: &output)
            } else if request.method != .get {
                HeaderLines.write(HTTPHeader("content-length", "0"), to: &output)
            }
            output += [0x0D, 0x0A]
            return output + (body ?? [])
        }

        private static func isEventStream(_ head: ResponseHead) -> Bool {
            HTTPMediaType.essence(of: head.header("content-type") ?? "") == HTTPMediaType.eventStream
        }

        private static func response(_ head: ResponseHead, _ bytes: [UInt8]) -> HTTPResponse {
            let type = head.header("content-type") ?? ""
            var body = HTTPBody.none
            if !bytes.isEmpty {
                if HTTPMediaType.isJSON(type),
                    let json = try? JSONReader.read(bytes, limits: JSONLimits(maximumByteCount: bytes.count))
                {
                    body = .json(json)
                } else {
                    body = .text(String(decoding: bytes, as: UTF8.self), contentType: type)
                }
            }
            return HTTPResponse(head.status, headers: head.headers, body: body)
        }
    }

    /// Addresses of names. Looking up a name blocks, so it has a thread of its own.
    enum AddressResolver {
        /// - Throws: ``Ports/HTTPError/connectionRefused(_:)`` when the name is not known.
        static func resolve(_ address: HTTPAddress) async throws -> sockaddr_in {
            var result = sockaddr_in()
            result.sin_family = sa_family_t(AF_INET)
            result.sin_port = address.port.bigEndian
            if inet_pton(AF_INET, address.host, &result.sin_addr) == 1 { return result }
            let found = await withCheckedContinuation { continuation in
                DedicatedThread.start("http-resolve") { continuation.resume(returning: lookUp(address.host)) }
            }
            guard let found else { throw HTTPError.connectionRefused("\(address): the host is not known") }
            result.sin_addr.s_addr = found
            return result
        }

        /// Blocks.
        private static func lookUp(_ host: String) -> UInt32? {
            var hints = addrinfo()
            hints.ai_family = AF_INET
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            var list: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(host, nil, &hints, &list) == 0, let list else { return nil }
            defer { freeaddrinfo(list) }
            return list.pointee.ai_addr?.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                $0.pointee.sin_addr.s_addr
            }
        }
    }
#endif
