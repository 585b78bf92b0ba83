import AllocationCounter
import Ports
import SimCore
import Testing

@Suite("What a run allocates", .enabled(if: allocation_counter_works() == 1, "allocations are counted with glibc only"))
struct AllocationTests {
    /// What a thread has allocated, looked at twice: when a run has come to its stride, and at its end.
    final class Meter: @unchecked Sendable {
        private let first: Int
        private let last: Int
        private var seen = 0
        private var start: (count: UInt64, bytes: Int64) = (0, 0)
        private(set) var allocationCount: UInt64?
        private(set) var growthBytes: Int64?

        /// Looks after so many events.
        init(from first: Int, to last: Int) { (self.first, self.last) = (first, last) }

        func countEvent() {
            seen += 1
            if seen == first { start = (allocation_count(), allocated_bytes()) }
            if seen == last {
                growthBytes = allocated_bytes() - start.bytes
                allocationCount = allocation_count() - start.count
            }
        }
    }

    /// Schedules itself again and again, 1 to 65,536 microseconds later.
    private final class Ticker: EventHandler {
        private unowned let simulation: Simulation
        private let meter: Meter
        private var handler: HandlerID!
        private var random: SplitMix64

        init(_ simulation: Simulation, seed: UInt64, _ meter: Meter) {
            self.simulation = simulation
            self.meter = meter
            random = SplitMix64(seed: seed)
            handler = simulation.register(self)
            scheduleNext()
        }

        private func scheduleNext() {
            simulation.schedule(
                at: simulation.now + .microseconds(Int64(random.next(below: 65_536)) + 1), handler, code: 1)
        }

        func handle(_ event: KernelEvent) {
            meter.countEvent()
            scheduleNext()
        }

        func describe(_ event: KernelEvent) -> String { "tick" }
    }

    /// A hundred handlers that schedule themselves, until so many events have come.
    private static func tick(_ meter: Meter, recordsTrace: Bool = false) -> RunReport {
        var settings = SimulationSettings(seed: 1)
        settings.recordsTrace = recordsTrace
        let simulation = Simulation(settings)
        let tickers = (0..<100).map { Ticker(simulation, seed: UInt64($0), meter) }
        return withExtendedLifetime(tickers) {
            simulation.run { context in
                while meter.growthBytes == nil { try await context.sleep(for: .seconds(1)) }
            }
        }
    }

    @Test("The counter counts: one allocation is one, and freeing it gives its bytes back")
    func counterCounts() {
        let before = (allocation_count(), allocated_bytes())
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 1_000, alignment: 16)
        let between = (allocation_count(), allocated_bytes())
        memory.deallocate()
        #expect(between.0 - before.0 == 1)
        #expect(between.1 - before.1 >= 1_000)
        #expect(allocated_bytes() == before.1)
    }

    @Test("A kernel event allocates nothing: not scheduling it, not dispatching it")
    func eventAllocatesNothing() {
        // Once the queue has grown to the most events pending.
        let meter = Meter(from: 20_000, to: 60_000)
        let report = Self.tick(meter)
        #expect(report.held)
        // The driver sleeps a few dozen times meanwhile, which is not an event's cost; nothing else may allocate.
        #expect(meter.allocationCount! < 100, "\(meter.allocationCount!) allocations in 40,000 events")
        #expect(report.eventCount >= 60_000)
    }

    @Test("A run's memory does not grow with the events that it has dispatched, unless it records them")
    func memoryDoesNotGrow() {
        let plain = Meter(from: 20_000, to: 60_000)
        #expect(Self.tick(plain).held)
        #expect(plain.growthBytes! < 4_096)
        let recording = Meter(from: 20_000, to: 60_000)
        #expect(Self.tick(recording, recordsTrace: true).held)
        #expect(recording.growthBytes! > 1_000_000)
    }

    @Test("Sleeping and receiving again and again does not make a run's memory grow")
    func memoryOfTasksDoesNotGrow() {
        let meter = Meter(from: 5_000, to: 20_000)
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        for pair in 0..<10 {
            simulation.addProcess("server-\(pair)") { context in
                while true {
                    let request = try await bus.receive(context)
                    try bus.send(request.message, from: context, to: request.from)
                }
            }
            simulation.addProcess("client-\(pair)") { context in
                while true {
                    try bus.send(pair, from: context, to: "server-\(pair)")
                    _ = try await bus.receive(context, timeout: .seconds(1))
                    try await context.sleep(for: .milliseconds(1))
                    meter.countEvent()
                }
            }
        }
        let report = simulation.run { context in
            while meter.growthBytes == nil { try await context.sleep(for: .milliseconds(100)) }
        }
        #expect(report.held)
        #expect(meter.growthBytes! < 4_096)
    }

    @Test("A mailbox that never runs empty does not keep what was taken from it")
    func memoryOfBusyMailboxDoesNotGrow() {
        let meter = Meter(from: 5_000, to: 40_000)
        let simulation = Simulation(seed: 1)
        simulation.network.state.defaultQuality = LinkQuality(latency: .constant(.milliseconds(1)))
        let bus = MessageBus<Int>(simulation, name: "bus")
        let receiver = simulation.addProcess("receiver") { context in
            try await context.sleep(for: .milliseconds(500))
            while true {
                _ = try await bus.receive(context)
                meter.countEvent()
                try await context.sleep(for: .milliseconds(1))
            }
        }
        let report = simulation.run { context in
            while meter.growthBytes == nil {
                try bus.send(1, from: context, to: receiver)
                try await context.sleep(for: .milliseconds(1))
            }
        }
        #expect(report.held)
        #expect(meter.growthBytes! < 8_192)
    }

    @Test(
        "Nothing is left of a task that has ended, whatever the scheduling",
        arguments: [.inOrder, .random, .priorities(depth: 3, stepCount: 1_000)] as [Scheduling])
    func memoryOfEndedTasksDoesNotGrow(scheduling: Scheduling) {
        let meter = Meter(from: 1_000, to: 11_000)
        let report = simulate(scheduling: scheduling) { context in
            while meter.growthBytes == nil {
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<10 { group.addTask { meter.countEvent() } }
                }
            }
        }
        #expect(report.held)
        #expect(meter.growthBytes! < 16_384)
    }

    @Test("Nothing is left of an incarnation that has ended", arguments: [.inOrder, .random] as [Scheduling])
    func memoryOfEndedIncarnationsDoesNotGrow(scheduling: Scheduling) {
        let meter = Meter(from: 500, to: 5_500)
        var settings = SimulationSettings(seed: 1)
        settings.scheduling = scheduling
        let simulation = Simulation(settings)
        let worker = simulation.addProcess("worker") { _ in meter.countEvent() }
        let report = simulation.run { context in
            while meter.growthBytes == nil {
                try await context.sleep(for: .milliseconds(1))
                simulation.start(worker)
            }
        }
        #expect(report.held)
        #expect(meter.growthBytes! < 8_192)
    }
}
