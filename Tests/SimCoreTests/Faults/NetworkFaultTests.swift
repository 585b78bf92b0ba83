import Ports
import SimCore
import Testing

@Suite("Faults of the network: each kind bites, counts that it did, and ends")
struct NetworkFaultTests {
    /// A thousand messages from `sender` to `receiver`, one each millisecond and one millisecond under way, with a fault
    /// between the 200th and the 600th.
    private static func exchange(
        _ kind: String, targets: [String] = ["sender"], others: [String] = [], parameters: [String: Int64] = [:]
    ) throws -> (report: RunReport, arrivals: [(message: Int, latency: Nanoseconds)]) {
        try DatagramTests.exchange { simulation in
            simulation.network.state.defaultQuality = DatagramTests.quality()
            try simulation.faults.schedule([
                ScheduledFault(
                    kind, at: .microseconds(200_500), duration: .milliseconds(400), targets: targets, others: others,
                    parameters: parameters)
            ])
        }
    }

    /// Whether the message was sent while the fault lasted.
    private static func isUnderFault(_ message: Int) -> Bool { (201...600).contains(message) }

    /// How many arrived of those that were sent while the fault did not last, which is all of the rest: 600.
    private static func outsideCount(_ arrivals: [(message: Int, latency: Nanoseconds)]) -> Int {
        arrivals.filter { !isUnderFault($0.message) && $0.latency == .milliseconds(1) }.count
    }

    @Test("partition: what was sent meanwhile is lost, and each lost message is counted")
    func partition() throws {
        // Messages on their way when the partition begins are cut off too; the rule is the arrival's.
        let (report, arrivals) = try Self.exchange("partition")
        #expect(arrivals.count < 602 && arrivals.count > 598)
        #expect(report.effectCount(of: "partition") == Int64(1_000 - arrivals.count))
    }

    @Test("partition-one-way: it cuts the way from the targets, and not the way to them")
    func partitionOneWay() throws {
        let (report, arrivals) = try Self.exchange("partition-one-way")
        #expect(arrivals.count < 602 && arrivals.count > 598)
        #expect(report.effectCount(of: "partition-one-way") == Int64(1_000 - arrivals.count))
        let (harmless, all) = try Self.exchange("partition-one-way", targets: ["receiver"], others: ["sender"])
        #expect(all.count == 1_000)
        #expect(harmless.effectCount(of: "partition-one-way") == 0)
    }

    @Test("loss: about the given share of the messages is lost meanwhile, and each is counted")
    func loss() throws {
        let (report, arrivals) = try Self.exchange("loss", parameters: ["probability": 500_000])
        let lost = 1_000 - arrivals.count
        #expect((150...250).contains(lost))
        #expect(Self.outsideCount(arrivals) == 600)
        #expect(report.effectCount(of: "loss") == Int64(lost))
    }

    @Test("duplication: about the given share of the messages arrives twice meanwhile, and each is counted")
    func duplication() throws {
        let (report, arrivals) = try Self.exchange("duplication", parameters: ["probability": 500_000])
        let copies = arrivals.count - 1_000
        #expect((150...250).contains(copies))
        #expect(Set(arrivals.map(\.message)).count == 1_000)
        #expect(Self.outsideCount(arrivals) == 600)
        #expect(report.effectCount(of: "duplication") == Int64(copies))
    }

    @Test("reordering: about the given share of the messages is held back meanwhile and overtaken; none is lost")
    func reordering() throws {
        let (report, arrivals) = try Self.exchange(
            "reordering", parameters: ["probability": 500_000, "delay": 20_000])
        let messages = arrivals.map(\.message)
        #expect(messages.sorted() == Array(0..<1_000))
        #expect(messages != messages.sorted())
        let late = arrivals.filter { $0.latency > .milliseconds(1) }
        #expect((150...250).contains(late.count))
        #expect(late.allSatisfy { Self.isUnderFault($0.message) && $0.latency <= .milliseconds(21) })
        #expect(report.effectCount(of: "reordering") >= Int64(late.count))
    }

    @Test("slow-node: every message takes the given factor longer meanwhile, and each is counted")
    func slowNode() throws {
        let (report, arrivals) = try Self.exchange("slow-node", parameters: ["factor": 30])
        #expect(arrivals.count == 1_000)
        let slow = arrivals.filter { $0.latency == .milliseconds(30) }
        #expect(slow.map(\.message) == Array(201...600))
        #expect(Self.outsideCount(arrivals) == 600)
        #expect(report.effectCount(of: "slow-node") == 400)
    }

    @Test("A fault between other processes takes no effect", arguments: ["partition", "loss", "slow-node", "clog"])
    func faultElsewhere(kind: String) throws {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let received = Box(0)
        for name in ["near", "far", "elsewhere"] {
            simulation.addProcess(name) { context in
                while true {
                    _ = try await bus.receive(context)
                    received.value += 1
                }
            }
        }
        try simulation.faults.schedule([ScheduledFault(kind, at: .zero, targets: ["far"], others: ["elsewhere"])])
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            for _ in 0..<100 { try bus.send(1, from: context, to: "near") }
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(received.value == 100)
        #expect(report.effectCount(of: kind) == 0)
    }
}
