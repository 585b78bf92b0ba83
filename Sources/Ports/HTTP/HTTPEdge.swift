/// What an HTTP server refuses before a handler sees the request: the same rules for a real server and a simulated one.
public struct HTTPEdgeLimits: Hashable, Sendable {
    /// The longest request body; above it the answer is 413.
    public var maximumBodyByteCount = 65_536
    /// Request line and header lines together; above it the answer is 431.
    public var maximumHeaderByteCount = 16_384
    /// Header lines; above it the answer is 431.
    public var maximumHeaderCount = 100

    public init() {}

    /// Why a request is refused at the edge; `nil` when it may pass.
    public func refusal(of request: HTTPRequest) -> ProblemDocument? {
        if !request.headers.isEmpty, let refusal = refusal(ofHead: request) { return refusal }
        guard let body = request.body else { return nil }
        let byteCount = body.estimatedByteCount
        if byteCount > maximumBodyByteCount { return .contentTooLarge(limit: maximumBodyByteCount) }
        if let type = request.header("content-type"), !HTTPMediaType.isJSON(type) {
            return .unsupportedMediaType(type)
        }
        guard case .bytes = body else { return nil }
        return .malformedJSON("the body is not a JSON document")
    }

    private func refusal(ofHead request: HTTPRequest) -> ProblemDocument? {
        guard request.headers.count <= maximumHeaderCount else { return .headersTooLarge(self) }
        var byteCount = request.path.utf8.count
        for header in request.headers { byteCount += header.name.utf8.count + header.value.utf8.count + 4 }
        return byteCount > maximumHeaderByteCount ? .headersTooLarge(self) : nil
    }
}

/// Names of media types, as far as the edge has to know them.
public enum HTTPMediaType {
    public static let json = "application/json"
    public static let problem = "application/problem+json"
    public static let eventStream = "text/event-stream"

    /// Whether a `Content-Type` says that the body is JSON: `application/json`, or a type whose suffix is `+json` (RFC 6839).
    public static func isJSON(_ contentType: String) -> Bool {
        let type = essence(of: contentType)
        return type == json || type.hasPrefix("application/") && type.hasSuffix("+json")
    }

    /// The media type without its parameters, in lower case.
    public static func essence(of contentType: String) -> String {
        let type = contentType.prefix { $0 != ";" }
        var words = type.split { $0 == " " || $0 == "\t" }
        return words.isEmpty ? "" : words.removeFirst().lowercased()
    }
}

extension HTTPResponse {
    /// 405 with what the path takes instead (RFC 9110, section 15.5.6).
    public static func methodNotAllowed(_ request: HTTPRequest, allowed: [HTTPMethod]) -> HTTPResponse {
        let list = allowed.map(\.rawValue).joined(separator: ", ")
        let detail = "\(request.path) takes \(list), not \(request.method.rawValue)"
        var response = ProblemDocument(405, "Method Not Allowed", detail: detail).response
        response.headers.append(HTTPHeader("allow", list))
        return response
    }
}

extension ProblemDocument {
    /// 400 for a request that is no HTTP, or contradicts itself.
    public static func badRequest(_ detail: String) -> ProblemDocument {
        ProblemDocument(400, "Bad Request", detail: detail)
    }

    /// 400 for a body that says it is JSON and is not.
    public static func malformedJSON(_ detail: String) -> ProblemDocument {
        ProblemDocument(400, "Malformed JSON", detail: detail, field: "body")
    }

    /// 413 (RFC 9110, section 15.5.14).
    public static func contentTooLarge(limit: Int) -> ProblemDocument {
        ProblemDocument(413, "Content Too Large", detail: "the body may have at most \(limit) bytes")
    }

    /// 415 (RFC 9110, section 15.5.16).
    public static func unsupportedMediaType(_ contentType: String) -> ProblemDocument {
        ProblemDocument(
            415, "Unsupported Media Type",
            detail: "the body is '\(String(contentType.prefix(80)))'; send application/json", field: "Content-Type")
    }

    /// 431 (RFC 6585, section 5).
    public static func headersTooLarge(_ limits: HTTPEdgeLimits) -> ProblemDocument {
        ProblemDocument(
            431, "Request Header Fields Too Large",
            detail:
                "request line and headers may have at most \(limits.maximumHeaderByteCount) bytes in "
                + "\(limits.maximumHeaderCount) lines")
    }

    /// 501 for a method that no handler can have.
    public static func methodNotImplemented(_ method: String) -> ProblemDocument {
        let known = HTTPMethod.allCases.map(\.rawValue).joined(separator: ", ")
        return ProblemDocument(
            501, "Not Implemented", detail: "method \(String(method.prefix(40))) is not known here; known are \(known)")
    }
}
