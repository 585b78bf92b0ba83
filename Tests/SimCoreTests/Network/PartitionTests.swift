import Ports
import SimCore
import Testing

@Suite("Partitions and clogs, as datagrams see them")
struct PartitionTests {
    /// Lets each of a, b, c and d send to each other one once a second, and counts by second which links carry.
    private func links(
        at seconds: Int, _ disturb: @escaping @Sendable (Simulation) throws -> Void
    ) -> Set<String> {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let carried = Box<Set<String>>([])
        let names = ["a", "b", "c", "d"]
        for name in names {
            simulation.addProcess(name) { context in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for second in 0..<10 {
                            for other in names where other != name { try bus.send(second, from: context, to: other) }
                            try await context.clock.sleep(for: .seconds(1))
                        }
                    }
                    group.addTask {
                        while true {
                            let delivery = try await bus.receive(context)
                            if delivery.message == seconds {
                                carried.value.insert(simulation.name(of: delivery.from) + name)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .milliseconds(1_500))
            try disturb(simulation)
            try await context.clock.sleep(for: .seconds(20))
        }
        #expect(report.held)
        return carried.value
    }

    private static let all: Set = ["ab", "ac", "ad", "ba", "bc", "bd", "ca", "cb", "cd", "da", "db", "dc"]

    @Test("A two-way partition cuts both directions and nothing else")
    func twoWay() {
        let carried = links(at: 5) { try $0.faults.inject("partition", targets: ["a"], others: ["b"]) }
        #expect(carried == Self.all.subtracting(["ab", "ba"]))
    }

    @Test("A one-way partition cuts the way from the targets to the others only")
    func oneWay() {
        let carried = links(at: 5) { try $0.faults.inject("partition-one-way", targets: ["a"], others: ["b"]) }
        #expect(carried == Self.all.subtracting(["ab"]))
    }

    @Test("A partition of groups cuts every link between them, and none within one")
    func groups() {
        let carried = links(at: 5) { try $0.faults.inject("partition", targets: ["a", "b"], others: ["c", "d"]) }
        #expect(carried == ["ab", "ba", "cd", "dc"])
    }

    @Test("Without others, a partition cuts the targets off from everybody else")
    func everybodyElse() {
        let carried = links(at: 5) { try $0.faults.inject("partition", targets: ["d"]) }
        #expect(carried == ["ab", "ac", "ba", "bc", "ca", "cb"])
    }

    @Test("What was sent before the partition, and what is sent after it, gets through")
    func beforeAndAfter() {
        for second in [1, 8] {
            let carried = links(at: second) { simulation in
                let id = try simulation.faults.inject("partition", targets: ["a", "b"], others: ["c", "d"])
                let healer = Healer(simulation, id)
                let handler = simulation.register(healer)
                simulation.schedule(at: .epoch + .milliseconds(6_500), handler, code: 1)
            }
            #expect(carried == Self.all, "second \(second)")
        }
    }

    @Test("Two partitions of one link: it is cut until both have healed")
    func overlapping() {
        let simulation = Simulation(seed: 1)
        let (a, b) = (simulation.addProcess("a"), simulation.addProcess("b"))
        var blocked: [Bool] = []
        let report = simulation.run { _ in }
        #expect(report.held)
        var state = NetworkState()
        let disturbance = NetworkDisturbance(
            from: ProcessSet([a]), to: ProcessSet([b]), effect: .block, fault: FaultInstanceID(rawValue: 0))
        let ids = [state.install(disturbance), state.install(disturbance)]
        blocked.append(state.isBlocked(from: a, to: b))
        state.remove(ids[0])
        blocked.append(state.isBlocked(from: a, to: b))
        state.remove(ids[1])
        blocked.append(state.isBlocked(from: a, to: b))
        blocked.append(state.isBlocked(from: b, to: a))
        #expect(blocked == [true, true, false, false])
    }

    /// Messages sent every 100 ms under a fault between seconds 1 and 3: when each arrives.
    private func arrivals(
        under fault: ScheduledFault
    ) throws -> (report: RunReport, times: [(message: Int, at: Nanoseconds)]) {
        let simulation = Simulation(seed: 1)
        simulation.network.state.defaultQuality = LinkQuality(latency: .constant(.milliseconds(3)))
        let bus = MessageBus<Int>(simulation, name: "bus")
        let times = Box<[(message: Int, at: Nanoseconds)]>([])
        simulation.addProcess("receiver") { context in
            while true { times.value.append((try await bus.receive(context).message, simulation.now - .epoch)) }
        }
        simulation.addProcess("sender") { context in
            for message in 0..<50 {
                try bus.send(message, from: context, to: "receiver")
                try await context.clock.sleep(for: .milliseconds(97))
            }
        }
        try simulation.faults.schedule([fault])
        let report = simulation.run { context in try await context.clock.sleep(for: .seconds(10)) }
        return (report, times.value)
    }

    @Test("A flapping partition comes and goes with its period until it ends")
    func flapping() throws {
        let (report, times) = try arrivals(
            under: ScheduledFault(
                "flapping", at: .seconds(1), duration: .seconds(2), targets: ["sender"], parameters: ["period": 500]))
        #expect(report.held)
        let sent = Set(times.map { $0.message * 97 })
        func share(_ from: Int, _ to: Int) -> (carried: Int, sent: Int) {
            let all = (0..<50).map { $0 * 97 }.filter { $0 >= from && $0 < to }
            return (all.filter(sent.contains).count, all.count)
        }
        for (from, to, carries) in [
            (0, 1_000, true), (1_000, 1_500, false), (1_500, 2_000, true), (2_000, 2_500, false), (2_500, 3_000, true),
            (3_000, 4_850, true),
        ] {
            let (carried, sent) = share(from, to)
            #expect(carried == (carries ? sent : 0), "\(from) ms to \(to) ms")
        }
        #expect(report.effectCount(of: "flapping") > 0)
    }

    @Test("A clogged link gives nothing until it clears, and then everything, in the order in which it was sent")
    func clog() throws {
        let (report, times) = try arrivals(
            under: ScheduledFault("clog", at: .seconds(1), duration: .milliseconds(2_001), targets: ["sender"]))
        #expect(report.held)
        #expect(times.map(\.message) == Array(0..<50))
        #expect(times.allSatisfy { $0.at < .seconds(1) || $0.at >= .milliseconds(3_001) })
        let released = times.filter { $0.at == .milliseconds(3_001) }.count
        #expect(released == 20)
        #expect(report.effectCount(of: "clog") == Int64(released))
    }

    @Test("A clog that never clears holds what was sent for ever, without keeping the run busy")
    func endlessClog() throws {
        let (report, times) = try arrivals(under: ScheduledFault("clog", at: .seconds(1), targets: ["sender"]))
        #expect(report.held)
        #expect(times.count == 11)
        #expect(report.eventCount < 200)
    }
}

/// Heals a fault when its event comes.
private final class Healer: EventHandler {
    private unowned let simulation: Simulation
    private let fault: FaultInstanceID

    init(_ simulation: Simulation, _ fault: FaultInstanceID) {
        self.simulation = simulation
        self.fault = fault
    }

    func handle(_ event: KernelEvent) { simulation.faults.heal(fault) }
    func describe(_ event: KernelEvent) -> String { "heal" }
}
