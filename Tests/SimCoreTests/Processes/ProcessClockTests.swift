import Ports
import SimCore
import Testing

@Suite("Clocks of processes")
struct ProcessClockTests {
    private let hour = Instant.epoch + .hours(1)

    @Test("A clock with an offset shows true time plus the offset")
    func offset() {
        #expect(ProcessClock(offset: .seconds(5)).reading(at: hour) == hour + .seconds(5))
        #expect(ProcessClock(offset: .seconds(-5)).reading(at: hour) == hour - .seconds(5))
    }

    @Test("A clock that drifts gains or loses its rate times the span")
    func drift() {
        #expect(ProcessClock(driftPartsPerMillion: 1_000).reading(at: hour) == hour + .milliseconds(3_600))
        #expect(ProcessClock(driftPartsPerMillion: -1_000).reading(at: hour) == hour - .milliseconds(3_600))
    }

    @Test("A jump moves the clock by its step from then on, and a change of drift makes no step")
    func jumpAndDriftChange() {
        var clock = ProcessClock(driftPartsPerMillion: 100_000)
        clock.jump(by: .seconds(-30))
        #expect(clock.reading(at: .epoch + .seconds(10)) == .epoch + .seconds(11 - 30))
        clock.setDrift(partsPerMillion: 0, now: .epoch + .seconds(20))
        #expect(clock.reading(at: .epoch + .seconds(20)) == .epoch + .seconds(22 - 30))
        #expect(clock.reading(at: .epoch + .seconds(30)) == .epoch + .seconds(32 - 30))
    }

    @Test("The true span of a local one is shorter for a fast clock and longer for a slow one")
    func trueSpan() {
        #expect(ProcessClock().trueSpan(ofLocal: .seconds(1)) == .seconds(1))
        #expect(ProcessClock(driftPartsPerMillion: 250_000).trueSpan(ofLocal: .seconds(10)) == .seconds(8))
        #expect(ProcessClock(driftPartsPerMillion: -200_000).trueSpan(ofLocal: .seconds(10)) == .milliseconds(12_500))
    }

    @Test(
        "After the true span of a local one, the clock has advanced by at least that, whatever the drift and the origin",
        arguments: [333_333, 100_000, 1, -1, -7, -100_000, -333_333] as [Int64])
    func trueSpanIsLongEnough(drift: Int64) {
        var random = SplitMix64(seed: 1)
        let clock = ProcessClock(driftPartsPerMillion: drift)
        var wrong: [Nanoseconds] = []
        for _ in 0..<2_000 {
            let start = Instant(nanosecondsSinceEpoch: Int64(random.next(below: 1_000_000_000_000)))
            let span = Nanoseconds(Int64(random.next(below: random.next(below: 2) == 0 ? 20 : 10_000_000_000)) + 1)
            let end = start + clock.trueSpan(ofLocal: span)
            let advance = clock.reading(at: end) - clock.reading(at: start)
            if advance < span || advance > span + .nanoseconds(3) { wrong.append(span) }
        }
        #expect(wrong.isEmpty)
    }

    @Test(
        "A process sleeps the span that its own clock measures",
        arguments: [(100_000, 10), (-100_000, 10)] as [(Int64, Int64)])
    func sleepUnderDrift(drift: Int64, seconds: Int64) {
        let simulation = Simulation(seed: 1)
        let spans = Box<[Nanoseconds]>([])
        let worker = simulation.addProcess("worker") { context in
            let (start, monotonicStart, trueStart) = (context.clock.now, context.clock.monotonicNow, simulation.now)
            try await context.clock.sleep(for: .seconds(seconds))
            spans.value = [
                context.clock.now - start, context.clock.monotonicNow - monotonicStart, simulation.now - trueStart,
            ]
        }
        simulation.setClockDrift(of: worker, partsPerMillion: drift)
        let report = simulation.run { context in try await context.clock.sleep(for: .minutes(1)) }
        #expect(report.held)
        let measured = Nanoseconds.seconds(seconds)...(.seconds(seconds) + .nanoseconds(3))
        #expect(measured.contains(spans.value[0]))
        #expect(measured.contains(spans.value[1]))
        let expected = seconds * 1_000_000_000 * 1_000_000 / (1_000_000 + drift)
        #expect(((expected - 1)...(expected + 1)).contains(spans.value[2].rawValue))
    }

    @Test(
        "A loop that sleeps until its clock shows a deadline ends, whatever the drift",
        arguments: [100_000, 3, -3, -99_999] as [Int64])
    func sleepUntilDeadline(drift: Int64) {
        var settings = SimulationSettings(seed: 1)
        settings.instantStepLimit = 1_000
        let simulation = Simulation(settings)
        let rounds = Box(0)
        let worker = simulation.addProcess("worker") { context in
            var random = SplitMix64(seed: 1)
            for _ in 0..<500 {
                let deadline = context.clock.now + .nanoseconds(Int64(random.next(below: 1_000_000_000)))
                while context.clock.now < deadline {
                    rounds.value += 1
                    try await context.clock.sleep(until: deadline)
                }
            }
        }
        simulation.setClockDrift(of: worker, partsPerMillion: drift)
        let report = simulation.run { context in try await context.clock.sleep(for: .hours(1)) }
        #expect(report.held)
        #expect(simulation.state(of: worker) == .finished)
        #expect(rounds.value <= 500)
    }

    @Test(
        "A jump is seen on the clock's time of day and not on its monotonic time, and does not change a sleep under way"
    )
    func jumpOfProcessClock() {
        let simulation = Simulation(seed: 1)
        let notes = Notes()
        let worker = simulation.addProcess("worker") { context in
            try await context.clock.sleep(for: .seconds(10))
            notes.add("\(context.clock.now) \(context.clock.monotonicNow)", context)
        }
        let other = simulation.addProcess("other") { context in
            try await context.clock.sleep(for: .seconds(10))
            notes.add("\(context.clock.now)", context)
        }
        #expect(worker != other)
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(5))
            simulation.jumpClock(of: worker, by: .minutes(-1))
            try await context.clock.sleep(for: .minutes(1))
        }
        #expect(report.held)
        #expect(notes.lines == ["10s -50s 10s", "10s 10s"])
    }

    @Test("A timeout of a receive is measured by the process's own clock")
    func timeoutUnderDrift() {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let ended = Notes()
        let worker = simulation.addProcess("worker") { context in
            _ = try await bus.receive(context, timeout: .seconds(10))
            ended.add("", context)
        }
        simulation.setClockDrift(of: worker, partsPerMillion: 250_000)
        let report = simulation.run { context in try await context.clock.sleep(for: .minutes(1)) }
        #expect(report.held)
        #expect(ended.lines == ["8s "])
    }
}
