/// Reads the body of a message from the bytes that follow its head (RFC 9112, section 6).
struct MessageBody {
    enum Framing: Hashable {
        case none
        case length(Int)
        case chunked
        /// Of a response only.
        case untilClose
    }

    enum Progress: Hashable {
        case needsMore
        case complete
        case malformed(String)
        case tooLong
    }

    private enum ChunkState {
        case size
        case data(Int)
        case dataEnd
        case trailers
    }

    let framing: Framing
    private let limit: Int
    private(set) var bytes: [UInt8] = []
    private var chunk = ChunkState.size
    private var trailerByteCount = 0
    private var isComplete = false
    /// The longest line of a chunk's size with its extensions.
    private static let lineLimit = 1_024

    init(_ framing: Framing, limit: Int) {
        self.framing = framing
        self.limit = limit
    }

    /// Moves what belongs to the body out of `input`, which starts at `position`.
    mutating func take(from input: [UInt8], at position: inout Int) -> Progress {
        switch framing {
        case .none: return .complete
        case .length(let length):
            guard length <= limit else { return .tooLong }
            let count = min(length - bytes.count, input.count - position)
            bytes.append(contentsOf: input[position..<position + count])
            position += count
            return bytes.count == length ? .complete : .needsMore
        case .untilClose:
            bytes.append(contentsOf: input[position...])
            position = input.count
            return bytes.count > limit ? .tooLong : .needsMore
        case .chunked: return takeChunks(from: input, at: &position)
        }
    }

    /// Takes what has come so far, of a body that is handed on piece by piece.
    mutating func drain() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    private mutating func takeChunks(from input: [UInt8], at position: inout Int) -> Progress {
        if isComplete { return .complete }
        while true {
            switch chunk {
            case .size:
                guard let line = Self.line(of: input, at: &position) else {
                    return input.count - position > Self.lineLimit
                        ? .malformed("a chunk's size does not end") : .needsMore
                }
                guard let size = Self.size(line) else {
                    return .malformed("a chunk's size is not a hexadecimal number")
                }
                guard size <= limit - bytes.count else { return .tooLong }
                chunk = size == 0 ? .trailers : .data(size)
            case .data(let left):
                let count = min(left, input.count - position)
                bytes.append(contentsOf: input[position..<position + count])
                position += count
                guard count == left else {
                    chunk = .data(left - count)
                    return .needsMore
                }
                chunk = .dataEnd
            case .dataEnd:
                guard input.count - position >= 2 else { return .needsMore }
                guard input[position] == 0x0D, input[position + 1] == 0x0A else {
                    return .malformed("a chunk is longer than its size")
                }
                position += 2
                chunk = .size
            case .trailers:
                guard let line = Self.line(of: input, at: &position) else {
                    return input.count - position > Self.lineLimit ? .malformed("a trailer does not end") : .needsMore
                }
                if line.isEmpty {
                    isComplete = true
                    return .complete
                }
                trailerByteCount += line.count
                if trailerByteCount > 8_192 { return .malformed("the trailers do not end") }
            }
        }
    }

    /// The next line without its end, which must be CR LF; `nil` while it has not come whole.
    private static func line(of input: [UInt8], at position: inout Int) -> ArraySlice<UInt8>? {
        guard let end = input[position...].firstIndex(of: 0x0A), end > position, input[end - 1] == 0x0D else {
            return nil
        }
        defer { position = end + 1 }
        return input[position..<end - 1]
    }

    private static func size(_ line: ArraySlice<UInt8>) -> Int? {
        let digits = line.prefix { $0 != UInt8(ascii: ";") }.filter { $0 != 0x20 && $0 != 0x09 }
        guard (1...15).contains(digits.count) else { return nil }
        let text = String(decoding: digits, as: UTF8.self)
        guard !text.hasPrefix("+"), !text.hasPrefix("-") else { return nil }
        return Int(text, radix: 16)
    }
}
