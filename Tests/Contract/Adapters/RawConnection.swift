#if os(Linux)
    import AdapterSystem
    import Glibc

    /// A TCP connection whose bytes a test writes and reads itself. Its calls block, on threads of their own.
    struct RawConnection: Sendable {
        private let descriptor: Int32

        init(port: UInt16) throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard result == 0 else { throw ContractFailure("cannot connect to port \(port): error \(errno)") }
        }

        func send(_ text: String) {
            let bytes = Array(text.utf8)
            _ = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        }

        /// Ends the sending side.
        func finish() { shutdown(descriptor, Int32(SHUT_WR)) }
        func close() { Glibc.close(descriptor) }

        /// Everything up to the first occurrence of `end`, or to the end of the connection, or what has come in time.
        ///
        /// The default is long: simulations in other tests keep the threads busy that the handlers run on.
        func read(upTo end: String = "", milliseconds: Int = 60_000) async -> String {
            await withCheckedContinuation { continuation in
                DedicatedThread.start("raw") {
                    continuation.resume(returning: blockingRead(upTo: end, milliseconds: milliseconds))
                }
            }
        }

        private func blockingRead(upTo end: String, milliseconds: Int) -> String {
            var text: [UInt8] = []
            let deadline = SocketReactor.now + Int64(milliseconds) * 1_000_000
            while SocketReactor.now < deadline {
                if !end.isEmpty, String(decoding: text, as: UTF8.self).contains(end) { break }
                var descriptors = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&descriptors, 1, 20) > 0 else { continue }
                var buffer = [UInt8](repeating: 0, count: 4_096)
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count <= 0 { break }
                text += buffer[..<count]
            }
            return String(decoding: text, as: UTF8.self)
        }

        /// Whether the server ends the connection in time.
        func isEnded(milliseconds: Int) async -> Bool {
            let start = SocketReactor.now
            _ = await read(milliseconds: milliseconds)
            return SocketReactor.now - start < Int64(milliseconds) * 1_000_000
        }
    }
#endif
