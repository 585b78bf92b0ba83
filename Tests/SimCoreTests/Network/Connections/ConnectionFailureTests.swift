import Ports
import SimCore
import Testing

@Suite("Connections that break")
struct ConnectionFailureTests {
    // MARK: Connecting

    @Test("Where nobody listens, a connection is refused after a round trip")
    func refused() {
        let world = ConnectionWorld()
        let report = world.run { context in
            world.connect()
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client refused"])
        #expect(world.notes.times == [.epoch + .milliseconds(2)])
    }

    @Test("A process that has crashed, and one that stopped listening, refuse connections")
    func refusedByCrashed() {
        for crashes in [true, false] {
            let world = ConnectionWorld()
            let report = world.run { context in
                world.listen()
                if crashes { world.simulation.crash(world.server) } else { world.transport.stopListening(world.server) }
                world.connect()
                try await context.clock.sleep(for: .minutes(1))
            }
            #expect(report.held)
            #expect(world.notes.lines == ["client refused"])
        }
    }

    @Test("Under a partition, connecting goes on until the connect timeout", arguments: ["partition", "host-crash"])
    func connectTimeout(fault: String) {
        let world = ConnectionWorld()
        let report = world.run { context in
            world.listen()
            try world.simulation.faults.inject(
                fault, targets: ["server"], parameters: fault == "partition" ? [:] : ["restart_after": 60_000])
            world.connect()
            try await context.clock.sleep(for: .seconds(30))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client timedOut"])
        #expect(world.notes.times == [.epoch + .seconds(5)])
    }

    @Test("A partition that cuts only the way back lets the server accept, and both ends hear of the failure")
    func connectUnderOneWayPartition() {
        let world = ConnectionWorld()
        let report = world.run { context in
            world.listen()
            try world.simulation.faults.inject("partition-one-way", targets: ["server"], others: ["client"])
            world.connect()
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines.prefix(2) == ["server opened", "client timedOut"])
        #expect(world.notes.lines.count == 3)
        #expect(!world.transport.isOpen(world.connection, .server))
    }

    @Test(
        "A partition shorter than the connect timeout delays the handshake: its packets are sent again",
        arguments: ["partition", "partition-one-way"], ["client", "server"])
    func shortPartitionWhileConnecting(kind: String, target: String) {
        let world = ConnectionWorld()
        let report = world.run { context in
            world.listen()
            let fault = try world.simulation.faults.inject(
                kind, targets: [target], others: [target == "client" ? "server" : "client"])
            world.connect()
            try await context.clock.sleep(for: .milliseconds(300))
            world.simulation.faults.heal(fault)
            try await context.clock.sleep(for: .minutes(1))
            #expect(world.transport.isOpen(world.connection, .client))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["server opened", "client opened"])
        #expect(world.notes.times.last.map { $0 < .epoch + .seconds(3) } == true)
    }

    @Test("A server that crashes while a client connects never leaves the client without an answer")
    func crashWhileConnecting() {
        for (microseconds, hostDown, expected) in [
            (500, false, "client refused"), (500, true, "client timedOut"), (1_500, false, "client reset"),
            (1_500, true, "client timedOut"),
        ] as [(Int64, Bool, String)] {
            let world = ConnectionWorld()
            let report = world.run { context in
                world.listen()
                world.connect()
                try await context.clock.sleep(for: .microseconds(microseconds))
                world.simulation.crash(world.server, hostDown: hostDown)
                try await context.clock.sleep(for: .minutes(1))
            }
            #expect(report.held)
            #expect(world.notes.lines.filter { $0.hasPrefix("client") } == [expected], "\(microseconds) \(hostDown)")
        }
    }

    // MARK: Crashes of an open connection

    @Test("A process that dies resets its connections; its machine answers for it")
    func resetByCrash() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            world.simulation.crash(world.server)
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client reset"])
        #expect(world.notes.times == [.epoch + .milliseconds(11)])
    }

    @Test("What was on its way to a process that dies is lost, and its sender hears of a reset, not of the loss")
    func dataLostInFlight() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            #expect(world.send("lost"))
            world.simulation.crash(world.server)
            world.simulation.start(world.server)
            world.listen()
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client reset"])
    }

    @Test("A machine that dies says nothing: the connection is half-open until it is written to, which times out")
    func halfOpenThenTimedOut() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            world.simulation.crash(world.server, hostDown: true)
            try await context.clock.sleep(for: .hours(1))
            #expect(world.notes.lines.isEmpty)
            #expect(world.transport.isOpen(world.connection, .client))
            let start = context.simulation.now
            world.send("anybody there?")
            try await context.clock.sleep(for: .minutes(1))
            #expect(world.notes.times.map { $0 - start >= .seconds(15) && $0 - start < .seconds(18) } == [true])
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client timedOut"])
    }

    @Test("A machine that died and came back answers what belongs to an old connection with a reset")
    func halfOpenThenReset() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            world.simulation.crash(world.server, hostDown: true)
            try await context.clock.sleep(for: .seconds(10))
            world.simulation.start(world.server)
            world.listen()
            try await context.clock.sleep(for: .seconds(10))
            #expect(world.notes.lines.isEmpty)
            world.send("still there?")
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client reset"])
    }

    @Test("A machine that died does not send again what it had sent, not even after it came back")
    func nothingFromBeforeTheCrash() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            world.answer("from the old life")
            world.simulation.crash(world.server, hostDown: true)
            try await context.clock.sleep(for: .seconds(1))
            world.simulation.start(world.server)
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines.allSatisfy { $0 != "client received from the old life" })
    }

    // MARK: Partitions of an open connection

    @Test("A partition that ends in time delays what was sent under it, and keeps its order")
    func shortPartition() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            world.send("before")
            let fault = try world.simulation.faults.inject("partition", targets: ["server"])
            for message in ["one", "two", "three"] {
                world.send(message)
                try await context.clock.sleep(for: .milliseconds(500))
            }
            world.simulation.faults.heal(fault)
            try await context.clock.sleep(for: .milliseconds(1))
            world.send("after")
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["before", "one", "two", "three", "after"].map { "server received \($0)" })
    }

    @Test("A partition that outlasts the connection timeout ends the connection of the side that wrote")
    func longPartition() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            try world.simulation.faults.inject("partition", targets: ["server"])
            let start = context.simulation.now
            world.send("lost")
            try await context.clock.sleep(for: .minutes(1))
            #expect(world.notes.times.map { $0 - start >= .seconds(15) && $0 - start < .seconds(18) } == [true])
            #expect(world.transport.isOpen(world.connection, .server))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client timedOut"])
    }

    @Test("After a partition has ended one side, the other side's next write comes back as a reset")
    func otherSideOfLongPartition() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            let fault = try world.simulation.faults.inject("partition", targets: ["server"])
            world.send("lost")
            try await context.clock.sleep(for: .minutes(1))
            world.simulation.faults.heal(fault)
            world.answer("hello?")
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client timedOut", "server reset"])
    }

    @Test("A connection over which nobody writes survives any partition")
    func idleThroughPartition() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            let fault = try world.simulation.faults.inject("partition", targets: ["server"])
            try await context.clock.sleep(for: .hours(1))
            world.simulation.faults.heal(fault)
            world.send("good morning")
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["server received good morning"])
    }

    @Test("A process that dies under a partition is found out by the first write after it")
    func crashUnderPartition() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            let fault = try world.simulation.faults.inject("partition", targets: ["server"])
            world.answer("never sent again")
            try await context.clock.sleep(for: .seconds(1))
            world.simulation.crash(world.server)
            try await context.clock.sleep(for: .seconds(1))
            world.simulation.faults.heal(fault)
            try await context.clock.sleep(for: .minutes(1))
            #expect(world.notes.lines.isEmpty)
            world.send("hello?")
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(world.notes.lines == ["client reset"])
    }

    @Test("A slow node stretches a message's way and not the sender's wait for the next attempt")
    func slowLinkKeepsTheRetransmissionTimeout() {
        let world = ConnectionWorld()
        let report = world.run { context in
            try await world.open(context)
            // Up to six attempts are lost, 0.2 s to 6.4 s apart: 12.6 s at most; then a thousand times one millisecond.
            try context.simulation.faults.inject("loss", targets: ["client"], parameters: ["probability": 900_000])
            try context.simulation.faults.inject("slow-node", targets: ["client"], parameters: ["factor": 1_000])
            world.send("late")
            try await context.clock.sleep(for: .seconds(14))
            #expect(world.notes.lines == ["server received late"])
        }
        #expect(report.held, "\(report.violations)")
    }
}
