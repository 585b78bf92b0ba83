import Ports

/// The head of a response.
struct ResponseHead: Hashable {
    let status: Int
    /// Names in lower case.
    let headers: [HTTPHeader]
    let isHTTP11: Bool

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// Reads responses from the bytes of one connection (RFC 9112), the body piece by piece.
struct ResponseParser {
    enum Step: Hashable {
        case needsMore
        case head(ResponseHead)
        case bytes([UInt8])
        case end(keepsAlive: Bool)
        case malformed(String)
    }

    private enum Phase {
        case head
        case body(MessageBody)
        case ended
    }

    /// The longest head, and the longest body that is taken whole.
    private static let headLimit = 65_536
    private static let bodyLimit = 67_108_864

    private var input: [UInt8] = []
    private var position = 0
    private var phase = Phase.head
    private var keepsAlive = true

    mutating func append(_ bytes: UnsafeRawBufferPointer) { input.append(contentsOf: bytes) }

    /// Whether a response has ended and nothing has come after it.
    var isSpent: Bool {
        if case .ended = phase { return input.count == position }
        return false
    }

    /// The connection has ended: a body without a length is whole then.
    mutating func end() -> Step {
        guard case .body(let body) = phase, body.framing == .untilClose else {
            return .malformed("the connection ended inside a response")
        }
        phase = .ended
        return .end(keepsAlive: false)
    }

    mutating func next() -> Step {
        switch phase {
        case .ended: return .needsMore
        case .head: return nextHead()
        case .body(var body):
            let progress = body.take(from: input, at: &position)
            if position == input.count {
                input.removeAll(keepingCapacity: true)
                position = 0
            }
            switch progress {
            case .malformed(let what): return .malformed(what)
            case .tooLong: return .malformed("the body has more than \(Self.bodyLimit) bytes")
            case .needsMore:
                // Bytes of a body of known length are handed on at its end, all at once.
                let piece = Self.isOpenEnded(body.framing) ? body.drain() : []
                phase = .body(body)
                return piece.isEmpty ? .needsMore : .bytes(piece)
            case .complete:
                let piece = body.drain()
                guard piece.isEmpty else {
                    phase = .body(MessageBody(.none, limit: 0))
                    return .bytes(piece)
                }
                phase = .ended
                return .end(keepsAlive: keepsAlive)
            }
        }
    }

    private static func isOpenEnded(_ framing: MessageBody.Framing) -> Bool {
        framing == .chunked || framing == .untilClose
    }

    /// Makes ready for the next response of the connection.
    mutating func reset() {
        precondition(input.count == position, "a response is followed by bytes that nobody asked for")
        phase = .head
    }

    private mutating func nextHead() -> Step {
        guard let end = endOfHead() else {
            return input.count - position > Self.headLimit ? .malformed("the head does not end") : .needsMore
        }
        var lines = input[position..<end].split(separator: 0x0A)[...]
        position = end + 4
        let first = lines.popFirst().map { String(decoding: $0, as: UTF8.self) } ?? ""
        let words = first.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1].prefix(3)),
            (100...599).contains(status)
        else { return .malformed("the status line is '\(String(first.prefix(80)))'") }
        var headers: [HTTPHeader] = []
        for line in lines {
            guard let header = HeaderLines.read(line.last == 0x0D ? line.dropLast() : line) else {
                return .malformed("a header line is not 'Name: value'")
            }
            headers.append(header)
        }
        // Interim responses announce the one that counts.
        if status < 200 { return nextHead() }
        let head = ResponseHead(status: status, headers: headers, isHTTP11: words[0] == "HTTP/1.1")
        guard let framing = Self.framing(head) else { return .malformed("Content-Length is not a number") }
        keepsAlive = head.isHTTP11 && !HeaderLines.lists(head.header("connection"), "close") && framing != .untilClose
        phase = .body(MessageBody(framing, limit: Self.bodyLimit))
        return .head(head)
    }

    private func endOfHead() -> Int? {
        var index = position
        while index + 3 < input.count {
            if input[index] == 0x0D, input[index + 1] == 0x0A, input[index + 2] == 0x0D, input[index + 3] == 0x0A {
                return index
            }
            index += 1
        }
        return nil
    }

    private static func framing(_ head: ResponseHead) -> MessageBody.Framing? {
        if head.status == 204 || head.status == 304 { return MessageBody.Framing.none }
        if HeaderLines.lists(head.header("transfer-encoding"), "chunked") { return .chunked }
        guard let text = head.header("content-length") else { return .untilClose }
        return RequestFraming.plainNumber(text).map { .length($0) }
    }
}
