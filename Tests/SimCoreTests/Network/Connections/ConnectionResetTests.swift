import Ports
import SimCore
import Testing

@Suite("Resets, lost answers and pauses of connections")
struct ConnectionResetTests {
    @Test("A reset from outside ends both ends, and what was in flight is lost")
    func resetFromOutside() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            world.send("request")
            world.answer("answer")
            try world.simulation.faults.inject("connection-reset", targets: ["server"], others: ["client"])
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines.sorted() == ["client reset", "server reset"])
        #expect(report.effectCount(of: "connection-reset") == 1)
    }

    @Test("Nothing that is written after the reset reaches the other end, although neither end knows of it yet")
    func nothingAfterReset() {
        var quality = LinkQuality(latency: LatencyDistribution(minimum: .milliseconds(1), spread: .milliseconds(50)))
        quality.loss = .percent(30)
        for seed in 1...20 as ClosedRange<UInt64> {
            let world = ConnectionWorld(seed: seed, quality: quality)
            let report = world.run { context in
                world.listen()
                world.connect()
                try await context.clock.sleep(for: .seconds(4))
                guard world.accepted != nil else { return }
                world.notes.removeAll()
                world.send("before")
                try world.simulation.faults.inject("connection-reset", targets: ["server"], others: ["client"])
                world.send("after")
                world.answer("after")
                try await context.clock.sleep(for: .minutes(1))
            }
            #expect(report.held)
            #expect(world.notes.lines.allSatisfy { !$0.contains("received") }, "seed \(seed)")
        }
    }

    @Test("A reset concerns connections between the two groups only")
    func resetOfGroups() {
        let world = ConnectionWorld()
        world.simulation.addProcess("other")
        let report = world.run { context in
            try await world.open(context)
            try world.simulation.faults.inject("connection-reset", targets: ["other"], others: ["client"])
            world.send("unharmed")
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["server received unharmed"])
        #expect(report.effectCount(of: "connection-reset") == 0)
    }

    @Test("Apply-then-fail: the server handles the request, and the client sees a reset instead of the answer")
    func applyThenFail() {
        let world = ConnectionWorld()
        world.onRequest { connection, message in
            world.transport.send("done \(message)", on: connection, from: .server)
        }
        let report = world.run { context in
            try await world.open(context)
            try world.simulation.faults.inject("apply-then-fail", targets: ["server"], others: ["client"])
            world.send("pay")
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["server received pay", "client reset", "server reset"])
        #expect(report.effectCount(of: "apply-then-fail") == 1)
    }

    @Test("Apply-then-fail loses every answer of a pipeline after the lost one: no answer is taken for another")
    func applyThenFailOfPipeline() {
        for seed in 1...20 as ClosedRange<UInt64> {
            let world = ConnectionWorld(
                seed: seed,
                quality: LinkQuality(latency: LatencyDistribution(minimum: .milliseconds(1), spread: .milliseconds(30)))
            )
            world.onRequest { connection, message in
                world.transport.send("done \(message)", on: connection, from: .server)
            }
            let report = world.run { context in
                world.listen()
                world.connect()
                try await context.clock.sleep(for: .seconds(1))
                world.notes.removeAll()
                try world.simulation.faults.inject("apply-then-fail", targets: ["server"], others: ["client"])
                for request in 1...5 { world.send("\(request)") }
                try await context.clock.sleep(for: .minutes(1))
            }
            #expect(report.held)
            #expect(world.notes.lines.contains("server received 1"))
            #expect(world.notes.lines.filter { $0.hasPrefix("client") } == ["client reset"], "seed \(seed)")
        }
    }

    @Test("Apply-then-fail takes no effect while no answer is sent, and leaves later connections alone")
    func applyThenFailWithoutAnswer() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            try world.simulation.faults.inject("apply-then-fail", targets: ["server"], others: ["client"])
            world.transport.close(world.connection, side: .client)
            try await context.clock.sleep(for: .seconds(1))
            world.connect()
            try await context.clock.sleep(for: .seconds(1))
            world.notes.removeAll()
            world.answer("unharmed")
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client received unharmed"])
        #expect(report.effectCount(of: "apply-then-fail") == 0)
    }

    @Test(
        "A paused server's machine completes handshakes; the server itself hears of all of it when it goes on, in order"
    )
    func pausedServer() {
        let world = ConnectionWorld()
        let report = world.run { context in
            world.listen()
            world.simulation.pause(world.server)
            world.connect()
            try await context.clock.sleep(for: .seconds(1))
            #expect(world.notes.lines == ["client opened"])
            for message in ["a", "b"] { world.send(message) }
            world.transport.close(world.connection, side: .client)
            try await context.clock.sleep(for: .seconds(10))
            #expect(world.notes.lines == ["client opened"])
            world.simulation.resume(world.server)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(
            world.notes.lines == [
                "client opened", "server opened", "server received a", "server received b", "server closed",
            ])
    }

    @Test("A paused client reads its answers, and hears of a reset, only when it goes on")
    func pausedClient() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            world.simulation.pause(world.client)
            world.answer("answer")
            try await context.clock.sleep(for: .seconds(1))
            world.simulation.crash(world.server)
            try await context.clock.sleep(for: .seconds(10))
            #expect(world.notes.lines.isEmpty)
            world.simulation.resume(world.client)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client received answer", "client reset"])
    }

    @Test("A paused process that crashes is dead to its peers at once")
    func crashOfPausedServer() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            world.simulation.pause(world.server)
            world.send("never read")
            try await context.clock.sleep(for: .seconds(1))
            world.simulation.crash(world.server)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client reset"])
    }

    @Test("A recorded run says in words what travels on connections")
    func describedInTrace() throws {
        var settings = SimulationSettings(seed: 1)
        settings.recordsTrace = true
        let simulation = Simulation(settings)
        let transport = Transport<String>(simulation, name: "tcp", byteCount: { $0.utf8.count }, describe: { $0 })
        let (client, server) = (simulation.addProcess("client"), simulation.addProcess("server"))
        let end = SilentEnd()
        let report = simulation.run { context in
            transport.listen(server, delegate: end)
            let connection = transport.connect(from: client, to: server, delegate: end)
            try await context.clock.sleep(for: .seconds(1))
            transport.send("hello", on: connection, from: .client)
            transport.close(connection, side: .client)
            try await context.clock.sleep(for: .seconds(1))
        }
        let words = try #require(report.trace).entries.map(\.what)
        for expected in [
            "tcp: client connects to server", "tcp: server accepts client", "tcp: client > server: hello",
            "tcp: client > server: close",
        ] { #expect(words.contains(expected), "\(expected)") }
    }
}

private final class SilentEnd: ConnectionDelegate, @unchecked Sendable {
    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {}
    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: String) {}
    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {}
}
