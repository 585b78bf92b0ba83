public import Ports

/// One operation of a service's HTTP interface, described once: for its OpenAPI document, and for whoever has to know which
/// route a request takes.
public struct HTTPOperation: Sendable {
    /// A parameter of the path, the query or a header.
    public struct Parameter: Sendable {
        public enum Place: String, Sendable { case path, query, header }

        public let name: String
        public let place: Place
        public let summary: String
        public let schema: JSONValue
    }

    /// An answer that the operation may give.
    public struct Answer: Sendable {
        public let status: Int
        public let summary: String
        /// `nil` without a body.
        public let mediaType: String?
        public let schema: JSONValue
        /// Whether it says where the new resource is.
        public var hasLocation = false
    }

    public let method: HTTPMethod
    /// With parameters in braces: `/orders/{id}`.
    public let path: String
    /// Unique among the operations of a service, in lower camel case.
    public let name: String
    public let summary: String
    public var parameters: [Parameter] = []
    /// The schema of the request's JSON body; `nil` when it takes none.
    public var body: JSONValue?
    public var answers: [Answer] = []

    /// Whether a path takes this route.
    public func matches(_ method: HTTPMethod, _ path: String) -> Bool {
        guard method == self.method else { return false }
        let found = path.split(separator: "/")
        let wanted = self.path.split(separator: "/")
        guard found.count == wanted.count else { return false }
        return zip(found, wanted).allSatisfy { $1.hasPrefix("{") || $0 == $1 }
    }
}

// What the operations of all services are put together from.
extension HTTPOperation {
    init(_ method: HTTPMethod, _ path: String, _ name: String, _ summary: String) {
        self.method = method
        self.path = path
        self.name = name
        self.summary = summary
        // The edge refuses some requests to any operation.
        refuses(431, "request line and headers are too large")
        refuses(503, "the service or its database cannot answer now; the same request may be sent again")
    }

    func with(_ change: (inout HTTPOperation) -> Void) -> HTTPOperation {
        var copy = self
        change(&copy)
        return copy
    }

    /// A parameter of the path that names something; what names nothing is 404.
    func taking(id name: String, of what: String, schema: JSONValue = SchemaText.uuid) -> HTTPOperation {
        with { operation in
            operation.parameters.append(
                Parameter(name: name, place: .path, summary: "the \(what)", schema: schema))
            operation.refuses(404, "there is no such \(what)")
        }
    }

    /// A command acts once for each key.
    func takingIdempotencyKey() -> HTTPOperation {
        with { operation in
            operation.parameters.append(
                Parameter(
                    name: "Idempotency-Key", place: .header,
                    summary: "the same key with the same request gives the same answer and acts once",
                    schema: ["type": "string", "pattern": "^[!-~]{1,200}$"]))
            operation.refuses(400, "a parameter or the body is not what it has to be; the field is named")
            operation.refuses(422, "the key was used for a different request")
        }
    }

    func taking(query name: String, _ summary: String, _ schema: JSONValue) -> HTTPOperation {
        with { operation in
            operation.parameters.append(Parameter(name: name, place: .query, summary: summary, schema: schema))
            operation.refuses(400, "a parameter is not what it has to be; the field is named")
        }
    }

    /// Lists are paged.
    func paged() -> HTTPOperation {
        taking(query: "limit", "rows of the page", ["type": "integer", "minimum": 1, "maximum": 100, "default": 20])
            .taking(query: "cursor", "the nextCursor of an earlier page", ["type": "string"])
    }

    func takingLastEventID() -> HTTPOperation {
        with { operation in
            operation.parameters.append(
                Parameter(
                    name: "Last-Event-ID", place: .header, summary: "go on after this event of the stream",
                    schema: ["type": "string", "pattern": "^[0-9]{1,18}$"]))
            operation.refuses(400, "Last-Event-ID is no id of an event of this stream")
        }
    }

    func taking(body schema: String) -> HTTPOperation {
        with { operation in
            operation.body = SchemaText.reference(schema)
            operation.refuses(400, "a parameter or the body is not what it has to be; the field is named")
            operation.refuses(413, "the body is too large")
            operation.refuses(415, "the body is not application/json")
        }
    }

    func answering(_ status: Int, _ summary: String, _ schema: String, hasLocation: Bool = false) -> HTTPOperation {
        with {
            $0.answers.append(
                Answer(
                    status: status, summary: summary, mediaType: "application/json",
                    schema: SchemaText.reference(schema), hasLocation: hasLocation))
        }
    }

    func answeringWithoutBody(_ status: Int, _ summary: String) -> HTTPOperation {
        with { $0.answers.append(Answer(status: status, summary: summary, mediaType: nil, schema: .null)) }
    }

    func answeringEvents(_ summary: String) -> HTTPOperation {
        with {
            $0.answers.append(
                Answer(status: 200, summary: summary, mediaType: "text/event-stream", schema: ["type": "string"]))
        }
    }

    func refusing(_ status: Int, _ summary: String) -> HTTPOperation { with { $0.refuses(status, summary) } }

    private mutating func refuses(_ status: Int, _ summary: String) {
        let problem = Answer(
            status: status, summary: summary, mediaType: "application/problem+json",
            schema: SchemaText.reference("Problem"))
        if let known = answers.firstIndex(where: { $0.status == status }) {
            answers[known] = problem
        } else {
            answers.append(problem)
        }
    }
}
