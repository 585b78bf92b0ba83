import Ports
import SimCore
import Testing

@Suite("Virtual time and events")
struct VirtualTimeTests {
    @Test("Events reach their handler in order of time, and of scheduling among equal times")
    func eventOrder() {
        let simulation = Simulation(seed: 1)
        let handler = NotingHandler(simulation)
        let id = simulation.register(handler)
        for (code, milliseconds) in [(1, 5), (2, 1), (3, 5), (4, 0)] as [(UInt16, Int64)] {
            simulation.schedule(at: .epoch + .milliseconds(milliseconds), id, code: code)
        }
        let report = simulation.run { context in try await context.clock.sleep(for: .seconds(1)) }
        #expect(report.held)
        #expect(handler.notes.lines == ["0ns 4", "1ms 2", "5ms 1", "5ms 3"])
    }

    @Test("A cancelled event never comes; one that has come cannot be cancelled any more")
    func cancelledEvent() {
        let simulation = Simulation(seed: 1)
        let handler = NotingHandler(simulation)
        let id = simulation.register(handler)
        let early = simulation.schedule(at: .epoch + .seconds(1), id, code: 1)
        let late = simulation.schedule(at: .epoch + .seconds(3), id, code: 2)
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(2))
            simulation.cancel(early)
            simulation.cancel(late)
            try await context.clock.sleep(for: .seconds(2))
        }
        #expect(report.held)
        #expect(handler.notes.lines == ["1s 1"])
    }

    @Test("An event scheduled for the past comes now: time does not go back, not even after a sleep that was skipped")
    func scheduledInThePast() {
        let simulation = Simulation(seed: 1)
        let handler = NotingHandler(simulation)
        let id = simulation.register(handler)
        let times = Box<[Instant]>([])
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(10))
            simulation.schedule(at: .epoch + .seconds(1), id, code: 1)
            times.value.append(simulation.now)
            try await context.clock.sleep(for: .zero)
            times.value.append(simulation.now)
        }
        #expect(report.held)
        #expect(handler.notes.lines == ["10s 1"])
        #expect(times.value == [.epoch + .seconds(10), .epoch + .seconds(10)])
    }

    @Test("A wait whose deadline has passed gives up now, and time does not go back")
    func deadlineInThePast() {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let received = Box<Bool?>(nil)
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(10))
            received.value = try await bus.receive(context, timeout: .seconds(-5)) != nil
        }
        #expect(report.held)
        #expect(received.value == false)
        #expect(report.virtualTime == .seconds(10))
    }

    @Test("A sleep that is no longer than zero takes no time, and lets what is due at this instant come first")
    func sleepOfNoTime() {
        let simulation = Simulation(seed: 1)
        let handler = NotingHandler(simulation)
        let id = simulation.register(handler)
        let seen = Box(0)
        let report = simulation.run { context in
            simulation.schedule(at: simulation.now, id, code: 1)
            try await context.clock.sleep(for: .seconds(-3))
            seen.value = handler.notes.lines.count
        }
        #expect(report.held)
        #expect(report.virtualTime == .zero)
        #expect(seen.value == 1)
    }

    @Test("The time that a wait was woken at is the time of the wake-up, and its word is handed over")
    func wakeWithValue() {
        let simulation = Simulation(seed: 1)
        let waiter = Box<WaiterID?>(nil)
        let got = Box<UInt64?>(nil)
        let wasWaiting = Box<[Bool]>([])
        simulation.addProcess("waiting") { context in
            waiter.value = simulation.makeWaiter(context, WaitReason("a word"), deadline: .epoch + .hours(1))
            got.value = try await simulation.waitForValue(waiter.value!)
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            wasWaiting.value.append(simulation.isWaiting(waiter.value!))
            wasWaiting.value.append(simulation.wake(waiter.value!, value: 99))
            wasWaiting.value.append(simulation.wake(waiter.value!, value: 100))
            wasWaiting.value.append(simulation.isWaiting(waiter.value!))
            try await context.clock.sleep(for: .hours(2))
        }
        #expect(report.held)
        #expect(got.value == 99)
        #expect(wasWaiting.value == [true, true, false, false])
    }

    @Test("A wait that was ended before it was awaited does not suspend")
    func wokenBeforeAwaited() {
        let got = Box<UInt64?>(nil)
        let report = simulate { context in
            let waiter = context.simulation.makeWaiter(context, WaitReason("itself"))
            context.simulation.wake(waiter, value: 5)
            got.value = try await context.simulation.waitForValue(waiter)
        }
        #expect(report.held)
        #expect(got.value == 5)
    }

    // MARK: Sleeps that are skipped

    /// A world whose driver is alone much of the time, so that many of its sleeps are skipped when nobody watches.
    private func lonelyRun(
        seed: UInt64, scheduling: Scheduling, watch: (inout SimulationSettings, inout Bool) -> Void
    ) -> RunReport {
        var settings = SimulationSettings(seed: seed)
        settings.scheduling = scheduling
        var checksEveryStep = false
        watch(&settings, &checksEveryStep)
        let simulation = Simulation(settings)
        if checksEveryStep { simulation.properties.always("true") { true } }
        let bus = MessageBus<Int>(simulation, name: "bus")
        simulation.addProcess("echo") { context in
            while true {
                let request = try await bus.receive(context)
                try await context.clock.sleep(for: .microseconds(Int64(request.message)))
                try bus.send(request.message, from: context, to: request.from)
            }
        }
        return simulation.run { context in
            var random = SplitMix64(seed: seed)
            for round in 0..<200 {
                try await context.clock.sleep(for: .microseconds(Int64(random.next(below: 2_000))))
                if round % 7 == 0 {
                    try bus.send(round, from: context, to: "echo")
                    _ = try await bus.receive(context, timeout: .milliseconds(1))
                }
            }
        }
    }

    @Test(
        "A run comes to the same hash, counts and time whether sleeps are skipped, recorded or checked one by one",
        arguments: 1...8 as ClosedRange<UInt64>, [.inOrder, .random] as [Scheduling])
    func skippedSleeps(seed: UInt64, scheduling: Scheduling) throws {
        let plain = lonelyRun(seed: seed, scheduling: scheduling) { _, _ in }
        let recorded = lonelyRun(seed: seed, scheduling: scheduling) { settings, _ in settings.recordsTrace = true }
        let checked = lonelyRun(seed: seed, scheduling: scheduling) { _, checks in checks = true }
        #expect(plain.held)
        for other in [recorded, checked] {
            #expect(other.traceHash == plain.traceHash)
            #expect(other.eventCount == plain.eventCount)
            #expect(other.stepCount == plain.stepCount)
            #expect(other.virtualTime == plain.virtualTime)
        }
        let trace = try #require(recorded.trace)
        #expect(UInt64(trace.entries.count) == plain.eventCount)
        #expect(trace.entries.last?.hash == plain.traceHash.value)
    }

    @Test("A sleep does not skip an event at the very moment of its end: what was scheduled first comes first")
    func noSkipOverTie() {
        let simulation = Simulation(seed: 1)
        let handler = NotingHandler(simulation)
        let id = simulation.register(handler)
        let seen = Box(0)
        let report = simulation.run { context in
            simulation.schedule(at: .epoch + .seconds(1), id, code: 1)
            try await context.clock.sleep(for: .seconds(1))
            seen.value = handler.notes.lines.count
        }
        #expect(report.held)
        #expect(seen.value == 1)
    }

    @Test(
        "A wait is awaited once: awaiting it again stops the run at once, instead of taking over somebody else's wait")
    func waitAwaitedTwice() async {
        await #expect(processExitsWith: .failure) {
            simulate { context in
                let waiter = context.simulation.makeWaiter(context, WaitReason("once"))
                context.simulation.wake(waiter)
                try await context.simulation.wait(waiter)
                // The slot is in use again, by another wait.
                let other = context.simulation.makeWaiter(
                    context, WaitReason("another"), deadline: .epoch + .seconds(1))
                try await context.simulation.wait(waiter)
                try await context.simulation.wait(other)
            }
        }
    }

    @Test("A wait is awaited by one task: a second one stops the run at once, instead of leaving the first suspended")
    func waitAwaitedByTwoTasks() async {
        await #expect(processExitsWith: .failure) {
            simulate { context in
                let waiter = context.simulation.makeWaiter(
                    context, WaitReason("one task"), deadline: .epoch + .seconds(1))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<2 { group.addTask { try await context.simulation.wait(waiter) } }
                    _ = try await group.next()
                }
            }
        }
    }

    @Test("Payloads that differ give different hashes, also where their words are each other's halves changed over")
    func hashOfPayloads() {
        func hash(first: UInt64, second: UInt64) -> TraceHash {
            let simulation = Simulation(seed: 1)
            let handler = simulation.register(NotingHandler(simulation))
            simulation.schedule(at: .epoch + .seconds(1), handler, code: 1, first: first, second: second)
            return simulation.run { context in try await context.clock.sleep(for: .seconds(2)) }.traceHash
        }
        let payloads: [(UInt64, UInt64)] = [
            (0, 0), (1, 0), (0, 1), (0, 1 << 32), (1 << 32, 0), (1, 1 << 32), (2, 2 << 32),
        ]
        #expect(Set(payloads.map { hash(first: $0.0, second: $0.1) }).count == payloads.count)
    }
}
