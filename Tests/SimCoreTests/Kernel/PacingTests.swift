import Ports
import Synchronization
import Testing

@testable import SimCore

/// A clock outside that a test moves: it stands until the simulation waits, and then shows the time that is waited for, or the
/// next at which work is handed in.
private final class ScriptedPacemaker: Pacemaker, @unchecked Sendable {
    var now: Instant
    /// Work by the time at which it comes, the earliest first.
    var script: [(at: Instant, work: @Sendable () -> Void)]
    private(set) var waits: [Instant?] = []

    init(_ start: Instant, _ script: [(Nanoseconds, @Sendable () -> Void)] = []) {
        now = start
        self.script = script.map { (start + $0.0, $0.1) }
    }

    func wait(until next: Instant?) {
        waits.append(next)
        let handedIn = script.first?.at
        guard let target = [next, handedIn].compactMap({ $0 }).min() else {
            preconditionFailure("the simulation waits for ever")
        }
        now = max(now, target)
    }

    func takeWork() -> [@Sendable () -> Void] {
        var work: [@Sendable () -> Void] = []
        while let first = script.first, first.at <= now {
            work.append(first.work)
            script.removeFirst()
        }
        return work
    }
}

@Suite struct PacingTests {
    private static let start = Instant(nanosecondsSinceEpoch: 1_700_000_000_000_000_000)

    private func simulation() -> Simulation {
        var settings = SimulationSettings(seed: 1)
        settings.start = Self.start
        return Simulation(settings)
    }

    @Test("No event happens before its time has come outside")
    func noEventEarly() {
        let simulation = simulation()
        let pacemaker = ScriptedPacemaker(Self.start)
        let early = Mutex(0)
        let report = simulation.run(pacedBy: pacemaker) { context in
            for _ in 1...100 {
                try await context.sleep(for: .milliseconds(7))
                if context.clock.now > pacemaker.now { early.withLock { $0 += 1 } }
            }
        }
        #expect(report.held, "\(report)")
        #expect(early.withLock { $0 } == 0)
        #expect(pacemaker.now - Self.start == .milliseconds(700))
    }

    @Test("Processes see the time outside, from where the settings begin")
    func startTime() {
        let seen = Mutex<[Nanoseconds]>([])
        let report = simulation().run(pacedBy: ScriptedPacemaker(Self.start)) { context in
            seen.withLock { $0.append(context.clock.now - Self.start) }
            try await context.sleep(for: .seconds(3))
            seen.withLock { $0.append(context.clock.now - Self.start) }
        }
        #expect(report.held, "\(report)")
        #expect(seen.withLock { $0 } == [.zero, .seconds(3)])
    }

    @Test("Work that is handed in is run between two events, at the time at which it came")
    func work() {
        let simulation = simulation()
        let queue = WorkQueue<Int>(simulation)
        let pacemaker = ScriptedPacemaker(
            Self.start, [(.milliseconds(15), { queue.put(1) }), (.milliseconds(25), { queue.put(2) })])
        let seen = Mutex<[String]>([])
        let report = simulation.run(pacedBy: pacemaker) { context in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for _ in 1...2 {
                        let number = try await queue.take(context)
                        seen.withLock { $0.append("work \(number) at \(context.clock.now - Self.start)") }
                    }
                }
                group.addTask {
                    for _ in 1...3 {
                        try await context.sleep(for: .milliseconds(10))
                        seen.withLock { $0.append("tick at \(context.clock.now - Self.start)") }
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(report.held, "\(report)")
        #expect(
            seen.withLock { $0 } == [
                "tick at 10ms", "work 1 at 15ms", "tick at 20ms", "work 2 at 25ms", "tick at 30ms",
            ])
    }

    @Test("With nothing to happen by itself, the run waits for work instead of ending as a deadlock")
    func waitsForWork() {
        let simulation = simulation()
        let queue = WorkQueue<Int>(simulation)
        let pacemaker = ScriptedPacemaker(Self.start, [(.hours(30), { queue.put(7) })])
        let report = simulation.run(pacedBy: pacemaker) { context in #expect(try await queue.take(context) == 7) }
        #expect(report.held, "\(report)")
        #expect(pacemaker.waits.contains(nil))
    }

    @Test("A run that is late takes in work before it has made up for everything")
    func busyRun() {
        let simulation = simulation()
        let queue = WorkQueue<Int>(simulation)
        // The clock outside is far ahead, and moves on as fast as the run does: it never catches up.
        let pacemaker = ScriptedPacemaker(Self.start)
        pacemaker.now = Self.start + .seconds(1)
        let ticks = Mutex(0)
        let report = simulation.run(pacedBy: pacemaker) { context in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while true {
                        try await context.sleep(for: .milliseconds(1))
                        let tick = ticks.withLock { count in
                            count += 1
                            return count
                        }
                        pacemaker.now = pacemaker.now + .milliseconds(1)
                        if tick == 100 { pacemaker.script = [(pacemaker.now, { queue.put(7) })] }
                    }
                }
                group.addTask { #expect(try await queue.take(context) == 7) }
                _ = await group.nextResult()
                group.cancelAll()
            }
        }
        #expect(report.held, "\(report)")
        #expect((100...3_000).contains(ticks.withLock { $0 }))
    }
}
