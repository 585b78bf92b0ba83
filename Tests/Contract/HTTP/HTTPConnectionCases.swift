import Ports

/// Connections, and what a caller may conclude when one fails.
enum HTTPConnectionCases {
    static let all = [refused, timeout, reset, restart, keepAlive, concurrency, lateAnswer, cancellation, errorsKeep]

    private static let echo: @Sendable (HTTPRequest, any ServiceClock) async -> HTTPResponse = { request, clock in
        if request.path.hasPrefix("/slow") { try? await clock.sleep(for: .seconds(1)) }
        if request.path == "/endless" { try? await clock.sleep(for: .seconds(20)) }
        return HTTPResponse(200, body: .json(["path": .string(request.path)]))
    }

    private static let refused = ContractCase.http(
        "connection/refused", "nobody listens: refused at once, and known to have had no effect", server: echo
    ) { client, server, _ in
        try await server.crash()
        let error = try await httpError { _ = try await client.get("/x") }
        guard case .connectionRefused = error else { throw ContractFailure("found \(error)") }
        try expect(error.hadNoEffect, "a refused connection had no effect")
    }

    private static let timeout = ContractCase.http(
        "connection/timeout", "no answer within the timeout: it may have had an effect", server: echo
    ) { client, _, _ in
        let error = try await httpError {
            _ = try await client.send(HTTPRequest(.post, "/slow"), timeout: .milliseconds(100))
        }
        try expect(error, equals: .timedOut(after: .milliseconds(100)), "error")
        try expect(!error.hadNoEffect, "a request without an answer may have had an effect")
    }

    private static let reset = ContractCase.http(
        "connection/reset", "the server dies before it answers: reset, and it may have had an effect", server: echo
    ) { client, server, clock in
        let error = try await httpError {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await client.send(HTTPRequest(.post, "/slow"), timeout: .seconds(5)) }
                group.addTask {
                    try await clock.sleep(for: .milliseconds(50))
                    try await server.crash()
                }
                try await group.waitForAll()
            }
        }
        guard case .connectionReset = error else { throw ContractFailure("found \(error)") }
        try expect(!error.hadNoEffect, "a reset may have had an effect")
    }

    private static let restart = ContractCase.http(
        "connection/restart", "a client whose server was started again goes on with new connections", server: echo
    ) { client, server, clock in
        try expect(try await client.get("/x").status, equals: 200, "before")
        try await server.crash()
        try await clock.sleep(for: .milliseconds(50))
        try await server.start()
        try expect(try await client.get("/x").status, equals: 200, "after")
    }

    private static let keepAlive = ContractCase.http(
        "connection/keep-alive", "a hundred requests one after another are each answered with their own answer",
        server: echo
    ) { client, _, _ in
        for number in 1...100 {
            try expect(try await client.get("/\(number)").json?["path"], equals: .string("/\(number)"), "path")
        }
    }

    private static let errorsKeep = ContractCase.http(
        "connection/errors-keep", "an answer that is an error leaves the client as usable as any"
    ) { request, _ in
        request.path == "/bad"
            ? ProblemDocument(400, "Invalid Request", detail: "bad").response : HTTPResponse(200, body: .json([:]))
    } script: { client, _, _ in
        for _ in 1...20 {
            try expect(try await client.post("/bad", .json(["a": 1])).status, equals: 400, "the bad one")
            try expect(try await client.get("/good").status, equals: 200, "the good one")
        }
    }

    private static let concurrency = ContractCase.http(
        "connection/concurrency", "a slow request holds up no other of the same client"
    ) { request, clock in
        let fast = StreamLog.shared(request.header("x-log") ?? "")
        if request.path == "/fast" { fast.end() }
        // A slow one ends only after the fast one has.
        for _ in 1...2_000 where !fast.hasEnded { try? await clock.sleep(for: .milliseconds(5)) }
        return HTTPResponse(200, body: .json(["path": .string(request.path), "wasFreed": .bool(fast.hasEnded)]))
    } script: { client, _, clock in
        let header = [HTTPHeader("x-log", "concurrency \(clock.now)")]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1...20 {
                group.addTask {
                    let path = "/slow/\(number)"
                    let answer = try await client.get(path, header).json
                    try expect(answer, equals: ["path": .string(path), "wasFreed": true], "answer")
                }
            }
            try await clock.sleep(for: .milliseconds(100))
            group.addTask { try expect(try await client.get("/fast", header).status, equals: 200, "the fast one") }
            try await group.waitForAll()
        }
    }

    private static let lateAnswer = ContractCase.http(
        "connection/late-answer", "an answer that comes too late is not taken for that of the next request",
        server: echo
    ) { client, _, clock in
        for number in 1...3 {
            _ = try await httpError {
                _ = try await client.send(HTTPRequest(.get, "/slow/\(number)"), timeout: .milliseconds(50))
            }
            let path = "/after/\(number)"
            try expect(try await client.get(path).json?["path"], equals: .string(path), "path")
        }
        try await clock.sleep(for: .milliseconds(1_300))
        try expect(try await client.get("/end").json?["path"], equals: "/end", "path")
    }

    private static let cancellation = ContractCase.http(
        "connection/cancellation", "a request whose task is cancelled ends at once, as cancelled", server: echo
    ) { client, _, clock in
        let start = clock.monotonicNow
        var found: (any Error)?
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await client.send(HTTPRequest(.get, "/endless"), timeout: .seconds(30)) }
                group.addTask { try await clock.sleep(for: .milliseconds(50)) }
                try await group.next()
                group.cancelAll()
                try await group.next()
            }
        } catch {
            found = error
        }
        try expect(found is CancellationError, "found \(String(describing: found))")
        let span = clock.monotonicNow - start
        try expect(span < .seconds(10), "it took \(span)")
        try expect(try await client.get("/x").status, equals: 200, "the next request")
    }
}
