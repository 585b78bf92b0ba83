import Ports

/// A request as it was sent, with its framing undone and nothing decided about its meaning.
struct RawRequest {
    var method: String
    /// The target of the request line, as sent.
    var target: [UInt8]
    var headers: [HTTPHeader]
    var body: [UInt8]?
    var isHTTP11: Bool
    /// Whether the client wants to send another request on the connection.
    var keepsAlive: Bool

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// Reads requests from the bytes of one connection (RFC 9112): bytes go in as they come, requests come out.
struct RequestParser {
    enum Step {
        case needsMore
        /// The client waits for `100 Continue` before it sends the body.
        case expectsContinue
        case request(RawRequest)
        /// Answer with this and close: where the next request would begin is not known.
        case refused(ProblemDocument)
    }

    private enum Phase {
        case head
        case body(RawRequest, MessageBody, announcesContinue: Bool)
        case failed
    }

    private let limits: HTTPEdgeLimits
    private var input: [UInt8] = []
    private var position = 0
    /// Up to where the end of the head was looked for.
    private var searched = 0
    private var phase = Phase.head

    init(limits: HTTPEdgeLimits) { self.limits = limits }

    /// Whether part of a request has come.
    var isInsideRequest: Bool {
        if case .head = phase { return input.count > position }
        return true
    }

    var bufferedByteCount: Int { input.count - position }

    mutating func append(_ bytes: UnsafeRawBufferPointer) { input.append(contentsOf: bytes) }

    /// The next thing that the bytes so far amount to.
    mutating func next() -> Step {
        switch phase {
        case .failed: return .needsMore
        case .head:
            skipEmptyLines()
            guard let end = endOfHead() else {
                return bufferedByteCount > limits.maximumHeaderByteCount
                    ? refuse(.headersTooLarge(limits)) : .needsMore
            }
            let head = input[position..<end]
            position = end + 4
            searched = position
            return read(head)
        case .body(let request, var body, let announcesContinue):
            let progress = body.take(from: input, at: &position)
            compact()
            switch progress {
            case .complete:
                phase = .head
                searched = position
                var request = request
                request.body = body.framing == .none ? nil : body.bytes
                return .request(request)
            case .needsMore:
                phase = .body(request, body, announcesContinue: false)
                return announcesContinue ? .expectsContinue : .needsMore
            case .tooLong: return refuse(.contentTooLarge(limit: limits.maximumBodyByteCount))
            case .malformed(let what): return refuse(.badRequest(what))
            }
        }
    }

    private mutating func refuse(_ problem: ProblemDocument) -> Step {
        phase = .failed
        input = []
        position = 0
        return .refused(problem)
    }

    /// Empty lines before a request are passed over (RFC 9112, section 2.2).
    private mutating func skipEmptyLines() {
        while position < input.count, input[position] == 0x0D || input[position] == 0x0A { position += 1 }
        searched = max(searched, position)
        compact()
    }

    private mutating func compact() {
        guard position > 0 else { return }
        if position == input.count {
            input.removeAll(keepingCapacity: true)
        } else if position > 32_768 {
            input.removeFirst(position)
        } else {
            return
        }
        searched = max(0, searched - position)
        position = 0
    }

    private mutating func endOfHead() -> Int? {
        var index = max(position, searched - 3)
        let end = input.count - 3
        while index < end {
            if input[index] == 0x0D, input[index + 1] == 0x0A, input[index + 2] == 0x0D, input[index + 3] == 0x0A {
                return index
            }
            index += 1
        }
        searched = input.count
        return nil
    }

    private mutating func read(_ head: ArraySlice<UInt8>) -> Step {
        guard head.count <= limits.maximumHeaderByteCount else { return refuse(.headersTooLarge(limits)) }
        var lines = head.split(separator: 0x0A, omittingEmptySubsequences: false)[...]
        guard let first = lines.popFirst(), var request = Self.requestLine(Self.withoutReturn(first)) else {
            return refuse(.badRequest("the request line is not 'METHOD /target HTTP/1.1'"))
        }
        guard lines.count <= limits.maximumHeaderCount else { return refuse(.headersTooLarge(limits)) }
        for line in lines {
            guard let header = HeaderLines.read(Self.withoutReturn(line)) else {
                return refuse(HeaderLines.malformed)
            }
            request.headers.append(header)
        }
        request.keepsAlive =
            request.isHTTP11
            ? !HeaderLines.lists(request.header("connection"), "close")
            : HeaderLines.lists(request.header("connection"), "keep-alive")
        if let problem = RequestFraming.problem(ofHost: request) { return refuse(problem) }
        switch RequestFraming.of(request) {
        case .failure(let refusal): return refuse(refusal.problem)
        case .success(let framing):
            if case .length(let length) = framing, length > limits.maximumBodyByteCount {
                return refuse(.contentTooLarge(limit: limits.maximumBodyByteCount))
            }
            let expects = request.isHTTP11 && HeaderLines.lists(request.header("expect"), "100-continue")
            let body = MessageBody(framing, limit: limits.maximumBodyByteCount)
            phase = .body(request, body, announcesContinue: expects && framing != .none)
            return next()
        }
    }

    private static func withoutReturn(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        line.last == 0x0D ? line.dropLast() : line
    }

    private static func requestLine(_ line: ArraySlice<UInt8>) -> RawRequest? {
        let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, words[0].allSatisfy(HeaderLines.isTokenByte), !words[1].isEmpty
        else { return nil }
        let version = String(decoding: words[2], as: UTF8.self)
        guard version == "HTTP/1.1" || version == "HTTP/1.0" else { return nil }
        return RawRequest(
            method: String(decoding: words[0], as: UTF8.self), target: Array(words[1]), headers: [], body: nil,
            isHTTP11: version == "HTTP/1.1", keepsAlive: false)
    }
}
