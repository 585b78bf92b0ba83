import Ports
import SimCore

/// The kernel's own figures: the same work as other simulators are measured on.
enum KernelBenchmarks {
    /// Tasks that sleep a random 1 to 65,536 microseconds again and again; nanoseconds per sleep.
    static func timers(processCount: Int, sleepCount: Int) -> Benchmark {
        Benchmark(name: "timers-\(processCount)", operationCount: sleepCount) {
            let simulation = Simulation(seed: 1)
            let perProcess = sleepCount / processCount
            let remaining = Counter(processCount)
            for index in 0..<processCount {
                simulation.addProcess("sleeper-\(index)") { context in
                    var random = SplitMix64(seed: UInt64(index))
                    for _ in 0..<perProcess {
                        try await context.sleep(for: .microseconds(Int64(random.next(below: 65_536)) + 1))
                    }
                    remaining.value -= 1
                    if remaining.value == 0 { remaining.wake(context.simulation) }
                }
            }
            return simulation.run { context in try await remaining.waitForZero(context) }
        }
    }

    /// Typed events on the same pattern: each schedules the next; nanoseconds per event.
    static func events(handlerCount: Int, eventCount: Int) -> Benchmark {
        Benchmark(name: "events-\(handlerCount)", operationCount: eventCount) {
            let simulation = Simulation(seed: 1)
            let remaining = Counter(handlerCount)
            let tickers = (0..<handlerCount).map {
                Ticker(simulation, seed: UInt64($0), count: eventCount / handlerCount, remaining: remaining)
            }
            return withExtendedLifetime(tickers) {
                simulation.run { context in try await remaining.waitForZero(context) }
            }
        }
    }

    /// Pairs of processes that exchange messages over a network of 1 ms latency; nanoseconds per message.
    static func pingPong(pairCount: Int, roundTripCount: Int) -> Benchmark {
        Benchmark(name: "pingpong-\(pairCount)", operationCount: roundTripCount * 2) {
            let simulation = Simulation(seed: 1)
            simulation.network.state.defaultQuality = LinkQuality(latency: .constant(.milliseconds(1)))
            let bus = MessageBus<UInt64>(simulation, name: "bus", byteCount: { _ in 8 })
            let remaining = Counter(pairCount)
            for pair in 0..<pairCount {
                let server = simulation.addProcess("server-\(pair)") { context in
                    while true {
                        let request = try await bus.receive(context)
                        try bus.send(request.message, from: context, to: request.from)
                    }
                }
                simulation.addProcess("client-\(pair)") { context in
                    for round in 0..<roundTripCount / pairCount {
                        try bus.send(UInt64(round), from: context, to: server)
                        _ = try await bus.receive(context)
                    }
                    remaining.value -= 1
                    if remaining.value == 0 { remaining.wake(context.simulation) }
                }
            }
            return simulation.run { context in try await remaining.waitForZero(context) }
        }
    }

    /// Many runs of tasks with scheduling points under a policy; nanoseconds per scheduling point, set-up included.
    static func explore(_ name: String, _ scheduling: Scheduling, taskCount: Int, stepCount: Int, runCount: Int)
        -> Benchmark
    {
        Benchmark(name: "explore-\(name)-\(taskCount)", operationCount: taskCount * stepCount * runCount) {
            var last: RunReport?
            for run in 0..<runCount {
                var settings = SimulationSettings(seed: UInt64(run))
                settings.scheduling = scheduling
                let simulation = Simulation(settings)
                last = simulation.run { context in
                    await withTaskGroup(of: Void.self) { group in
                        for _ in 0..<taskCount {
                            group.addTask {
                                for _ in 0..<stepCount { await context.simulation.yieldToReadyTasks() }
                            }
                        }
                    }
                }
            }
            return last!
        }
    }
}

/// One measured piece of work.
struct Benchmark: Sendable {
    let name: String
    let operationCount: Int
    let run: @Sendable () throws -> RunReport
}

/// Counts down on the simulation's own thread, and lets the driver wait for the end.
final class Counter: @unchecked Sendable {
    var value: Int
    private var waiter: WaiterID?

    init(_ value: Int) { self.value = value }

    func waitForZero(_ context: ProcessContext) async throws {
        guard value > 0 else { return }
        let waiter = context.simulation.makeWaiter(context, WaitReason("the benchmark's end"))
        self.waiter = waiter
        try await context.simulation.wait(waiter)
    }

    func wake(_ simulation: Simulation) {
        if let waiter { simulation.wake(waiter) }
    }
}

/// A handler that schedules itself again and again.
final class Ticker: EventHandler {
    private unowned let simulation: Simulation
    private var handler: HandlerID!
    private var random: SplitMix64
    private var left: Int
    private let remaining: Counter

    init(_ simulation: Simulation, seed: UInt64, count: Int, remaining: Counter) {
        self.simulation = simulation
        self.remaining = remaining
        random = SplitMix64(seed: seed)
        left = count
        handler = simulation.register(self)
        scheduleNext()
    }

    private func scheduleNext() {
        simulation.schedule(
            at: simulation.now + .microseconds(Int64(random.next(below: 65_536)) + 1), handler, code: 1)
    }

    func handle(_ event: KernelEvent) {
        left -= 1
        if left > 0 { return scheduleNext() }
        remaining.value -= 1
        if remaining.value == 0 { remaining.wake(simulation) }
    }

    func describe(_ event: KernelEvent) -> String { "tick" }
}
