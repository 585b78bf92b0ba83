import Ports
import SimCore
import Testing

@Suite("Decisions")
struct DecisionsTests {
    @Test("Drawing more from one stream does not change another")
    func independentStreams() {
        func drawsOfB(afterDrawingFromA count: Int) -> [UInt64] {
            var decisions = Decisions(seed: 7)
            let a = decisions.stream("latency", "a")
            for _ in 0..<count { _ = decisions.draw(a, below: 100) }
            let b = decisions.stream("latency", "b")
            return (0..<10).map { _ in
                _ = decisions.draw(a, below: 100)
                return decisions.draw(b, below: 1_000_000)
            }
        }
        #expect(drawsOfB(afterDrawingFromA: 0) == drawsOfB(afterDrawingFromA: 17))
    }

    @Test("A stream follows from the seed and its name")
    func seedAndName() {
        func draws(_ seed: UInt64, _ name: String) -> [UInt64] {
            var decisions = Decisions(seed: seed)
            let stream = decisions.stream(name)
            return (0..<4).map { _ in decisions.draw(stream, below: .max) }
        }
        #expect(draws(1, "a") == draws(1, "a"))
        #expect(draws(1, "a") != draws(2, "a"))
        #expect(draws(1, "a") != draws(1, "b"))
    }

    @Test("Asking for a stream again gives the same one, not its beginning")
    func sameStreamAgain() {
        var decisions = Decisions(seed: 3)
        let first = decisions.stream("x", "y")
        let draws = [decisions.draw(first, below: .max), decisions.draw(decisions.stream("x", "y"), below: .max)]
        #expect(decisions.stream("x", "y") == first)
        #expect(draws[0] != draws[1])
    }

    @Test("A draw lies below its bound, and every value below a small bound comes up")
    func bounds() {
        var decisions = Decisions(seed: 5)
        let stream = decisions.stream("die")
        var counts = [Int](repeating: 0, count: 6)
        for _ in 0..<6_000 { counts[Int(decisions.draw(stream, below: 6))] += 1 }
        #expect(counts.allSatisfy { (850...1_150).contains($0) }, "\(counts)")
    }

    @Test("A span and an integer are drawn from their whole range, both ends included")
    func rangeEnds() {
        var decisions = Decisions(seed: 5)
        let stream = decisions.stream("ends")
        let spans = (0..<200).map { _ in decisions.span(stream, in: .nanoseconds(3)...(.nanoseconds(5))).rawValue }
        let integers = (0..<200).map { _ in decisions.integer(stream, in: -1...1) }
        #expect(spans.min() == 3 && spans.max() == 5)
        #expect(integers.min() == -1 && integers.max() == 1)
    }

    @Test("An integer can be drawn from a range that spans all of them")
    func widestRange() {
        var decisions = Decisions(seed: 5)
        let stream = decisions.stream("wide")
        let integers = (0..<64).map { _ in decisions.integer(stream, in: .min...(.max)) }
        #expect(Set(integers).count == 64)
        #expect(integers.contains { $0 < 0 } && integers.contains { $0 > 0 })
    }

    @Test("A chance of zero draws nothing, a chance of one is always true")
    func chances() {
        var decisions = Decisions(seed: 9, isRecording: true)
        let stream = decisions.stream("chance")
        #expect((0..<100).allSatisfy { _ in !decisions.chance(stream, .never) })
        #expect(decisions.recordedDecisions.isEmpty)
        #expect((0..<100).allSatisfy { _ in decisions.chance(stream, .always) })
    }

    @Test("Overriding one decision changes that one only")
    func overrideOfOne() {
        func draws(_ overrides: [DecisionAddress: UInt64]) -> [UInt64] {
            var decisions = Decisions(seed: 11, overrides: overrides)
            let stream = decisions.stream("choice", "a")
            let other = decisions.stream("choice", "b")
            return (0..<5).flatMap { _ in [decisions.draw(stream, below: 1_000), decisions.draw(other, below: 1_000)] }
        }
        let plain = draws([:])
        let changed = draws([DecisionAddress(stream: "choice/a", index: 2): 999])
        var expected = plain
        expected[4] = 999
        #expect(plain[4] != 999)
        #expect(changed == expected)
    }

    @Test("An override beyond the bound of its decision is cut down to the bound")
    func overrideBeyondBound() {
        var decisions = Decisions(seed: 11, overrides: [DecisionAddress(stream: "choice", index: 0): 50])
        #expect(decisions.draw(decisions.stream("choice"), below: 10) == 9)
    }

    @Test("Overrides that no draw has met are reported, in order")
    func unusedOverrides() {
        let addresses = [
            DecisionAddress(stream: "b", index: 0), DecisionAddress(stream: "a", index: 7),
            DecisionAddress(stream: "a", index: 0), DecisionAddress(stream: "a", index: 3),
        ]
        var decisions = Decisions(seed: 1, overrides: Dictionary(uniqueKeysWithValues: addresses.map { ($0, 0) }))
        _ = decisions.draw(decisions.stream("a"), below: 2)
        #expect(
            decisions.unusedOverrides == [
                DecisionAddress(stream: "a", index: 3), DecisionAddress(stream: "a", index: 7),
                DecisionAddress(stream: "b", index: 0),
            ])
    }

    @Test("Recorded decisions say which stream, which draw, out of how many and what, in the order taken")
    func recording() {
        var decisions = Decisions(
            seed: 1, isRecording: true, overrides: [DecisionAddress(stream: "b", index: 0): 1])
        let (a, b) = (decisions.stream("a"), decisions.stream("b"))
        let values = [decisions.draw(a, below: 10), decisions.draw(b, below: 2), decisions.draw(a, below: 20)]
        let recorded = decisions.recordedDecisions
        #expect(recorded.map(\.address.stream) == ["a", "b", "a"])
        #expect(recorded.map(\.address.index) == [0, 0, 1])
        #expect(recorded.map(\.bound) == [10, 2, 20])
        #expect(recorded.map(\.value) == values)
        #expect(values[1] == 1)
    }

    @Test("Nothing is recorded unless it is asked for")
    func noRecording() {
        var decisions = Decisions(seed: 1)
        _ = decisions.draw(decisions.stream("a"), below: 10)
        #expect(decisions.recordedDecisions.isEmpty)
    }

    @Test("Replaying a run with all its decisions as overrides under another seed repeats it")
    func runRepeatedFromDecisions() {
        func run(_ seed: UInt64, _ overrides: [DecisionAddress: UInt64]) -> (report: RunReport, drawn: [Int64]) {
            var settings = SimulationSettings(seed: seed)
            settings.recordsDecisions = true
            settings.overrides = overrides
            let simulation = Simulation(settings)
            let drawn = Box<[Int64]>([])
            let report = simulation.run { context in
                for name in ["a", "b", "c"] {
                    drawn.value.append(context.simulation.knob(name, in: 0...1_000_000))
                    try await context.sleep(for: .nanoseconds(drawn.value.last! + 1))
                }
            }
            return (report, drawn.value)
        }
        let first = run(1, [:])
        let overrides = Dictionary(uniqueKeysWithValues: first.report.decisions.map { ($0.address, $0.value) })
        let again = run(2, overrides)
        #expect(run(2, [:]).drawn != first.drawn)
        #expect(again.drawn == first.drawn)
        #expect(again.report.virtualTime == first.report.virtualTime)
        #expect(again.report.unusedOverrides.isEmpty)
    }

    @Test("A knob is drawn once, within its range, and the settings can fix it")
    func knobs() {
        var settings = SimulationSettings(seed: 4)
        settings.knobs = ["fixed": 77]
        let simulation = Simulation(settings)
        let drawn = simulation.knob("free", in: 1...1_000)
        #expect((1...1_000).contains(drawn))
        #expect(simulation.knob("free", in: 1...1_000) == drawn)
        #expect(simulation.knob("fixed", in: 1...10) == 77)
        let report = simulation.run { _ in }
        #expect(report.knobs == ["free": drawn, "fixed": 77])
    }

    @Test("Fixing one knob leaves the others as they were")
    func independentKnobs() {
        var settings = SimulationSettings(seed: 4)
        let plain = Simulation(settings)
        settings.knobs = ["a": 1]
        let fixed = Simulation(settings)
        _ = (plain.knob("a", in: 0...9), fixed.knob("a", in: 0...9))
        #expect(plain.knob("b", in: 0...1_000_000) == fixed.knob("b", in: 0...1_000_000))
    }

    @Test("Ids follow from the seed and the process, are distinct, and are UUIDs of version 4")
    func identifiers() {
        func ids(_ seed: UInt64) -> [UniqueID] {
            let drawn = Box<[UniqueID]>([])
            simulate(seed: seed) { context in
                for _ in 0..<100 { drawn.value.append(context.identifiers.next()) }
            }
            return drawn.value
        }
        #expect(ids(1) == ids(1))
        #expect(ids(1) != ids(2))
        #expect(Set(ids(1)).count == 100)
        #expect(ids(1).allSatisfy { $0.high >> 12 & 0xF == 4 && $0.low >> 62 == 2 })
    }
}
