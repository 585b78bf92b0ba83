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
        #expect(control.isStopped)
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
}
