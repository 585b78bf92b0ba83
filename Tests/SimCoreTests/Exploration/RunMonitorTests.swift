import Foundation
import Ports
import SimCore
import Synchronization
import Testing

@Suite("Watching runs from outside")
struct RunMonitorTests {
    /// Runs `body` on a thread of its own, and waits for it.
    private static func onAnotherThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result {
        let result = Shared<Result?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            let found = body()
            result.value.withLock { $0 = found }
            isDone.signal()
        }
        isDone.wait()
        return result.value.withLock { $0! }
    }

    @Test("A run is known to its own thread and not to another, from the beginning of its set-up")
    func ownThread() throws {
        let monitor = RunMonitor()
        let seen = Box<[UInt64?]>([])
        let look: @Sendable () -> Void = {
            seen.value.append(monitor.observeOwnThread()?.seed)
            seen.value.append(Self.onAnotherThread { monitor.observeOwnThread()?.seed })
        }
        let scenario = Scenario("looking", summary: "") { _ in
            look()
            return Scenario.Prepared { _ in look() }
        }
        _ = try scenario.run(SimulationSettings(seed: 7), monitor: monitor)
        #expect(seen.value == [7, nil, 7, nil])
        #expect(monitor.observe().isEmpty)
    }

    @Test("The process whose code runs is named: one of the set-up, the driver, and one that the run itself has added")
    func processNames() throws {
        let monitor = RunMonitor()
        let names = Notes()
        let look: @Sendable () -> Void = { names.add(monitor.observe().first?.process ?? "nothing") }
        let scenario = Scenario("looking", summary: "") { simulation in
            look()
            simulation.addProcess("worker") { _ in look() }
            return Scenario.Prepared { context in
                look()
                context.simulation.addProcess("late") { _ in look() }
                try await context.sleep(for: .seconds(1))
            }
        }
        _ = try scenario.run(SimulationSettings(seed: 1), monitor: monitor)
        #expect(names.lines == ["the simulation itself", "worker", "driver", "late"])
    }

    @Test("Where a run is in virtual time is seen from outside")
    func virtualTime() throws {
        let monitor = RunMonitor()
        let times = Notes()
        let scenario = Scenario("looking", summary: "") { _ in
            Scenario.Prepared { context in
                for _ in 0..<2 {
                    times.add("\(monitor.observe().map(\.now))")
                    try await context.sleep(for: .hours(3))
                }
            }
        }
        _ = try scenario.run(SimulationSettings(seed: 1), monitor: monitor)
        #expect(times.lines == ["\([Instant.epoch])", "\([Instant.epoch + .hours(3)])"])
    }

    @Test("Looking on from another thread while processes are added is safe")
    func addingWhileObserved() throws {
        let monitor = RunMonitor()
        let isOver = Shared(false)
        let scenario = Scenario("growing", summary: "") { simulation in
            for number in 0..<2_000 { simulation.addProcess("worker-\(number)") }
            return Scenario.Prepared { _ in }
        }
        let observations = Shared(0)
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            while !isOver.value.withLock({ $0 }) {
                for _ in monitor.observe() { observations.value.withLock { $0 += 1 } }
            }
            ended.signal()
        }
        for seed in 1...20 as ClosedRange<UInt64> {
            #expect(try scenario.run(SimulationSettings(seed: seed), monitor: monitor).run.held)
        }
        isOver.value.withLock { $0 = true }
        ended.wait()
        #expect(observations.value.withLock { $0 } > 0)
    }
}

private final class Shared<Value: Sendable>: Sendable {
    let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }
}
