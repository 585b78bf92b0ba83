import Ports
import SimCore
import Testing

@Suite("Runs that do not come to an end")
struct StandstillTests {
    @Test("A deadlock is a failure that names who waits for what")
    func deadlock() throws {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        for name in ["left", "right"] {
            simulation.addProcess(name) { context in _ = try await bus.receive(context) }
        }
        let report = simulation.run { context in
            let waiter = context.simulation.makeWaiter(context, WaitReason("the end of partition", 3))
            try await context.simulation.wait(waiter)
        }
        #expect(report.kinds == [.deadlock])
        let message = try #require(report.violations.first?.message)
        #expect(message.contains("left for a message"))
        #expect(message.contains("right for a message"))
        #expect(message.contains("driver for the end of partition 3"))
    }

    @Test("A process that is paused for ever is named in the deadlock")
    func deadlockOfPausedProcess() throws {
        let simulation = Simulation(seed: 1)
        let sleeper = simulation.addProcess("sleeper") { context in try await context.clock.sleep(for: .seconds(1)) }
        let report = simulation.run { context in
            context.simulation.pause(sleeper)
            try await context.simulation.wait(context.simulation.makeWaiter(context, WaitReason("the sleeper")))
        }
        #expect(report.kinds == [.deadlock])
        #expect(report.violations.first?.message.contains("sleeper is paused for ever") == true)
    }

    @Test("A driver that awaits something outside of the simulation is a deadlock that says so")
    func deadlockOutside() {
        let report = simulate { _ in await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in } }
        #expect(report.kinds == [.deadlock])
        #expect(report.violations.first?.message.contains("outside of it") == true)
    }

    @Test("A run that does not end within its bound on virtual time fails, naming who still waits")
    func timeLimit() {
        var settings = SimulationSettings(seed: 1)
        settings.timeLimit = .minutes(1)
        let simulation = Simulation(settings)
        simulation.addProcess("ticker") { context in
            while true { try await context.clock.sleep(for: .seconds(7)) }
        }
        let report = simulation.run { context in
            try await context.simulation.wait(context.simulation.makeWaiter(context, WaitReason("a miracle")))
        }
        #expect(report.kinds == [.timeLimit])
        let message = report.violations.first?.message ?? ""
        #expect(message.contains("60s"))
        #expect(message.contains("ticker for its clock"))
        #expect(message.contains("driver for a miracle"))
        #expect(report.virtualTime <= .minutes(1))
    }

    @Test("What ends exactly at the bound on virtual time is in time")
    func atTimeLimit() {
        var settings = SimulationSettings(seed: 1)
        settings.timeLimit = .minutes(1)
        #expect(Simulation(settings).run { try await $0.clock.sleep(for: .minutes(1)) }.held)
        #expect(
            Simulation(settings).run { try await $0.clock.sleep(for: .nanoseconds(60_000_000_001)) }.kinds == [
                .timeLimit
            ])
    }

    // MARK: Livelocks

    private static func settings(scheduling: Scheduling = .inOrder) -> SimulationSettings {
        var settings = SimulationSettings(seed: 1)
        settings.instantStepLimit = 10_000
        settings.scheduling = scheduling
        return settings
    }

    @Test("A process that sleeps for no time for ever is named as spinning")
    func spinOfSleeps() {
        let simulation = Simulation(Self.settings())
        simulation.addProcess("idle") { context in try await context.clock.sleep(for: .hours(1)) }
        simulation.addProcess("spinner") { context in
            try await context.clock.sleep(for: .seconds(3))
            while true { try await context.clock.sleep(for: .zero) }
        }
        let report = simulation.run { context in try await context.clock.sleep(for: .seconds(10)) }
        #expect(report.kinds == [.livelock])
        #expect(report.violations.first?.name == "spinner")
        #expect(report.violations.first?.at == .seconds(3))
    }

    @Test(
        "A process that yields until something happens that needs time is named as spinning",
        arguments: [.inOrder, .random] as [Scheduling])
    func spinOfYields(scheduling: Scheduling) {
        let simulation = Simulation(Self.settings(scheduling: scheduling))
        let isDone = Box(false)
        simulation.addProcess("spinner") { context in while !isDone.value { try await context.yield() } }
        simulation.addProcess("worker") { context in
            try await context.clock.sleep(for: .seconds(1))
            isDone.value = true
        }
        let report = simulation.run { context in try await context.clock.sleep(for: .seconds(10)) }
        #expect(report.kinds == [.livelock])
        #expect(report.violations.first?.name == "spinner")
    }

    @Test(
        "Two handlers that schedule each other at the same instant are a livelock, and one of their processes is named")
    func spinOfHandlers() {
        let simulation = Simulation(Self.settings())
        let (left, right) = (simulation.addProcess("left"), simulation.addProcess("right"))
        let handlers = (Echo(simulation, process: left), Echo(simulation, process: right))
        handlers.0.other = handlers.1.id
        handlers.1.other = handlers.0.id
        let report = simulation.run { context in
            context.simulation.schedule(at: context.simulation.now, handlers.0.id, code: 1)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.kinds == [.livelock])
        #expect(["left", "right"].contains(report.violations.first?.name))
    }

    @Test("Two processes that send each other messages without latency are a livelock, and one of them is named")
    func spinOfMessages() {
        let simulation = Simulation(Self.settings())
        simulation.network.state.defaultQuality = LinkQuality(latency: .constant(.zero))
        let bus = MessageBus<Int>(simulation, name: "bus")
        simulation.addProcess("ping") { context in
            try bus.send(0, from: context, to: "pong")
            while true { try bus.send(try await bus.receive(context).message, from: context, to: "pong") }
        }
        simulation.addProcess("pong") { context in
            while true { try bus.send(try await bus.receive(context).message, from: context, to: "ping") }
        }
        let report = simulation.run { context in try await context.clock.sleep(for: .seconds(1)) }
        #expect(report.kinds == [.livelock])
        #expect(["ping", "pong"].contains(report.violations.first?.name))
    }

    @Test("Who was busy at earlier instants does not hide who spins now")
    func busyBeforeSpin() {
        let simulation = Simulation(Self.settings())
        simulation.addProcess("busy") { context in
            for _ in 0..<20 {
                for _ in 0..<9_000 { try await context.clock.sleep(for: .zero) }
                try await context.clock.sleep(for: .seconds(1))
            }
        }
        simulation.addProcess("spinner") { context in
            try await context.clock.sleep(for: .minutes(1))
            while true { try await context.clock.sleep(for: .zero) }
        }
        let report = simulation.run { context in try await context.clock.sleep(for: .minutes(2)) }
        #expect(report.kinds == [.livelock])
        #expect(report.violations.first?.name == "spinner")
    }

    @Test("Many steps at one instant that come to an end are no livelock")
    func burst() {
        let simulation = Simulation(Self.settings())
        let report = simulation.run { context in
            for _ in 0..<3 {
                for _ in 0..<4_900 { try await context.clock.sleep(for: .zero) }
                try await context.clock.sleep(for: .nanoseconds(1))
            }
        }
        #expect(report.held)
    }
}

/// Answers each event with one for the other, at once.
private final class Echo: EventHandler, @unchecked Sendable {
    private unowned let simulation: Simulation
    private(set) var id: HandlerID!
    var other: HandlerID!

    init(_ simulation: Simulation, process: ProcessID) {
        self.simulation = simulation
        id = simulation.register(self, process: process)
    }

    func handle(_ event: KernelEvent) { simulation.schedule(at: simulation.now, other, code: 1) }
    func describe(_ event: KernelEvent) -> String { "echo" }
}
