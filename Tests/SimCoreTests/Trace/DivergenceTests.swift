import Ports
import SimCore
import Testing

@Suite("Where two runs part")
struct DivergenceTests {
    /// A recorded run of a process that sleeps, and of one that joins in at a time of its own.
    private static func trace(joiningAt joining: Nanoseconds = .milliseconds(50_500), seed: UInt64 = 1) throws -> Trace
    {
        var settings = SimulationSettings(seed: seed)
        settings.recordsTrace = true
        let simulation = Simulation(settings)
        simulation.addProcess("sleeper") { context in
            while true { try await context.sleep(for: .seconds(1)) }
        }
        simulation.addProcess("late") { context in try await context.sleep(for: joining) }
        return try #require(simulation.run { try await $0.sleep(for: .seconds(100)) }.trace)
    }

    @Test("Two runs of one seed do not part")
    func sameRuns() throws {
        #expect(Divergence.first(between: try Self.trace(), and: try Self.trace()) == nil)
    }

    @Test("The first event that differs is found, with its neighbours from both runs")
    func firstDifference() throws {
        let (expected, found) = (try Self.trace(), try Self.trace(joiningAt: .milliseconds(20_500)))
        let divergence = try #require(Divergence.first(between: expected, and: found, neighbourCount: 2))
        let byHand = try #require(
            zip(expected.entries, found.entries).first { $0.at != $1.at || $0.subject != $1.subject })
        #expect(divergence.expected == byHand.0 && divergence.found == byHand.1)
        #expect(divergence.found?.subject == "late" && divergence.found?.at == .milliseconds(20_500))
        #expect(divergence.expected?.subject == "sleeper" && divergence.expected?.at == .seconds(21))
        #expect(divergence.step == byHand.0.step, "the number that the entries themselves have")
        let step = Int(divergence.step) - 1
        #expect(divergence.expectedNeighbours == Array(expected.entries[(step - 2)...(step + 2)]))
        #expect(divergence.foundNeighbours == Array(found.entries[(step - 2)...(step + 2)]))
        #expect(divergence.expectedNeighbours.prefix(2) == divergence.foundNeighbours.prefix(2))
    }

    @Test("Runs of other seeds part at their first event, although they read the same")
    func otherSeeds() throws {
        let divergence = try #require(
            Divergence.first(between: try Self.trace(seed: 1), and: try Self.trace(seed: 2)))
        #expect(divergence.step == 1)
        #expect("\(divergence)".contains("the two read the same"))
    }

    @Test("A run that goes on where the other had ended parts from it there", arguments: [true, false])
    func oneEnds(recordedEnds: Bool) throws {
        let whole = try Self.trace()
        let cut = Trace(entries: Array(whole.entries.prefix(30)))
        let divergence = try #require(
            recordedEnds
                ? Divergence.first(between: cut, and: whole) : Divergence.first(between: whole, and: cut))
        #expect(divergence.step == 31)
        #expect((divergence.expected == nil) == recordedEnds && (divergence.found == nil) != recordedEnds)
        #expect("\(divergence)".contains((recordedEnds ? "recorded" : "this run") + ": the run had ended"))
    }

    @Test("Entries are numbered from one, one after another, and all of a short run are kept")
    func numbering() throws {
        #expect(Trace(entries: try Self.trace().entries).droppedCount == 0)
        #expect(try Self.trace().entries.map(\.step) == Array(1...UInt64(try Self.trace().entries.count)))
    }

    @Test("The event that a violation names is the one that showed it, by the trace's own number")
    func violationNamesItsEvent() throws {
        var settings = SimulationSettings(seed: 1)
        settings.recordsTrace = true
        let simulation = Simulation(settings)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let sum = Box(0)
        simulation.addProcess("adder") { context in
            while true { sum.value += try await bus.receive(context).message }
        }
        simulation.properties.always("the sum stays below six") { PropertyVerdict(sum.value < 6) }
        let report = simulation.run { context in
            for number in 1...5 {
                try bus.send(number, from: context, to: "adder")
                try await context.sleep(for: .seconds(1))
            }
        }
        let violation = try #require(report.violations.first)
        let entries = try #require(report.trace).entries
        let event = try #require(entries.first { $0.step == violation.step })
        // One, two and three make six; the adder sees the third when it goes on.
        #expect(event.at == violation.at && event == entries.last)
        #expect(entries.filter { $0.what.hasPrefix("bus:") }.last?.what == "bus: driver > adder: 3")
        #expect(violation.step == report.eventCount)
        #expect("\(violation)".contains("event #\(event.step):") && "\(event)".hasPrefix("#\(event.step) "))
    }

    @Test("Recording changes nothing of a run")
    func recordingIsNoPartOfTheRun() throws {
        func report(records: Bool) -> RunReport {
            var settings = SimulationSettings(seed: 5)
            settings.recordsTrace = records
            settings.recordsDecisions = records
            let simulation = Simulation(settings)
            let bus = MessageBus<Int>(simulation, name: "bus")
            simulation.addProcess("receiver") { context in while true { _ = try await bus.receive(context) } }
            return simulation.run { context in
                for number in 0..<50 {
                    try bus.send(number, from: context, to: "receiver")
                    try await context.sleep(for: .milliseconds(1))
                }
            }
        }
        #expect(report(records: true).traceHash == report(records: false).traceHash)
    }
}
