#if Production
    /// Reads big-endian numbers, texts and byte runs, and throws at the end instead of going past it.
    struct ByteReader {
        private let buffer: UnsafeRawBufferPointer
        private var offset = 0

        init(_ buffer: UnsafeRawBufferPointer) { self.buffer = buffer }

        var isAtEnd: Bool { offset == buffer.count }

        func error(_ problem: String) -> PgOutputError { PgOutputError(problem: problem, offset: offset) }

        mutating func byte() throws(PgOutputError) -> UInt8 {
            try need(1)
            defer { offset += 1 }
            return buffer[offset]
        }

        mutating func word16() throws(PgOutputError) -> UInt16 {
            try need(2)
            defer { offset += 2 }
            return UInt16(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        }

        mutating func word32() throws(PgOutputError) -> UInt32 {
            try need(4)
            defer { offset += 4 }
            return UInt32(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }

        mutating func word64() throws(PgOutputError) -> UInt64 {
            try need(8)
            defer { offset += 8 }
            return UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }

        mutating func bytes(_ count: Int) throws(PgOutputError) -> [UInt8] {
            try need(count)
            defer { offset += count }
            return Array(buffer[offset..<(offset + count)])
        }

        /// Text that ends with a zero byte.
        mutating func text() throws(PgOutputError) -> String {
            guard let end = buffer[offset...].firstIndex(of: 0) else { throw error("a text without its end") }
            defer { offset = end + 1 }
            return String(decoding: buffer[offset..<end], as: UTF8.self)
        }

        /// What is left.
        var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[offset...]) }

        private func need(_ count: Int) throws(PgOutputError) {
            guard count >= 0, buffer.count - offset >= count else {
                throw error("\(count) bytes wanted, \(buffer.count - offset) left")
            }
        }
    }
#endif
