import Ports
import SimCore
import Testing

@Suite("The catalogue of faults")
struct FaultCatalogueTests {
    static let kinds = FaultDefinition.catalogue.map(\.name)

    /// Runs one fault in a world that has all that faults act on: a process with a disk that sends datagrams, a server on a
    /// connection, a client of both, and a crash of the one with the disk while the fault lasts.
    private static func run(_ kind: String) throws -> RunReport {
        let definition = try #require(FaultDefinition.catalogue.first { $0.name == kind })
        let world = ConnectionWorld()
        let simulation = world.simulation
        let bus = MessageBus<Int>(simulation, name: "bus")
        let storage = simulation.addProcess("storage") { context in
            let disk = try #require(context.disk)
            while true {
                do {
                    try await disk.write(context, "f", at: disk.length(of: "f"), [1, 2, 3, 4])
                    try await context.sleep(for: .milliseconds(20))
                    try await disk.sync(context, "f")
                } catch is DiskError {
                    try await context.sleep(for: .milliseconds(20))
                }
                try bus.send(1, from: context, to: "client")
            }
        }
        _ = SimulatedDisk(simulation, process: storage)
        world.onRequest { _, _ in world.answer("answer") }
        let duration = definition.durationRange.map { min(max($0.lowerBound, .seconds(1)), $0.upperBound) }
        let isLikely = definition.parameters.contains { $0.name == "probability" }
        try simulation.faults.schedule([
            ScheduledFault(
                kind, at: .seconds(1), duration: duration ?? .zero, targets: ["server", "storage"],
                parameters: isLikely ? ["probability": 900_000] : [:])
        ])
        return world.run { context in
            try await world.open(context)
            for step in 0..<125 {
                world.send("request")
                if step == 90 { simulation.crash(storage) }
                try await context.sleep(for: .milliseconds(20))
            }
        }
    }

    @Test("Every kind bites: where there is what it acts on, it takes effect and is counted", arguments: kinds)
    func kindBites(kind: String) throws {
        let report = try Self.run(kind)
        #expect(report.held, "\(report.violations)")
        #expect(report.effectCount(of: kind) > 0)
    }

    @Test("The default of a parameter is one of its values, and a kind that lasts may last a while", arguments: kinds)
    func parametersAreInRange(kind: String) throws {
        let definition = try #require(FaultDefinition.catalogue.first { $0.name == kind })
        for parameter in definition.parameters { #expect(parameter.range.contains(parameter.defaultValue)) }
        if let range = definition.durationRange { #expect(range.lowerBound > .zero) }
        #expect(!definition.summary.isEmpty)
    }

    // MARK: Schedules that cannot be run

    private static func refusal(_ fault: ScheduledFault) -> String? {
        let simulation = Simulation(seed: 1)
        simulation.addProcess("here")
        do {
            try simulation.faults.schedule([ScheduledFault("crash", at: .zero, targets: ["here"]), fault])
        } catch {
            #expect(simulation.faults.scheduledFaults.isEmpty, "nothing is scheduled unless all can be")
            return "\(error)"
        }
        return nil
    }

    @Test("A schedule names what it asked for and what there is when it cannot be run")
    func refusedSchedules() throws {
        let kind = try #require(Self.refusal(ScheduledFault("crush", at: .zero, targets: ["here"])))
        #expect(kind.hasPrefix("unknown fault 'crush'; known are crash, host-crash,"))
        #expect(
            Self.refusal(ScheduledFault("pause", at: .zero, targets: ["there"]))
                == "fault 'pause' names process 'there', which does not exist; there are here")
        #expect(
            Self.refusal(ScheduledFault("partition", at: .zero, targets: ["here"], others: ["there"]))
                == "fault 'partition' names process 'there', which does not exist; there are here")
        #expect(
            Self.refusal(ScheduledFault("loss", at: .zero, targets: ["here"], parameters: ["chance": 1]))
                == "fault 'loss' has no parameter 'chance'; it has probability")
        #expect(
            Self.refusal(ScheduledFault("loss", at: .zero, targets: ["here"], parameters: ["probability": 0]))
                == "parameter 'probability' of fault 'loss' is 0; expected 100 to 900000")
        #expect(
            Self.refusal(ScheduledFault("pause", at: .zero))
                == "fault 'pause' needs at least one target process, and the schedule names 0")
        #expect(
            Self.refusal(ScheduledFault("pause", at: .seconds(-1), targets: ["here"]))
                == "fault 'pause' has a negative time or duration; expected zero or more")
        let latest = FaultController.latestTime
        for (at, duration) in [(Nanoseconds(.max), .zero), (.zero, Nanoseconds(.max)), (latest, .nanoseconds(1))] {
            #expect(
                Self.refusal(ScheduledFault("pause", at: at, duration: duration, targets: ["here"]))
                    == "fault 'pause' begins or ends after 3153600000s; expected an earlier end")
        }
        #expect(Self.refusal(ScheduledFault("pause", at: .zero, duration: latest, targets: ["here"])) == nil)
    }

    // MARK: Phases

    @Test("In the liveness phase everything heals, and no fault begins any more")
    func nothingBeginsAfterHealing() throws {
        let simulation = Simulation(seed: 1)
        let beats = Notes()
        simulation.addProcess("heart") { context in
            while true {
                try await context.clock.sleep(for: .seconds(1))
                beats.add("\(simulation.now)")
            }
        }
        try simulation.faults.schedule([
            ScheduledFault("pause", at: .milliseconds(1_500), duration: .hours(1), targets: ["heart"]),
            ScheduledFault("pause", at: .milliseconds(6_000), duration: .hours(1), targets: ["heart"]),
        ])
        let report = simulation.run { context in
            try await context.clock.sleep(for: .milliseconds(4_500))
            simulation.faults.healAll()
            try await context.clock.sleep(for: .milliseconds(4_000))
        }
        #expect(beats.lines == ["1s", "4.500s", "5.500s", "6.500s", "7.500s"])
        #expect(report.effectCount(of: "pause") == 1)
    }

    @Test("A run that is not over within the liveness bound fails, naming who still waits; one that is over holds")
    func livenessBound() throws {
        func report(driverTakes span: Nanoseconds) throws -> RunReport {
            try Scenario("slow", summary: "") { simulation in
                simulation.addProcess("heart") { context in try await context.clock.sleep(for: .hours(1)) }
                let plan = FaultPlan(
                    entries: [.init("pause", pool: ["heart"])], safetyPhase: .seconds(1), meanGap: .seconds(1))
                return Scenario.Prepared(faultPlan: plan, livenessBound: .seconds(5)) { context in
                    try await context.sleep(for: span)
                }
            }.run(SimulationSettings(seed: 1)).run
        }
        #expect(try report(driverTakes: .milliseconds(5_900)).held)
        let late = try report(driverTakes: .milliseconds(6_100))
        #expect(late.kinds == [.liveness])
        #expect(late.violations.first?.at == .seconds(6))
        #expect(late.violations.first?.message.contains("driver for its clock") == true)
    }
}
