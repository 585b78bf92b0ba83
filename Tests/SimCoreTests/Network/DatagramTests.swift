import Ports
import SimCore
import Testing

@Suite("Datagrams")
struct DatagramTests {
    /// Sends `count` numbered messages from `sender` to `receiver`, one each millisecond, and notes what arrives.
    static func exchange(
        count: Int = 1_000, seed: UInt64 = 1, byteCount: Int = 64, gap: Nanoseconds = .milliseconds(1),
        setUp: (Simulation) throws -> Void
    ) rethrows -> (report: RunReport, arrivals: [(message: Int, latency: Nanoseconds)]) {
        let simulation = Simulation(seed: seed)
        let bus = MessageBus<Int>(simulation, name: "bus", byteCount: { _ in byteCount })
        let sentAt = Box<[Instant]>([])
        let arrivals = Box<[(message: Int, latency: Nanoseconds)]>([])
        simulation.addProcess("sender", startsWithRun: false) { context in
            for message in 0..<count {
                sentAt.value.append(context.simulation.now)
                try bus.send(message, from: context, to: "receiver")
                if gap > .zero { try await context.clock.sleep(for: gap) }
            }
        }
        simulation.addProcess("receiver") { context in
            while true {
                let message = try await bus.receive(context).message
                arrivals.value.append((message, context.simulation.now - sentAt.value[message]))
            }
        }
        try setUp(simulation)
        let report = simulation.run { context in
            context.simulation.start(context.simulation.process(named: "sender")!)
            try await context.clock.sleep(for: .minutes(1))
        }
        return (report, arrivals.value)
    }

    static func quality(_ change: (inout LinkQuality) -> Void = { _ in }) -> LinkQuality {
        var quality = LinkQuality(latency: .constant(.milliseconds(1)))
        change(&quality)
        return quality
    }

    @Test("Every message arrives once, after the link's latency, with the name of its sender")
    func plainDelivery() {
        let simulation = Simulation(seed: 1)
        simulation.network.state.defaultQuality = Self.quality()
        let bus = MessageBus<String>(simulation, name: "bus")
        let received = Notes()
        let server = simulation.addProcess("server") { context in
            let delivery = try await bus.receive(context)
            received.add("\(delivery.message) from \(simulation.name(of: delivery.from))", context)
        }
        let report = simulation.run { context in
            try bus.send("hello", from: context, to: server)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(received.lines == ["1ms hello from driver"])
    }

    @Test("A latency lies between its minimum and minimum plus spread, and reaches near both ends")
    func latencyRange() {
        let (report, arrivals) = Self.exchange { simulation in
            simulation.network.state.defaultQuality = LinkQuality(
                latency: LatencyDistribution(minimum: .microseconds(200), spread: .microseconds(100)))
        }
        #expect(report.held)
        let latencies = arrivals.map(\.latency)
        #expect(latencies.count == 1_000)
        #expect(latencies.min()! >= .microseconds(200) && latencies.min()! < .microseconds(202))
        #expect(latencies.max()! <= .microseconds(300) && latencies.max()! > .microseconds(298))
    }

    @Test("About the given share of the messages takes the long tail's factor longer")
    func latencyTail() {
        let (_, arrivals) = Self.exchange { simulation in
            simulation.network.state.defaultQuality = LinkQuality(
                latency: LatencyDistribution(minimum: .microseconds(10), tail: .percent(10), tailFactor: 20))
        }
        let slow = arrivals.filter { $0.latency == .microseconds(200) }.count
        #expect((70...130).contains(slow))
        #expect(arrivals.filter { $0.latency == .microseconds(10) }.count == 1_000 - slow)
    }

    @Test("About the given share of the messages is lost, and no other")
    func loss() {
        let (_, arrivals) = Self.exchange { $0.network.state.defaultQuality = Self.quality { $0.loss = .percent(20) } }
        #expect((750...850).contains(arrivals.count))
        #expect(Set(arrivals.map(\.message)).count == arrivals.count)
    }

    @Test("About the given share of the messages arrives twice")
    func duplication() {
        let (_, arrivals) = Self.exchange {
            $0.network.state.defaultQuality = Self.quality { $0.duplication = .percent(20) }
        }
        #expect(Set(arrivals.map(\.message)).count == 1_000)
        #expect((1_150...1_250).contains(arrivals.count))
    }

    @Test("Messages that are held back are overtaken, and none is lost")
    func reordering() {
        let (_, arrivals) = Self.exchange {
            $0.network.state.defaultQuality = Self.quality {
                $0.reordering = .percent(20)
                $0.reorderingDelay = .milliseconds(10)
            }
        }
        let messages = arrivals.map(\.message)
        #expect(messages.sorted() == Array(0..<1_000))
        #expect(zip(messages, messages.dropFirst()).filter { $0 > $1 }.count > 50)
        #expect(arrivals.allSatisfy { $0.latency <= .milliseconds(11) })
    }

    @Test("Without loss, duplication and reordering, constant latency keeps messages in order")
    func inOrder() {
        let (_, arrivals) = Self.exchange { $0.network.state.defaultQuality = Self.quality() }
        #expect(arrivals.map(\.message) == Array(0..<1_000))
    }

    @Test("Messages queue for a link of limited bandwidth: the n-th has n transmission times to wait")
    func bandwidth() {
        let (_, arrivals) = Self.exchange(count: 10, byteCount: 1_000, gap: .zero) {
            $0.network.state.defaultQuality = Self.quality { $0.bandwidthBytesPerSecond = 1_000_000 }
        }
        #expect(arrivals.map(\.latency) == (1...10).map { .milliseconds(1 + Int64($0)) })
    }

    @Test("A link's queue drains while nothing is sent")
    func bandwidthDrains() {
        let (_, arrivals) = Self.exchange(count: 10, byteCount: 1_000, gap: .milliseconds(5)) {
            $0.network.state.defaultQuality = Self.quality { $0.bandwidthBytesPerSecond = 1_000_000 }
        }
        #expect(arrivals.allSatisfy { $0.latency == .milliseconds(2) })
    }

    @Test("The copy of a doubled message does not arrive before the link could have carried it")
    func duplicateOverBandwidth() {
        let (_, arrivals) = Self.exchange(count: 10, byteCount: 1_000, gap: .zero) {
            $0.network.state.defaultQuality = Self.quality {
                $0.bandwidthBytesPerSecond = 1_000_000
                $0.duplication = .always
            }
        }
        #expect(arrivals.count == 20)
        #expect(arrivals.allSatisfy { $0.latency >= .milliseconds(2 + Int64($0.message)) })
    }

    @Test("A quality of one direction of one link leaves the way back and other links alone")
    func ownQuality() {
        let simulation = Simulation(seed: 1)
        simulation.network.state.defaultQuality = Self.quality()
        let bus = MessageBus<Int>(simulation, name: "bus")
        let notes = Notes()
        let server = simulation.addProcess("server") { context in
            while true {
                let delivery = try await bus.receive(context)
                notes.add("request", context)
                try bus.send(0, from: context, to: delivery.from)
            }
        }
        let client = simulation.addProcess("client") { context in
            try bus.send(0, from: context, to: server)
            _ = try await bus.receive(context)
            notes.add("answer", context)
        }
        simulation.network.state.setQuality(LinkQuality(latency: .constant(.seconds(1))), from: client, to: server)
        let report = simulation.run { context in try await context.clock.sleep(for: .minutes(1)) }
        #expect(report.held)
        #expect(notes.lines == ["1s request", "1.001s answer"])
    }

    @Test(
        "A message for a process that is down is lost; one that arrives after its restart reaches the new incarnation")
    func receiverDown() {
        let simulation = Simulation(seed: 1)
        simulation.network.state.defaultQuality = LinkQuality(latency: .constant(.seconds(1)))
        let bus = MessageBus<Int>(simulation, name: "bus")
        let received = Notes()
        let worker = simulation.addProcess("worker") { context in
            while true { received.add("\(context.incarnation): \(try await bus.receive(context).message)") }
        }
        let report = simulation.run { context in
            simulation.crash(worker)
            try bus.send(1, from: context, to: worker)
            try await context.clock.sleep(for: .milliseconds(1_500))
            try bus.send(2, from: context, to: worker)
            simulation.start(worker)
            try await context.clock.sleep(for: .seconds(5))
        }
        #expect(report.held)
        #expect(received.lines == ["2: 2"])
    }

    @Test("What lies unread in a mailbox is gone with the incarnation")
    func mailboxOfCrashedProcess() {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let received = Notes()
        let worker = simulation.addProcess("worker") { context in
            if context.incarnation == 1 { try await context.clock.sleep(for: .hours(1)) }
            while true { received.add("\(try await bus.receive(context).message)") }
        }
        let report = simulation.run { context in
            try bus.send(1, from: context, to: worker)
            try await context.clock.sleep(for: .seconds(1))
            simulation.crash(worker)
            simulation.start(worker)
            try bus.send(2, from: context, to: worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(received.lines == ["2"])
    }

    @Test("A receive with a timeout that passes gets nothing, and leaves the next message for the next receive")
    func receiveTimeout() {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let received = Box<[Int?]>([])
        let worker = simulation.addProcess("worker") { context in
            for _ in 0..<3 { received.value.append(try await bus.receive(context, timeout: .seconds(1))?.message) }
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .milliseconds(1_500))
            try bus.send(1, from: context, to: worker)
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(received.value == [nil, 1, nil])
    }

    @Test("A receive that is cancelled takes no message with it")
    func cancelledReceive() {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let received = Notes()
        let worker = simulation.addProcess("worker") { context in
            do {
                _ = try await context.clock.withTimeout(.seconds(1)) { try await bus.receive(context) }
            } catch { received.add("\(error is TimeoutError)", context) }
            received.add("\(try await bus.receive(context).message)")
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(2))
            try bus.send(1, from: context, to: worker)
            try await context.clock.sleep(for: .seconds(2))
        }
        #expect(report.held)
        #expect(received.lines == ["1s true", "1"])
    }

    @Test("The draws of a link follow from the names of its ends, not from how many processes there are")
    func linkDrawsByName() {
        func latencies(extraProcesses: Int) -> [Nanoseconds] {
            let simulation = Simulation(seed: 1)
            for index in 0..<extraProcesses { simulation.addProcess("extra-\(index)") }
            let bus = MessageBus<Int>(simulation, name: "bus")
            let latencies = Box<[Nanoseconds]>([])
            simulation.addProcess("worker") { context in
                while true {
                    _ = try await bus.receive(context)
                    latencies.value.append(simulation.now - .epoch)
                }
            }
            let report = simulation.run { context in
                for _ in 0..<20 { try bus.send(0, from: context, to: "worker") }
                try await context.clock.sleep(for: .minutes(1))
            }
            #expect(report.held)
            return latencies.value
        }
        #expect(latencies(extraProcesses: 0) == latencies(extraProcesses: 40))
    }
}
