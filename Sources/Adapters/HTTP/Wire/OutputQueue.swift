#if os(Linux)
    import Glibc

    /// Bytes that a socket has not taken yet.
    struct OutputQueue {
        enum Sent {
            case nothing, progress, failed
        }

        private var bytes: [UInt8] = []
        private var head = 0

        var isEmpty: Bool { head == bytes.count }
        var count: Int { bytes.count - head }

        mutating func append(_ more: [UInt8]) {
            if head > 65_536 {
                bytes.removeFirst(head)
                head = 0
            }
            bytes.append(contentsOf: more)
        }

        /// Sends what the socket takes now.
        mutating func send(to descriptor: Int32) -> Sent {
            var result = Sent.nothing
            while head < bytes.count {
                let count = bytes.withUnsafeBytes { buffer in
                    Glibc.send(descriptor, buffer.baseAddress! + head, buffer.count - head, Int32(MSG_NOSIGNAL))
                }
                if count < 0 {
                    if errno == EINTR { continue }
                    return errno == EAGAIN ? result : .failed
                }
                head += count
                result = .progress
            }
            bytes.removeAll(keepingCapacity: bytes.count <= 65_536)
            head = 0
            return result
        }
    }
#endif
