import Ports
import SimCore
import Testing

@Suite("Connections while nothing goes wrong")
struct ConnectionTests {
    @Test("A handshake takes a round trip, and the server hears of it half way")
    func handshake() {
        let world = ConnectionWorld()
        let report = world.run { context in
            world.listen()
            world.connect()
            try await context.clock.sleep(for: .seconds(1))
            #expect(world.transport.isOpen(world.connection, .client))
            #expect(world.transport.isOpen(world.connection, .server))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["server opened", "client opened"])
        #expect(world.notes.times == [.epoch + .milliseconds(1), .epoch + .milliseconds(2)])
    }

    @Test(
        "Messages arrive in order and once, both ways, whatever the link does to datagrams",
        arguments: 1...5 as ClosedRange<UInt64>)
    func inOrder(seed: UInt64) {
        var quality = LinkQuality(latency: LatencyDistribution(minimum: .milliseconds(1), spread: .milliseconds(20)))
        quality.loss = .percent(20)
        quality.duplication = .percent(30)
        quality.reordering = .percent(30)
        let world = ConnectionWorld(seed: seed, quality: quality)
        world.onRequest { connection, message in
            world.transport.send("answer to \(message)", on: connection, from: .server)
        }
        let report = world.run { context in
            context.simulation.network.connectTimeout = .hours(1)
            world.listen()
            world.connect()
            try await context.clock.sleep(for: .minutes(10))
            world.notes.removeAll()
            for message in 0..<100 {
                world.send("\(message)")
                try await context.clock.sleep(for: .milliseconds(1))
            }
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        let received = world.notes.lines.filter { $0.hasPrefix("server") }
        let answers = world.notes.lines.filter { $0.hasPrefix("client") }
        #expect(received == (0..<100).map { "server received \($0)" })
        #expect(answers == (0..<100).map { "client received answer to \($0)" })
    }

    @Test("A lost segment is sent again after the retransmission timeout, which doubles: loss costs time, not data")
    func lossCostsTime() {
        var quality = LinkQuality(latency: .constant(.milliseconds(1)))
        quality.loss = .percent(50)
        let world = ConnectionWorld(quality: quality)
        let latencies = Box<[Nanoseconds]>([])
        let report = world.run { context in
            world.listen()
            world.connect()
            while !world.transport.isOpen(world.connection, .client) { try await context.clock.sleep(for: .seconds(1)) }
            world.notes.removeAll()
            for message in 0..<100 {
                let sentAt = context.simulation.now
                world.send("\(message)")
                try await context.clock.sleep(for: .minutes(5))
                latencies.value.append(world.notes.times.last! - sentAt)
            }
        }
        #expect(report.held)
        // 1 ms, and 200 ms, 400 ms, 800 ms ... for one, two, three losses in a row.
        let possible = Set((0..<12).map { Nanoseconds.milliseconds(1 + 200 * ((1 << $0) - 1)) })
        #expect(latencies.value.allSatisfy(possible.contains))
        #expect((30...70).contains(latencies.value.filter { $0 == .milliseconds(1) }.count))
        #expect(latencies.value.contains { $0 > .milliseconds(601) })
    }

    @Test("A link that loses every segment stalls a connection: each segment is lost six times, and gets through then")
    func everySegmentLost() {
        var quality = LinkQuality(latency: .constant(.milliseconds(1)))
        quality.loss = .percent(100)
        let world = ConnectionWorld(quality: quality)
        world.simulation.network.retransmissionTimeout = .milliseconds(100)
        world.simulation.network.connectTimeout = .minutes(1)
        let report = world.run { context in
            world.listen()
            world.connect()
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        // A hundred milliseconds, doubled five times, and the way itself.
        #expect(world.notes.lines.first == "server opened")
        #expect(world.notes.times.first == .epoch + .milliseconds(6_301))
    }

    @Test("The messages of a connection queue for the link's bandwidth")
    func bandwidth() {
        var quality = LinkQuality(latency: .constant(.milliseconds(1)))
        quality.bandwidthBytesPerSecond = 1_000_000
        let world = ConnectionWorld(quality: quality)
        let report = world.run { context in
            try await world.open(context)
            let start = context.simulation.now
            for _ in 0..<5 { world.send(String(repeating: "x", count: 10_000)) }
            try await context.clock.sleep(for: .seconds(1))
            #expect(world.notes.times.map { $0 - start } == (1...5).map { .milliseconds(1 + 10 * Int64($0)) })
        }
        #expect(report.held)
    }

    @Test("Closing delivers what was sent before, then the end; the closing side hears nothing more")
    func close() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            for message in ["a", "b", "c"] { world.send(message) }
            world.transport.close(world.connection, side: .client)
            #expect(!world.send("d"))
            #expect(!world.transport.isOpen(world.connection, .client))
            try await context.clock.sleep(for: .seconds(1))
            #expect(!world.transport.isOpen(world.connection, .server))
        }
        #expect(report.held)
        #expect(
            world.notes.lines == ["server received a", "server received b", "server received c", "server closed"])
    }

    @Test("What was sent to an end that has closed is lost, and comes back as a reset")
    func writeToClosed() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            world.transport.close(world.connection, side: .client)
            world.answer("too late")
            try await context.clock.sleep(for: .milliseconds(1) + .nanoseconds(1))
            #expect(world.notes.lines == ["server closed"])
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["server closed"])
    }

    @Test("Closing twice, or what is over, does nothing")
    func closeTwice() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            for _ in 0..<2 { world.transport.close(world.connection, side: .client) }
            try await context.clock.sleep(for: .seconds(1))
            world.transport.close(world.connection, side: .server)
            world.transport.close(world.connection, side: .client)
        }
        #expect(report.held)
        #expect(world.notes.lines == ["server closed"])
    }

    @Test("The name of a connection that is over never means a later one")
    func staleConnection() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            let first = world.connection!
            world.transport.close(first, side: .client)
            try await context.clock.sleep(for: .seconds(1))
            let second = world.connect()
            try await context.clock.sleep(for: .seconds(1))
            world.notes.removeAll()
            #expect(first != second && first.number != second.number)
            #expect(!world.transport.send("stale", on: first, from: .client))
            world.transport.close(first, side: .client)
            world.send("fresh")
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["server received fresh"])
    }

    @Test(
        "A server may speak first: its greeting comes after the client has heard that it is connected",
        arguments: 1...20 as ClosedRange<UInt64>)
    func greeting(seed: UInt64) {
        let world = ConnectionWorld(
            seed: seed,
            quality: LinkQuality(latency: LatencyDistribution(minimum: .milliseconds(1), spread: .milliseconds(9))))
        world.onAccept { connection in
            world.transport.send("welcome", on: connection, from: .server)
            world.transport.send("to this", on: connection, from: .server)
        }
        let report = world.run { context in
            world.listen()
            world.connect()
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(
            world.notes.lines == [
                "server opened", "client opened", "client received welcome", "client received to this",
            ])
    }

    @Test("A server may close at once: the client is connected, receives what was said, and hears of the end")
    func closedAtAccept() {
        let world = ConnectionWorld()
        world.onAccept { connection in
            world.transport.send("too many", on: connection, from: .server)
            world.transport.close(connection, side: .server)
        }
        let report = world.run { context in
            world.listen()
            world.connect()
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["server opened", "client opened", "client received too many", "client closed"])
    }

    @Test("A client that closes while it connects hears nothing more; a server that has accepted hears of a reset")
    func closedWhileConnecting() {
        let world = ConnectionWorld()
        let report = world.run { context in
            world.listen()
            world.connect()
            try await context.clock.sleep(for: .microseconds(1_500))
            world.transport.close(world.connection, side: .client)
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["server opened", "server reset"])
    }

    @Test("A process whose main function returns has its connections closed in order, and refuses new ones")
    func finishedProcess() {
        let world = ConnectionWorld()
        let other = world.simulation.addProcess("worker", startsWithRun: false) { context in
            world.connect()
            try await context.clock.sleep(for: .seconds(1))
            world.send("last words")
        }
        #expect(world.simulation.name(of: other) == "worker")
        let end = FinishingEnd(world.notes)
        let report = world.run { context in
            world.listen()
            context.simulation.start(other)
            let connection = world.transport.connect(from: other, to: world.server, delegate: end)
            try await context.clock.sleep(for: .milliseconds(500))
            world.transport.send("hello", on: connection, from: .client)
            try await context.clock.sleep(for: .minutes(1))
            #expect(!world.transport.isOpen(connection, .client))
        }
        #expect(report.held)
        #expect(world.notes.lines.filter { $0 == "server closed" }.count == 1)
        #expect(world.notes.lines.contains("server received hello"))
    }
}

private final class FinishingEnd: ConnectionDelegate, @unchecked Sendable {
    private let notes: Notes

    init(_ notes: Notes) { self.notes = notes }

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {}
    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: String) {}
    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        notes.add("worker \(end)")
    }
}
