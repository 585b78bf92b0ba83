import Ports

/// What of a message arrives at the other side, and how.
enum HTTPMessageCases {
    static let all = [
        statuses, responseHeaders, exactNumbers, noContent, query, path, headerNames, requestBody, methods, problem,
        largeAnswer,
    ]

    private static let statuses = ContractCase.http(
        "message/status", "a handler's status arrives as it was given"
    ) { request, _ in
        HTTPResponse(Int(request.path.dropFirst()) ?? 500, body: .json(["path": .string(request.path)]))
    } script: { client, _, _ in
        for status in [200, 201, 202, 400, 404, 409, 422, 500, 503] {
            let response = try await client.get("/\(status)")
            try expect(response.status, equals: status, "status")
            try expect(response.json?["path"], equals: .string("/\(status)"), "body")
        }
    }

    private static let responseHeaders = ContractCase.http(
        "message/response-header", "a handler's header arrives, found by its name in lower case"
    ) { _, _ in
        HTTPResponse(201, headers: [HTTPHeader("location", "/orders/7")], body: .json([:]))
    } script: { client, _, _ in
        try expect(try await client.post("/orders", nil).header("location"), equals: "/orders/7", "Location")
    }

    private static let exactNumbers = ContractCase.http(
        "message/exact-numbers", "numbers arrive exactly: 64-bit integers and decimals with their places"
    ) { request, _ in
        HTTPResponse(200, body: request.body?.json.map { .json($0) } ?? .none)
    } script: { client, _, _ in
        let sent: JSONValue = [
            "largest": .integer(.max), "smallest": .integer(.min), "price": .decimal(unscaled: 1_050, scale: 2),
            "texts": ["ä€𝄞", "quote \" backslash \\ newline \n", ""], "nothing": nil, "nested": [["a": true]],
        ]
        try expect(try await client.post("/echo", .json(sent)).json, equals: sent, "the document")
    }

    private static let noContent = ContractCase.http(
        "message/no-content", "an answer without a body has none, and the connection goes on"
    ) { _, _ in
        HTTPResponse(204)
    } script: { client, _, _ in
        for _ in 1...3 {
            let response = try await client.post("/callback", nil)
            try expect(response.status, equals: 204, "status")
            guard case .none = response.body else { throw ContractFailure("a body came: \(response.body)") }
        }
    }

    private static let query = ContractCase.http(
        "message/query", "query parameters arrive in their order, with their characters as they were meant"
    ) { request, _ in
        let pairs = request.query.map { JSONValue.array([.string($0.name), .string($0.value)]) }
        return HTTPResponse(200, body: .json(["path": .string(request.path), "query": .array(pairs)]))
    } script: { client, _, _ in
        let query = [
            HTTPHeader("limit", "2"), HTTPHeader("cursor", "1_a+b c&d=e%f"), HTTPHeader("ä", "€"),
            HTTPHeader("empty", ""),
        ]
        let response = try await client.send(HTTPRequest(.get, "/items", query: query), timeout: .seconds(5))
        let wanted = query.map { JSONValue.array([.string($0.name), .string($0.value)]) }
        try expect(response.json?["query"], equals: .array(wanted), "query")
        try expect(response.json?["path"], equals: "/items", "the path has no query")
    }

    private static let path = ContractCase.http(
        "message/path", "a path arrives decoded, whatever characters it holds"
    ) { request, _ in
        HTTPResponse(200, body: .json(["path": .string(request.path)]))
    } script: { client, _, _ in
        for path in ["/", "/orders/ä€ b%/x?y", "/a//b/"] {
            try expect(try await client.get(path).json?["path"], equals: .string(path), "path")
        }
    }

    private static let headerNames = ContractCase.http(
        "message/request-header", "a request's header arrives, found by its name in lower case"
    ) { request, _ in
        HTTPResponse(200, body: .json(["key": request.header("idempotency-key").map { .string($0) } ?? nil]))
    } script: { client, _, _ in
        let response = try await client.post("/orders", nil, [HTTPHeader("idempotency-key", "k 1, \"q\"")])
        try expect(response.json?["key"], equals: "k 1, \"q\"", "the key")
    }

    private static let requestBody = ContractCase.http(
        "message/no-request-body", "a request without a body has none, and not an empty one"
    ) { request, _ in
        HTTPResponse(200, body: .json(["hasBody": .bool(request.body != nil)]))
    } script: { client, _, _ in
        try expect(try await client.post("/pay", nil).json?["hasBody"], equals: false, "POST has a body")
        try expect(try await client.post("/pay", .json([:])).json?["hasBody"], equals: true, "an empty object is one")
    }

    private static let methods = ContractCase.http(
        "message/methods", "each method of the port arrives as itself"
    ) { request, _ in
        HTTPResponse(200, body: .json(["method": .string(request.method.rawValue)]))
    } script: { client, _, _ in
        for method in HTTPMethod.allCases {
            let response = try await client.send(HTTPRequest(method, "/x"), timeout: .seconds(5))
            try expect(response.json?["method"], equals: .string(method.rawValue), "method")
        }
    }

    private static let problem = ContractCase.http(
        "message/problem", "a handler's problem document arrives as application/problem+json, with its field"
    ) { _, _ in
        ProblemDocument(409, "Conflict", detail: "the price has changed", field: "items[0].price").response
    } script: { client, _, _ in
        let response = try await client.post("/orders", .json([:]))
        try expect(response.status, equals: 409, "status")
        try expect(response.header("content-type"), equals: "application/problem+json", "type")
        try expect(response.json?["status"], equals: 409, "the status inside")
        try expect(response.json?["field"], equals: "items[0].price", "field")
    }

    private static let largeAnswer = ContractCase.http(
        "message/large-answer", "an answer of a megabyte arrives whole"
    ) { _, _ in
        HTTPResponse(200, body: .json(.array((0..<20_000).map { .string("row number \($0) of a long list of rows") })))
    } script: { client, _, _ in
        for _ in 1...2 {
            let rows = try await client.get("/items").json?.arrayValue
            try expect(rows?.count, equals: 20_000, "rows")
            try expect(rows?.last, equals: "row number 19999 of a long list of rows", "the last row")
        }
    }
}
