import Foundation
import Ports
import SimCore
import Synchronization
import Testing

@Suite("Campaigns")
struct CampaignTests {
    /// Three processes that send each other messages, some of which are lost; seeds divisible by seven fail.
    private static let scenario = Scenario("chatter", summary: "") { simulation in
        let bus = MessageBus<Int>(simulation, name: "bus")
        let rare = simulation.properties.sometimes("a third message")
        _ = simulation.properties.sometimes("a unicorn")
        let received = Box<Int64>(0)
        for name in ["a", "b", "c"] {
            simulation.addProcess(name) { context in
                while true {
                    _ = try await bus.receive(context)
                    received.value += 1
                    if received.value == 3 { rare.reached() }
                }
            }
        }
        simulation.properties.atQuiescence("the seed is not divisible by seven") {
            PropertyVerdict(!simulation.seed.isMultiple(of: 7))
        }
        let plan = FaultPlan(
            entries: [.init("loss", pool: ["a", "b"]), .init("partition", pool: ["c"])], safetyPhase: .seconds(1),
            meanGap: .milliseconds(100))
        return Scenario.Prepared(
            faultPlan: plan, figures: { [("received", received.value)] },
            driver: { context in
                for number in 0..<30 {
                    for name in ["a", "b", "c"] { try bus.send(number, from: context, to: name) }
                    try await context.sleep(for: .milliseconds(50))
                }
            })
    }

    private static func run(_ campaign: Campaign) throws -> CampaignResult {
        try campaign.run { try scenario.run(SimulationSettings(seed: $0)) }
    }

    /// All of the result that follows from scenario and seeds.
    private static func found(_ result: CampaignResult) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(result), as: UTF8.self)
    }

    @Test("What a campaign finds does not depend on how many jobs it has", arguments: [2, 3, 8])
    func jobs(count: Int) throws {
        let one = try Self.run(Campaign(seeds: 1...60, jobCount: 1))
        #expect(one.seedCount == 60 && one.eventCount > 0)
        let many = try Self.run(Campaign(seeds: 1...60, jobCount: count))
        let (expected, found) = (try Self.found(one), try Self.found(many))
        #expect(found == expected)
    }

    @Test(
        "A campaign counts the seeds of its shard", arguments: [1...1, 1...2, 3...90, 0...8] as [ClosedRange<UInt64>])
    func seedCount(seeds: ClosedRange<UInt64>) {
        for count in 1...9 {
            for index in 1...count {
                let shard = Shard(index: index, count: count)!
                let expected = seeds.count { shard.contains($0) }
                #expect(Campaign(seeds: seeds, shard: shard).seedCount == UInt64(expected))
            }
        }
        #expect(Campaign(seeds: 1...UInt64.max).seedCount == .max)
    }

    @Test("The sum of shards is the whole, in whatever order they are added", arguments: [2, 7, 100])
    func shards(count: Int) throws {
        let whole = try Self.run(Campaign(seeds: 3...60))
        var sum = CampaignResult()
        var seedCounts: [Int] = []
        for index in (1...count).reversed() {
            let part = try Self.run(Campaign(seeds: 3...60, shard: try #require(Shard(index: index, count: count))))
            seedCounts.append(part.seedCount)
            sum.merge(part)
        }
        let (expected, found) = (try Self.found(whole), try Self.found(sum))
        #expect(found == expected)
        #expect(seedCounts.max()! - seedCounts.min()! <= 1, "the shards are about as large")
    }

    @Test("The failing seeds are reported in order, each with its hash and what it violated")
    func failures() throws {
        let result = try Self.run(Campaign(seeds: 1...30, jobCount: 2))
        #expect(result.failures.map(\.seed) == [7, 14, 21, 28])
        #expect(result.failures.allSatisfy { $0.violations.map(\.name) == ["the seed is not divisible by seven"] })
        let alone = try Self.scenario.run(SimulationSettings(seed: 14))
        #expect(result.failures[1].traceHash == alone.run.traceHash.description)
    }

    @Test(
        "Until the first failure: the lowest failing seed is what is found, with any number of jobs", arguments: [1, 4])
    func untilFailure(jobs: Int) throws {
        let result = try Self.run(Campaign(seeds: 2...1_000, jobCount: jobs, stopsAtFailure: true))
        #expect(result.failures.map(\.seed) == [7])
        #expect(result.seedCount == 6)
    }

    @Test(
        "A campaign that ends by itself says why: a failure, an error, or nothing; a wish to stop that comes later is too late"
    )
    func stopReasons() throws {
        let control = Campaign.Control()
        _ = try Campaign(seeds: 2...1_000, stopsAtFailure: true).run(control: control) {
            try Self.scenario.run(SimulationSettings(seed: $0))
        }
        #expect(control.stopReason == .failure)
        control.stop()
        #expect(control.stopReason == .failure)
        struct Failure: Error {}
        let failing = Campaign.Control()
        #expect(throws: Failure.self) { try Campaign(seeds: 1...9).run(control: failing) { _ in throw Failure() } }
        #expect(failing.stopReason == .error)
        let whole = Campaign.Control()
        _ = try Campaign(seeds: 1...2).run(control: whole) { try Self.scenario.run(SimulationSettings(seed: $0)) }
        #expect(whole.stopReason == nil && !whole.isStopped)
    }

    @Test("Faults, figures and what should happen sometimes are added up; what never happened is named")
    func sums() throws {
        let result = try Self.run(Campaign(seeds: 1...40))
        let reports = try (1...40).map { try Self.scenario.run(SimulationSettings(seed: $0)) }
        #expect(result.figures["received"] == reports.reduce(0) { $0 + $1.figures[0].value })
        #expect(result.sometimes["a third message"] == 40)
        #expect(result.neverReached == ["a unicorn"])
        #expect(result.faults.map(\.kind) == ["loss", "partition"])
        for fault in result.faults {
            #expect(fault.effectCount == reports.reduce(0) { $0 + $1.run.effectCount(of: fault.kind) })
        }
        #expect(result.faultsWithoutEffect.isEmpty)
    }

    @Test("An error of the lowest seed is thrown, and the campaign ends")
    func errors() {
        struct Failure: Error { let seed: UInt64 }
        let error = #expect(throws: Failure.self) {
            try Campaign(seeds: 1...1_000_000_000, jobCount: 1).run { seed in
                if seed >= 5 { throw Failure(seed: seed) }
                return try Self.scenario.run(SimulationSettings(seed: seed))
            }
        }
        #expect(error?.seed == 5)
    }

    @Test("A campaign that is stopped lets no further run begin, and says what had run")
    func stop() throws {
        let control = Campaign.Control()
        let begunAfterStop = Mutex(0)
        let result = try Campaign(seeds: 1...1_000_000_000, jobCount: 2).run(
            control: control, onReport: { if $0.run.seed == 10 { control.stop() } }
        ) { seed in
            if control.isStopped { begunAfterStop.withLock { $0 += 1 } }
            return try Self.scenario.run(SimulationSettings(seed: seed))
        }
        #expect(control.stopReason == .asked)
        #expect(result.seedCount >= 10)
        // The other job may have taken its seed already.
        #expect(begunAfterStop.withLock { $0 } <= 1)
        #expect(control.progress.finished == result.seedCount)
    }

    @Test("Shards are read as I/N, and others are refused")
    func shardText() {
        #expect(Shard("2/8") == Shard(index: 2, count: 8))
        for text in ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b", "1/", "/3"] {
            #expect(Shard(text) == nil, "\(text)")
        }
    }

    // MARK: Failure files

    @Test("A failure file is read back as it was written, and its settings and schedule repeat the run")
    func failureFile() throws {
        for scheduling in [.inOrder, .random, .priorities(depth: 3, stepCount: 100)] as [Scheduling] {
            var settings = SimulationSettings(seed: 21)
            settings.scheduling = scheduling
            let report = try Self.scenario.run(settings)
            let file = FailureFile(
                toolVersion: "1", commit: "c", options: ["a": "b"], settings: settings, report: report, traceFile: "t")
            let read = try JSONDecoder().decode(FailureFile.self, from: try JSONEncoder().encode(file))
            #expect(read == file)
            let again = try Self.scenario.run(read.settings, schedule: read.schedule)
            #expect(again.run.traceHash.description == file.traceHash)
            #expect(again.run.violations == file.violations)
        }
    }

    @Test("A knob that a file fixes beyond its range is refused, with the range")
    func knobBeyondRange() throws {
        let scenario = Scenario("knob", summary: "") { simulation in
            _ = simulation.knob("size", in: 1...9)
            return Scenario.Prepared { _ in }
        }
        var settings = SimulationSettings(seed: 1)
        settings.knobs["size"] = 9
        #expect(try scenario.run(settings).run.knobs == ["size": 9])
        settings.knobs["size"] = 10
        let error = #expect(throws: KnobError.self) { try scenario.run(settings) }
        #expect(error?.description == "knob 'size' is 10; expected 1 to 9")
    }

    @Test("A knob that the settings fix and the run never asks for is refused")
    func knobNeverAskedFor() throws {
        let scenario = Scenario("knob", summary: "") { simulation in
            Scenario.Prepared { _ in _ = simulation.knob("late", in: 1...9) }
        }
        var settings = SimulationSettings(seed: 1)
        settings.knobs["late"] = 3
        #expect(try scenario.run(settings).run.knobs == ["late": 3])
        settings.knobs["size"] = 3
        let error = #expect(throws: UnknownKnobError.self) { try scenario.run(settings) }
        #expect(error?.description == "knob 'size' is never asked for; the run asks for late")
    }

    @Test("A failure file keeps the limits and the start of its run")
    func limitsAreKept() throws {
        var settings = SimulationSettings(seed: 3)
        settings.timeLimit = .milliseconds(700)
        settings.instantStepLimit = 5_000
        settings.start = .epoch + .milliseconds(30)
        let report = try Self.scenario.run(settings)
        #expect(report.run.violations.map(\.kind) == [.timeLimit])
        let file = FailureFile(
            toolVersion: "1", commit: "c", options: [:], settings: settings, report: report, traceFile: nil)
        let read = try JSONDecoder().decode(FailureFile.self, from: try JSONEncoder().encode(file))
        #expect(read.settings.timeLimit == settings.timeLimit)
        #expect(read.settings.instantStepLimit == settings.instantStepLimit)
        #expect(read.settings.start == settings.start)
        let again = try Self.scenario.run(read.settings, schedule: read.schedule)
        #expect(again.run.traceHash == report.run.traceHash)
        #expect(again.run.violations == report.run.violations)
    }

    @Test("A run whose work takes longer than the time limit has the time that its scenario says it takes, and no more")
    func ownTimeLimit() throws {
        func violations(_ ownTimeLimit: Nanoseconds?, limit: Nanoseconds? = nil) throws -> [Violation] {
            let scenario = Scenario("long", summary: "") { _ in
                Scenario.Prepared(ownTimeLimit: ownTimeLimit) { try await $0.sleep(for: .hours(30)) }
            }
            var settings = SimulationSettings(seed: 1)
            if let limit { settings.timeLimit = limit }
            return try scenario.run(settings).run.violations
        }
        #expect(try violations(.hours(31)).isEmpty)
        let missed = try violations(.hours(29))
        #expect(missed.map(\.kind) == [.timeLimit])
        #expect(missed.first?.message.contains("\(Nanoseconds.hours(29))") == true)
        #expect(try violations(nil).first?.message.contains("\(Nanoseconds.hours(24))") == true)
        #expect(try violations(.hours(1)).first?.message.contains("\(Nanoseconds.hours(24))") == true)
        // A limit that somebody has set is not raised.
        #expect(try violations(.hours(31), limit: .hours(2)).first?.message.contains("\(Nanoseconds.hours(2))") == true)
    }

    // MARK: Selections of faults

    @Test("A selection that names what the plan does not have, or nothing, is refused before anything runs")
    func selectionBesidesPlan() throws {
        func refusal(_ faults: FaultSelection, _ scenario: Scenario = Self.scenario) -> String? {
            let errors = [
                #expect(throws: FaultScheduleError.self) { try scenario.check(faults) },
                #expect(throws: FaultScheduleError.self) {
                    try scenario.run(SimulationSettings(seed: 1), faults: faults)
                },
            ]
            #expect(errors[0] == errors[1])
            return errors[0]?.description
        }
        #expect(
            refusal(.only(["loss", "crash"])) == "fault 'crash' is not in the scenario's plan; it has loss, partition")
        #expect(refusal(.only([])) == "no fault is selected; expected all, none, or kinds separated by commas")
        #expect(refusal(.only(["crush"]))?.hasPrefix("unknown fault 'crush'; known are crash,") == true)
        let faultless = Scenario("calm", summary: "") { _ in Scenario.Prepared { _ in } }
        #expect(refusal(.only(["loss"]), faultless) == "fault 'loss' is not in the scenario's plan; it has none")
        for selection in [.all, .none, .only(["partition"])] as [FaultSelection] { try Self.scenario.check(selection) }
    }

    @Test("A kind that is planned and never drawn is reported as one without effect")
    func neverDrawn() throws {
        let scenario = Scenario("rare", summary: "") { simulation in
            simulation.addProcess("worker") { context in try await context.sleep(for: .seconds(1)) }
            // One in an hour at most, in a phase of a second.
            let plan = FaultPlan(
                entries: [.init("pause", pool: ["worker"])], safetyPhase: .nanoseconds(1), meanGap: .hours(1))
            return Scenario.Prepared(faultPlan: plan) { try await $0.sleep(for: .seconds(2)) }
        }
        let result = try Campaign(seeds: 1...20).run { try scenario.run(SimulationSettings(seed: $0)) }
        #expect(result.faults == [FaultEfficacy(kind: "pause", scheduledCount: 0, effectCount: 0)])
        #expect(result.faultsWithoutEffect == ["pause"])
        let none = try Campaign(seeds: 1...20).run { try scenario.run(SimulationSettings(seed: $0), faults: .none) }
        #expect(none.faultsWithoutEffect.isEmpty, "what was not asked for is not missed")
    }

    // MARK: The command that repeats a run

    @Test("What repeats a run says what makes it another run: scheduling, faults, knobs and options")
    func replayArguments() throws {
        let scenario = Scenario("w", summary: "", options: ["who": "two words", "n": "1"]) { simulation in
            simulation.addProcess("worker") { context in try await context.sleep(for: .seconds(1)) }
            _ = (simulation.knob("size", in: 1...9), simulation.knob("width", in: 1...9))
            let plan = FaultPlan(
                entries: ["pause", "crash"].map { .init($0, pool: ["worker"]) }, safetyPhase: .seconds(1),
                meanGap: .seconds(1))
            return Scenario.Prepared(faultPlan: plan) { try await $0.sleep(for: .seconds(2)) }
        }
        var settings = SimulationSettings(seed: 5)
        #expect(
            try scenario.run(settings).replayArguments
                == "--scenario w --seed 5 --scheduling in-order --option n=1 --option 'who=two words'")
        #expect(
            try scenario.run(settings).replayCall
                == "scenario.run(SimulationSettings(seed: 5)), of the scenario with n=1, who=two words")
        settings.scheduling = .priorities(depth: 2, stepCount: 77)
        settings.knobs = ["size": 3]
        #expect(
            try scenario.run(settings, faults: .only(["crash"])).replayArguments
                == "--scenario w --seed 5 --scheduling pct=2,77 --faults crash --knob size=3 --option n=1 --option 'who=two words'"
        )
        #expect(
            try scenario.run(settings, faults: .only(["crash"])).replayCall
                == "scenario.run(SimulationSettings(seed: 5, scheduling: .priorities(depth: 2, stepCount: 77), knobs: [\"size\": 3]), faults: .only([\"crash\"])), of the scenario with n=1, who=two words"
        )
        let none = try scenario.run(settings, faults: .none)
        #expect(none.replayArguments?.contains(" --faults none ") == true)
        #expect(none.replayCall?.contains(", faults: .none), ") == true)
    }

    @Test("The call that a report prints repeats the run")
    func replayCall() throws {
        let report = try Self.scenario.run(
            SimulationSettings(seed: 7, scheduling: .random), faults: .only(["loss"]))
        #expect(!report.run.held)
        #expect(
            report.description.hasSuffix(
                "\n  replay: scenario.run(SimulationSettings(seed: 7, scheduling: .random), faults: .only([\"loss\"]))")
        )
        let scenario = Self.scenario
        let again = try scenario.run(SimulationSettings(seed: 7, scheduling: .random), faults: .only(["loss"]))
        #expect(again.run.traceHash == report.run.traceHash)
    }

    @Test("A report of a scenario with a harness prints the harness's command, and no other names the simulate command")
    func replayByHarness() throws {
        #expect(try Self.scenario.run(SimulationSettings(seed: 7)).replayCommand == nil)
        #expect(try !"\(Self.scenario.run(SimulationSettings(seed: 7)))".contains("simulate"))
        var scenario = Self.scenario
        scenario.replayCommand = { "SEED=\($0.run.seed) swift test --filter Chatter" }
        let report = try scenario.run(SimulationSettings(seed: 7))
        #expect(report.replayCommand == "SEED=7 swift test --filter Chatter")
        #expect(report.description.hasSuffix("\n  replay: SEED=7 swift test --filter Chatter"))
    }

    @Test("A run that was more than its seed and options has no command, and says so")
    func noReplayCommand() throws {
        let settings = SimulationSettings(seed: 5)
        let scheduled = try Self.scenario.run(settings, schedule: [])
        #expect(scheduled.replayArguments == nil && scheduled.replayCall == nil)
        #expect(scheduled.description.hasSuffix("write a FailureFile of it, and run what that holds"))
        let changes: [(inout SimulationSettings) -> Void] = [
            { $0.timeLimit = .hours(1) }, { $0.instantStepLimit = 77_777 }, { $0.start = .epoch + .seconds(1) },
            { $0.overrides[DecisionAddress(stream: "none", index: 0)] = 1 },
        ]
        for change in changes {
            var changed = settings
            change(&changed)
            var scenario = Self.scenario
            scenario.replayCommand = { _ in "a command that cannot say it" }
            let report = try scenario.run(changed)
            #expect(report.replayArguments == nil && report.replayCall == nil && report.replayCommand == nil)
        }
        #expect(try Self.scenario.run(settings).replayArguments != nil)
    }

    @Test("The word of a scheduling policy is read back as that very policy")
    func schedulingWords() {
        let policies: [Scheduling] = [
            .inOrder, .random, .priorities(depth: 3, stepCount: 10_000), .priorities(depth: 3, stepCount: 9_999),
            .priorities(depth: 1_000, stepCount: 1), .priorities(depth: 1, stepCount: 1_000_000_000),
        ]
        for policy in policies { #expect(Scheduling(policy.word) == policy) }
        #expect(Set(policies.map(\.word)).count == policies.count)
        #expect(Scheduling("pct") == .priorities(depth: 3, stepCount: 10_000))
        for word in ["", "pct=", "pct=0,5", "pct=5,0", "pct=1001,5", "pct=5", "pct=5,5,5", "PCT"] {
            #expect(Scheduling(word) == nil, "\(word)")
        }
        for faults in [.all, .none, .only(["a"]), .only(["a", "b"])] as [FaultSelection] {
            #expect(FaultSelection(faults.word) == faults)
        }
    }
}
