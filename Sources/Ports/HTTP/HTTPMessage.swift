/// The methods that the shop uses; an adapter answers 501 to any other.
public enum HTTPMethod: String, Hashable, Sendable, Codable, CaseIterable {
    case get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE"
}

/// A header line. Names compare without case; the adapter passes them on in lower case.
public struct HTTPHeader: Hashable, Sendable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A request as a handler sees it: path split and percent-decoded, body read whole.
public struct HTTPRequest: Sendable {
    public var method: HTTPMethod
    /// The path, beginning with `/`, without the query.
    public var path: String
    public var query: [HTTPHeader]
    /// Names in lower case.
    public var headers: [HTTPHeader]
    /// `nil` when there was none; `.bytes` when it is not JSON.
    public var body: Payload?

    public init(
        _ method: HTTPMethod, _ path: String, query: [HTTPHeader] = [], headers: [HTTPHeader] = [], body: Payload? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// The first header of that name, which is given in lower case.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    /// The first query parameter of that name.
    public func queryParameter(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// One server-sent event (WHATWG HTML, section 9.2).
public struct ServerSentEvent: Hashable, Sendable {
    /// What a client sends back as `Last-Event-ID`.
    public let id: String?
    public let event: String?
    public let data: JSONValue

    public init(id: String?, event: String?, data: JSONValue) {
        self.id = id
        self.event = event
        self.data = data
    }
}

/// Where a streaming handler writes its events.
public protocol ServerSentEventSink: Sendable {
    /// Sends one event; returns when it was handed to the connection, which is not to say that the client has it.
    ///
    /// - Throws: ``HTTPError`` when the client is gone; the handler then returns.
    func send(_ event: ServerSentEvent) async throws
}

/// The body of a response.
public enum HTTPBody: Sendable {
    case none
    case json(JSONValue)
    case text(String, contentType: String)
    /// A `text/event-stream`, written by the function until it returns or the client goes.
    case events(@Sendable (any ServerSentEventSink) async throws -> Void)
}

/// What a handler answers.
public struct HTTPResponse: Sendable {
    public var status: Int
    public var headers: [HTTPHeader]
    public var body: HTTPBody

    public init(_ status: Int, headers: [HTTPHeader] = [], body: HTTPBody = .none) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    /// The JSON body, when it has one.
    public var json: JSONValue? { if case .json(let value) = body { value } else { nil } }
}

/// The problem document of RFC 9457, for every error of the HTTP edge.
public struct ProblemDocument: Hashable, Sendable {
    public let status: Int
    public let title: String
    public let detail: String
    /// The field that is wrong, when it is one.
    public let field: String?

    public init(_ status: Int, _ title: String, detail: String, field: String? = nil) {
        self.status = status
        self.title = title
        self.detail = detail
        self.field = field
    }

    /// The response that carries it, as `application/problem+json`.
    public var response: HTTPResponse {
        var members: [JSONMember] = [
            JSONMember("type", "about:blank"), JSONMember("title", .string(title)),
            JSONMember("status", .integer(Int64(status))), JSONMember("detail", .string(detail)),
        ]
        if let field { members.append(JSONMember("field", .string(field))) }
        return HTTPResponse(
            status, headers: [HTTPHeader("content-type", "application/problem+json")], body: .json(.object(members)))
    }
}
