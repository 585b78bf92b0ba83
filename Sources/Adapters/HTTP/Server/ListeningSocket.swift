#if os(Linux)
    import Glibc

    /// A TCP socket that listens, without blocking.
    struct ListeningSocket {
        let descriptor: Int32
        let port: UInt16

        /// - Throws: ``HTTPServerError``.
        init(host: String, port: UInt16, backlog: Int32 = 1_024) throws(HTTPServerError) {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
                throw HTTPServerError(host: host, port: port, reason: "the host is not an IPv4 address")
            }
            let descriptor = socket(
                AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { throw Self.failure(host, port) }
            var one: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
            let bound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard bound == 0, listen(descriptor, backlog) == 0 else {
                let error = Self.failure(host, port)
                close(descriptor)
                throw error
            }
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutablePointer(to: &address) { pointer in
                _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
            }
            self.descriptor = descriptor
            self.port = UInt16(bigEndian: address.sin_port)
        }

        /// The next connection that waits, without blocking and closed by exec; negative when there is none.
        static func accept(_ descriptor: Int32) -> Int32 {
            let accepted = Glibc.accept(descriptor, nil, nil)
            guard accepted >= 0 else { return accepted }
            _ = fcntl(accepted, F_SETFL, fcntl(accepted, F_GETFL) | O_NONBLOCK)
            _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
            return accepted
        }

        private static func failure(_ host: String, _ port: UInt16) -> HTTPServerError {
            let reason =
                switch errno {
                case EADDRINUSE: "another program has that port"
                case EACCES: "this user may not have that port"
                case EADDRNOTAVAIL: "this machine does not have that address"
                case let code: String(cString: strerror(code))
                }
            return HTTPServerError(host: host, port: port, reason: reason)
        }
    }
#endif
