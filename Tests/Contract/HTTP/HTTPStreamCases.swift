import Ports

/// Event streams.
enum HTTPStreamCases {
    static let all = [
        order, lastEventID, refused, refusedWithBody, plainRequest, receiverStops, silence, brokenStream, emptyStream,
        afterStream,
        manyEvents,
    ]

    private static func event(_ number: Int) -> ServerSentEvent {
        ServerSentEvent(id: String(number), event: "order", data: ["number": .integer(Int64(number)), "text": "a\nb"])
    }

    /// Sends events after `Last-Event-ID` up to five.
    private static let five: @Sendable (HTTPRequest, any ServiceClock) async -> HTTPResponse = { request, clock in
        guard request.path == "/feed" else { return HTTPResponse(200, body: .json(["path": .string(request.path)])) }
        let last = request.header("last-event-id").flatMap { Int($0) } ?? 0
        return HTTPResponse(
            200,
            body: .events { sink in
                for number in 1...5 where number > last {
                    try await sink.send(event(number))
                    try await clock.sleep(for: .milliseconds(2))
                }
            })
    }

    private static let order = ContractCase.http(
        "stream/order", "events arrive in order with id, name and data, and the stream ends when its handler returns",
        server: five
    ) { client, _, _ in
        try expect(try await client.events("/feed"), equals: (1...5).map(event), "events")
    }

    private static let lastEventID = ContractCase.http(
        "stream/last-event-id", "Last-Event-ID reaches the handler, which goes on after it", server: five
    ) { client, _, _ in
        let events = try await client.events("/feed", [HTTPHeader("last-event-id", "3")])
        try expect(events.map(\.id), equals: ["4", "5"], "ids")
    }

    private static let refused = ContractCase.http(
        "stream/refused", "a stream that is refused ends with the status, and the request had no effect"
    ) { _, _ in
        ProblemDocument(404, "Not Found", detail: "no such order").response
    } script: { client, _, _ in
        let error = try await httpError { _ = try await client.events("/orders/subscribe/1") }
        try expect(error, equals: .status(404), "error")
        try expect(error.hadNoEffect, "a refusal had no effect")
    }

    private static let refusedWithBody = ContractCase.http(
        "stream/not-a-stream", "an answer that is no stream is not taken for one, though it is 200", server: five
    ) { client, _, _ in
        let error = try await httpError { _ = try await client.events("/something") }
        try expect(error, equals: .status(200), "error")
    }

    private static let plainRequest = ContractCase.http(
        "stream/plain-request", "asked for as a plain request, a stream gives its status and no body", server: five
    ) { client, _, _ in
        let response = try await client.get("/feed")
        try expect(response.status, equals: 200, "status")
        guard case .none = response.body else { throw ContractFailure("a body came: \(response.body)") }
        try expect(try await client.get("/x").json?["path"], equals: "/x", "the next request")
    }

    private static let receiverStops = ContractCase.http(
        "stream/receiver-stops", "a handler learns that its client is gone when it goes on sending"
    ) { request, clock in
        let log = StreamLog.shared(request.header("x-log") ?? "")
        if request.path == "/log" { return HTTPResponse(200, body: .json(["ended": .bool(log.hasEnded)])) }
        return HTTPResponse(
            200,
            body: .events { sink in
                defer { log.end() }
                for number in 1...2_000 {
                    try await sink.send(event(number))
                    try await clock.sleep(for: .milliseconds(1))
                }
            })
    } script: { client, _, clock in
        let header = [HTTPHeader("x-log", "\(clock.now)")]
        var received = 0
        try await client.receiveEvents(HTTPRequest(.get, "/feed", headers: header), idleTimeout: .seconds(5)) { _ in
            received += 1
            return received < 3
        }
        try expect(received, equals: 3, "events")
        for _ in 1...200 {
            if try await client.get("/log", header).json?["ended"] == true { return }
            try await clock.sleep(for: .milliseconds(5))
        }
        throw ContractFailure("the handler goes on writing to nobody")
    }

    private static let silence = ContractCase.http(
        "stream/silence", "a stream that says nothing for the idle timeout ends as timed out"
    ) { _, clock in
        HTTPResponse(
            200,
            body: .events { sink in
                try await sink.send(event(1))
                try await clock.sleep(for: .seconds(20))
            })
    } script: { client, _, _ in
        var received = 0
        let error = try await httpError {
            try await client.receiveEvents(HTTPRequest(.get, "/feed"), idleTimeout: .milliseconds(700)) { _ in
                received += 1
                return true
            }
        }
        try expect(received, equals: 1, "events before")
        try expect(error, equals: .timedOut(after: .milliseconds(700)), "error")
    }

    private static let brokenStream = ContractCase.http(
        "stream/broken", "a stream whose server dies ends as reset, and not as finished"
    ) { _, clock in
        HTTPResponse(
            200,
            body: .events { sink in
                for number in 1...1_000 {
                    try await sink.send(event(number))
                    try await clock.sleep(for: .milliseconds(5))
                }
            })
    } script: { client, server, _ in
        var received = 0
        let error = try await httpError {
            try await client.receiveEvents(HTTPRequest(.get, "/feed"), idleTimeout: .seconds(5)) { _ in
                received += 1
                if received == 3 { try await server.crash() }
                return true
            }
        }
        guard case .connectionReset = error else { throw ContractFailure("found \(error)") }
        try expect(!error.hadNoEffect, "a reset may have had an effect")
    }

    private static let emptyStream = ContractCase.http(
        "stream/empty", "a stream without events ends in good order"
    ) { _, _ in
        HTTPResponse(200, body: .events { _ in })
    } script: { client, _, _ in
        try expect(try await client.events("/feed"), equals: [], "events")
        try expect(try await client.events("/feed"), equals: [], "events the second time")
    }

    private static let afterStream = ContractCase.http(
        "stream/after", "after a stream has ended, requests and streams go on", server: five
    ) { client, _, _ in
        for _ in 1...3 {
            try expect(try await client.events("/feed").count, equals: 5, "events")
            try expect(try await client.get("/x").status, equals: 200, "status")
        }
    }

    private static let manyEvents = ContractCase.http(
        "stream/many", "thousands of events written at once arrive, each once and in order"
    ) { _, _ in
        HTTPResponse(200, body: .events { sink in for number in 1...3_000 { try await sink.send(event(number)) } })
    } script: { client, _, _ in
        let ids = try await client.events("/feed").map(\.id)
        try expect(ids, equals: (1...3_000).map { String($0) }, "ids")
    }
}
