import Ports
import SimCore
import Testing

@Suite("Structured concurrency on the simulation's executor")
struct StructuredConcurrencyTests {
    @Test("Sleeping takes virtual time and nothing else")
    func sleepTakesVirtualTime() {
        let report = simulate { context in try await context.clock.sleep(for: .hours(20)) }
        #expect(report.held)
        #expect(report.virtualTime == .hours(20))
    }

    @Test("The children of a task group sleep at the same time, and their results come in order of completion")
    func taskGroup() {
        let results = Box<[Int]>([])
        let report = simulate { context in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for child in [3, 1, 2] {
                    group.addTask {
                        try await context.clock.sleep(for: .seconds(Int64(child)))
                        return child
                    }
                }
                for try await result in group { results.value.append(result) }
            }
        }
        #expect(report.held)
        #expect(results.value == [1, 2, 3])
        #expect(report.virtualTime == .seconds(3))
    }

    @Test("async let runs beside its parent")
    func asyncLet() {
        let sum = Box(0)
        let report = simulate { context in
            @Sendable func slowly(_ value: Int) async throws -> Int {
                try await context.clock.sleep(for: .seconds(1))
                return value
            }
            async let left = slowly(1)
            async let right = slowly(2)
            try await context.clock.sleep(for: .seconds(1))
            sum.value = try await left + right
        }
        #expect(report.held)
        #expect(sum.value == 3)
        #expect(report.virtualTime == .seconds(1))
    }

    @Test("An async sequence of one's own is iterated in virtual time")
    func asyncSequence() {
        let seen = Box<[Int64]>([])
        let report = simulate { context in
            for try await tick in Ticks(clock: context.clock, interval: .milliseconds(10), count: 3) {
                seen.value.append(tick.nanosecondsSinceEpoch)
            }
        }
        #expect(report.held)
        #expect(seen.value == [10_000_000, 20_000_000, 30_000_000])
    }

    @Test("Cancelling a group wakes a sleeping child at once with CancellationError")
    func cancellationOfSleepingChild() {
        let thrown = Box<(any Error)?>(nil)
        let report = simulate { context in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    do { try await context.clock.sleep(for: .hours(1)) } catch { thrown.value = error }
                }
                try? await context.clock.sleep(for: .seconds(1))
                group.cancelAll()
            }
        }
        #expect(report.held)
        #expect(thrown.value is CancellationError)
        #expect(report.virtualTime == .seconds(1))
    }

    @Test("A child that is cancelled before it sleeps does not sleep, whatever the span", arguments: [0, 5])
    func cancelledBeforeSleep(seconds: Int64) {
        let thrown = Box<(any Error)?>(nil)
        let report = simulate { context in
            await withTaskGroup(of: Void.self) { group in
                group.cancelAll()
                group.addTask {
                    do { try await context.clock.sleep(for: .seconds(seconds)) } catch { thrown.value = error }
                }
            }
        }
        #expect(report.held)
        #expect(thrown.value is CancellationError)
        #expect(report.virtualTime == .zero)
    }

    @Test("A child that throws cancels its siblings, and the error reaches the parent")
    func errorInGroup() {
        struct Broken: Error {}
        let caught = Notes()
        let report = simulate { context in
            do {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        do { try await context.clock.sleep(for: .hours(1)) } catch { caught.add("sibling \(error)") }
                    }
                    group.addTask {
                        try await context.clock.sleep(for: .seconds(2))
                        throw Broken()
                    }
                    for try await _ in group {}
                }
            } catch { caught.add("parent \(error)") }
        }
        #expect(report.held)
        #expect(caught.lines == ["sibling CancellationError()", "parent Broken()"])
        #expect(report.virtualTime == .seconds(2))
    }

    @Test("withTimeout returns what was done in time")
    func withTimeoutInTime() {
        let result = Box<Int?>(nil)
        let report = simulate { context in
            result.value = try await context.clock.withTimeout(.seconds(2)) {
                try await context.clock.sleep(for: .seconds(1))
                return 7
            }
        }
        #expect(report.held)
        #expect(result.value == 7)
        #expect(report.virtualTime == .seconds(1))
    }

    @Test("withTimeout cancels what takes too long, and throws TimeoutError with the limit")
    func withTimeoutTooLate() {
        let notes = Notes()
        let report = simulate { context in
            do {
                try await context.clock.withTimeout(.seconds(2)) {
                    do { try await context.clock.sleep(for: .seconds(3)) } catch { notes.add("\(error)") }
                }
            } catch let error as TimeoutError { notes.add("\(error.limit)") }
        }
        #expect(report.held)
        #expect(notes.lines == ["CancellationError()", "2s"])
        #expect(report.virtualTime == .seconds(2))
    }

    @Test("withTimeout passes on an optional result that is nil, and an error of the operation")
    func withTimeoutOtherOutcomes() {
        struct Broken: Error {}
        let notes = Notes()
        let report = simulate { context in
            let none: Int? = try await context.clock.withTimeout(.seconds(1)) { nil }
            notes.add("\(none == nil)")
            do { try await context.clock.withTimeout(.seconds(1)) { throw Broken() } } catch { notes.add("\(error)") }
        }
        #expect(report.held)
        #expect(notes.lines == ["true", "Broken()"])
        #expect(report.virtualTime == .zero)
    }

    @Test("Ten thousand children wait at the same time")
    func manyChildren() {
        let finished = Box(0)
        let report = simulate { context in
            await withTaskGroup(of: Void.self) { group in
                for child in 0..<10_000 {
                    group.addTask {
                        try? await context.clock.sleep(for: .microseconds(Int64(child % 100) + 1))
                        finished.value += 1
                    }
                }
            }
        }
        #expect(report.held)
        #expect(finished.value == 10_000)
        #expect(report.virtualTime == .microseconds(100))
    }

    @Test("A simulation that has run is freed, with the processes and ports that refer to it")
    func freedAfterRun() {
        weak var remembered: Simulation?
        do {
            let simulation = Simulation(seed: 1)
            remembered = simulation
            let bus = MessageBus<Int>(simulation, name: "bus")
            let server = simulation.addProcess("server") { context in
                while true { try bus.send(try await bus.receive(context).message, from: context, to: "client") }
            }
            simulation.addProcess("client") { context in
                try bus.send(1, from: context, to: server)
                _ = try await bus.receive(context)
            }
            simulation.properties.always("the server is there") { .init(simulation.process(named: "server") != nil) }
            let report = simulation.run { context in try await context.clock.sleep(for: .seconds(1)) }
            #expect(report.held)
        }
        #expect(remembered == nil)
    }
}

/// An async sequence that only knows a clock port.
private struct Ticks: AsyncSequence {
    let clock: any ServiceClock
    let interval: Nanoseconds
    let count: Int

    struct Iterator: AsyncIteratorProtocol {
        let ticks: Ticks
        var rest: Int

        mutating func next() async throws -> Instant? {
            guard rest > 0 else { return nil }
            rest -= 1
            try await ticks.clock.sleep(for: ticks.interval)
            return ticks.clock.now
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(ticks: self, rest: count) }
}
