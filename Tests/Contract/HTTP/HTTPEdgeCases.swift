import Ports

/// What a server refuses before its handler sees it.
enum HTTPEdgeCases {
    static let all = [
        malformedJSON, wrongType, typeSuffix, typeParameters, bodyTooLarge, bodyAtLimit, headersTooLarge,
        tooManyHeaders,
    ]

    private static let limits = {
        var limits = HTTPEdgeLimits()
        limits.maximumBodyByteCount = 2_048
        limits.maximumHeaderByteCount = 4_096
        limits.maximumHeaderCount = 40
        return limits
    }()

    /// A handler that gives itself away.
    private static let reached: @Sendable (HTTPRequest, any ServiceClock) async -> HTTPResponse = { _, _ in
        HTTPResponse(200, body: .json(["reached": true]))
    }

    private static func mustRefuse(
        _ response: HTTPResponse, _ status: Int, field: JSONValue? = nil, file: String = #fileID, line: UInt = #line
    ) throws {
        try expect(response.status, equals: status, "status", file: file, line: line)
        try expect(
            response.header("content-type"), equals: "application/problem+json", "type", file: file, line: line)
        try expect(response.json?["status"], equals: .integer(Int64(status)), "status inside", file: file, line: line)
        try expect(response.json?["reached"], equals: nil, "the handler's answer", file: file, line: line)
        try expect(response.json?["field"], equals: field, "field", file: file, line: line)
    }

    private static let malformedJSON = ContractCase.http(
        "edge/malformed-json", "a body that is not JSON is 400, and the handler does not see it", limits: limits,
        server: reached
    ) { client, _, _ in
        for text in ["{", "{\"a\":1,}", "nul", "{\"a\":\"\\x\"}"] {
            let response = try await client.post(
                "/orders", .bytes(Array(text.utf8)), [HTTPHeader("content-type", "application/json")])
            try mustRefuse(response, 400, field: "body")
        }
        try expect(try await client.post("/orders", .json([:])).status, equals: 200, "the next request")
    }

    private static let wrongType = ContractCase.http(
        "edge/wrong-content-type", "a body of another media type is 415, even if it reads as JSON", limits: limits,
        server: reached
    ) { client, _, _ in
        for type in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/jsonx"] {
            let response = try await client.post("/orders", .json(["a": 1]), [HTTPHeader("content-type", type)])
            try mustRefuse(response, 415, field: "Content-Type")
        }
    }

    private static let typeSuffix = ContractCase.http(
        "edge/json-suffix", "a media type with the suffix +json is JSON", limits: limits, server: reached
    ) { client, _, _ in
        let response = try await client.post(
            "/orders", .json(["a": 1]), [HTTPHeader("content-type", "application/merge-patch+json")])
        try expect(response.status, equals: 200, "status")
    }

    private static let typeParameters = ContractCase.http(
        "edge/content-type-parameters", "a media type is compared without parameters and case", limits: limits,
        server: reached
    ) { client, _, _ in
        let response = try await client.post(
            "/orders", .json(["a": 1]), [HTTPHeader("content-type", "Application/JSON ; charset=utf-8")])
        try expect(response.status, equals: 200, "status")
    }

    private static let bodyTooLarge = ContractCase.http(
        "edge/body-too-large", "a body above the limit is 413, and the server goes on", limits: limits, server: reached
    ) { client, _, _ in
        for length in [3_000, 100_000] {
            let body = Payload.json(["text": .string(String(repeating: "x", count: length))])
            try mustRefuse(try await client.post("/orders", body), 413)
        }
        try expect(try await client.post("/orders", .json([:])).status, equals: 200, "the next request")
    }

    private static let bodyAtLimit = ContractCase.http(
        "edge/body-at-limit", "a body just below the limit is taken", limits: limits, server: reached
    ) { client, _, _ in
        let body = Payload.json(["text": .string(String(repeating: "x", count: 2_020))])
        try expect(try await client.post("/orders", body).status, equals: 200, "status")
    }

    private static let headersTooLarge = ContractCase.http(
        "edge/headers-too-large", "headers above the limit are 431, and the server goes on", limits: limits,
        server: reached
    ) { client, _, _ in
        let response = try await client.get("/orders", [HTTPHeader("cookie", String(repeating: "x", count: 5_000))])
        try mustRefuse(response, 431)
        try expect(try await client.get("/orders").status, equals: 200, "the next request")
    }

    private static let tooManyHeaders = ContractCase.http(
        "edge/too-many-headers", "more header lines than the limit are 431", limits: limits, server: reached
    ) { client, _, _ in
        let response = try await client.get("/orders", (1...50).map { HTTPHeader("x-\($0)", "y") })
        try mustRefuse(response, 431)
    }
}
