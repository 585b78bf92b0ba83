import Ports
import SimCore
import Testing

@Suite("Faults of processes and their clocks: each kind bites, counts that it did, and ends")
struct ProcessFaultTests {
    /// Runs a process for ten seconds that notes a beat each second, under one fault; the beats with the incarnation that made
    /// them.
    private static func beats(under fault: ScheduledFault) throws -> (report: RunReport, beats: [String]) {
        let simulation = Simulation(seed: 1)
        let beats = Notes()
        simulation.addProcess("heart") { context in
            while true {
                try await context.clock.sleep(for: .seconds(1))
                beats.add("#\(context.incarnation) at \(simulation.now)")
            }
        }
        try simulation.faults.schedule([fault])
        let report = simulation.run { context in try await context.clock.sleep(for: .milliseconds(10_100)) }
        return (report, beats.lines)
    }

    private static func beats(of incarnation: Int, _ times: [String]) -> [String] {
        times.map { "#\(incarnation) at \($0)" }
    }

    /// Crashes it at 2.5 s, with a restart five seconds later.
    private static func beats(underCrash kind: String) throws -> (report: RunReport, beats: [String]) {
        try beats(
            under: ScheduledFault(
                kind, at: .milliseconds(2_500), targets: ["heart"], parameters: ["restart_after": 5_000]))
    }

    @Test("crash: the process does nothing until it starts again as a new incarnation")
    func crash() throws {
        let (report, beats) = try Self.beats(underCrash: "crash")
        #expect(report.held)
        #expect(beats == Self.beats(of: 1, ["1s", "2s"]) + Self.beats(of: 2, ["8.500s", "9.500s"]))
        #expect(report.effectCount(of: "crash") == 1)
    }

    @Test("host-crash: the process does nothing until its machine comes back and starts a new incarnation")
    func hostCrash() throws {
        let (report, beats) = try Self.beats(underCrash: "host-crash")
        #expect(report.held)
        #expect(beats == Self.beats(of: 1, ["1s", "2s"]) + Self.beats(of: 2, ["8.500s", "9.500s"]))
        #expect(report.effectCount(of: "host-crash") == 1)
    }

    /// Runs a process that dies under faults of the schedule, heals all faults at 4 s, and returns the trace in words.
    private static func trace(_ schedule: [ScheduledFault], until end: Nanoseconds = .seconds(30)) throws -> [String] {
        var settings = SimulationSettings(seed: 1)
        settings.recordsTrace = true
        let simulation = Simulation(settings)
        simulation.addProcess("heart") { context in try await context.clock.sleep(for: .hours(1)) }
        try simulation.faults.schedule(schedule)
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(4))
            simulation.faults.healAll()
            try await context.clock.sleep(for: end - .seconds(4))
        }
        #expect(report.held)
        return try #require(report.trace).entries.filter { $0.subject == "simulation" }.map { "\($0.at) \($0.what)" }
    }

    @Test("A restart that healing brings forward is an event of the trace, and none is left for later")
    func restartByHealing() throws {
        for kind in ["crash", "host-crash"] {
            let fault = ScheduledFault(
                kind, at: .seconds(3), targets: ["heart"], parameters: ["restart_after": 10_000])
            #expect(
                try Self.trace([fault]) == [
                    "0ns start heart", "0ns start driver", "3s begin \(fault)", "4s start heart",
                ])
        }
        let stop = ScheduledFault("stop", at: .seconds(3), duration: .seconds(20), targets: ["heart"])
        #expect(
            try Self.trace([stop]) == ["0ns start heart", "0ns start driver", "3s begin \(stop)", "4s start heart"])
    }

    @Test("Faults that have not begun when all is healed leave no line that says they do")
    func healedBeforeTheirTime() throws {
        let late = ScheduledFault("crash", at: .seconds(9), targets: ["heart"])
        #expect(try Self.trace([late]) == ["0ns start heart", "0ns start driver"])
    }

    @Test("Healing starts a process once, however many faults have taken it down before")
    func restartOnce() throws {
        let first = ScheduledFault("crash", at: .seconds(1), targets: ["heart"], parameters: ["restart_after": 1_000])
        let second = ScheduledFault("crash", at: .seconds(3), targets: ["heart"], parameters: ["restart_after": 9_000])
        #expect(
            try Self.trace([first, second]) == [
                "0ns start heart", "0ns start driver", "1s begin \(first)", "2s start heart", "3s begin \(second)",
                "4s start heart",
            ])
    }

    @Test("A start that finds the process running says so in the trace")
    func startOfRunning() throws {
        var settings = SimulationSettings(seed: 1)
        settings.recordsTrace = true
        let simulation = Simulation(settings)
        let heart = simulation.addProcess("heart") { context in try await context.clock.sleep(for: .hours(1)) }
        simulation.scheduleStart(of: heart, at: .epoch + .seconds(1))
        let report = simulation.run { try await $0.clock.sleep(for: .seconds(2)) }
        let lines = try #require(report.trace).entries.filter { $0.subject == "simulation" }.map {
            "\($0.at) \($0.what)"
        }
        #expect(lines == ["0ns start heart", "0ns start driver", "1s no start of heart: it runs"])
        #expect(simulation.incarnation(of: heart) == 1)
    }

    @Test("Peers of a process that died are reset at once; those of a machine that died hear nothing")
    func peersOfCrashed() throws {
        for (kind, heard) in [("crash", ["client reset"]), ("host-crash", [])] {
            let world = ConnectionWorld()
            let report = world.run { context in
                try await world.open(context)
                try world.simulation.faults.inject(kind, targets: ["server"])
                try await context.clock.sleep(for: .milliseconds(500))
            }
            #expect(world.notes.lines.filter { $0.hasPrefix("client") } == heard, "\(kind)")
            #expect(report.effectCount(of: kind) == 1)
        }
    }

    @Test("A crash of a process that is dead already changes nothing, and is not counted")
    func crashOfDead() throws {
        let simulation = Simulation(seed: 1)
        simulation.addProcess("heart") { context in try await context.clock.sleep(for: .hours(1)) }
        let report = simulation.run { context in
            simulation.crash(simulation.process(named: "heart")!)
            try simulation.faults.inject("crash", targets: ["heart"])
        }
        #expect(report.effectCount(of: "crash") == 0)
        #expect(report.faults.map(\.scheduledCount) == [1])
    }

    @Test("stop: the process stays down until the fault ends, and no longer")
    func stop() throws {
        let (report, beats) = try Self.beats(
            under: ScheduledFault("stop", at: .milliseconds(2_500), duration: .seconds(5), targets: ["heart"]))
        #expect(report.held)
        #expect(beats == Self.beats(of: 1, ["1s", "2s"]) + Self.beats(of: 2, ["8.500s", "9.500s"]))
        #expect(report.effectCount(of: "stop") == 1)
    }

    @Test("pause: the process freezes, goes on as the same incarnation, and first does what had come due")
    func pause() throws {
        let (report, beats) = try Self.beats(
            under: ScheduledFault("pause", at: .milliseconds(2_500), duration: .seconds(5), targets: ["heart"]))
        #expect(report.held)
        #expect(beats == Self.beats(of: 1, ["1s", "2s", "7.500s", "8.500s", "9.500s"]))
        #expect(report.effectCount(of: "pause") == 1)
    }

    // MARK: Clocks

    /// What the process's clock shows at each second, in milliseconds ahead of true time, under one fault.
    private static func clockErrors(under fault: ScheduledFault) throws -> (report: RunReport, milliseconds: [Int64]) {
        let simulation = Simulation(seed: 1)
        let worker = simulation.addProcess("worker") { context in try await context.clock.sleep(for: .hours(1)) }
        let errors = Box<[Int64]>([])
        try simulation.faults.schedule([fault])
        let report = simulation.run { context in
            for _ in 0..<6 {
                try await context.clock.sleep(for: .seconds(1))
                let shown = simulation.context(of: worker)!.clock.now
                errors.value.append((shown - simulation.now).rawValue / 1_000_000)
            }
            simulation.faults.healAll()
            errors.value.append((simulation.context(of: worker)!.clock.now - simulation.now).rawValue / 1_000_000)
        }
        return (report, errors.value)
    }

    @Test("clock-jump: the clock is ahead by the jump until everything heals")
    func clockJump() throws {
        let (report, errors) = try Self.clockErrors(
            under: ScheduledFault(
                "clock-jump", at: .milliseconds(2_500), targets: ["worker"], parameters: ["by": -700]))
        #expect(report.held)
        #expect(errors == [0, 0, -700, -700, -700, -700, 0])
        #expect(report.effectCount(of: "clock-jump") == 1)
    }

    @Test("clock-drift: the clock gains while the fault lasts, and keeps what it has gained")
    func clockDrift() throws {
        let (report, errors) = try Self.clockErrors(
            under: ScheduledFault(
                "clock-drift", at: .milliseconds(2_000), duration: .seconds(2), targets: ["worker"],
                parameters: ["rate": 50_000]))
        #expect(report.held)
        #expect(errors == [0, 0, 50, 100, 100, 100, 100])
        #expect(report.effectCount(of: "clock-drift") == 1)
    }

    @Test("A clock that jumps by nothing and one that drifts by nothing take no effect")
    func clockFaultsOfNothing() throws {
        for (kind, parameter) in [("clock-jump", "by"), ("clock-drift", "rate")] {
            let (report, errors) = try Self.clockErrors(
                under: ScheduledFault(kind, at: .seconds(1), targets: ["worker"], parameters: [parameter: 0]))
            #expect(errors.allSatisfy { $0 == 0 })
            #expect(report.effectCount(of: kind) == 0)
        }
    }
}
