import Ports
import SimCore
import Testing

@Suite("What is due at one instant")
struct SameInstantTests {
    /// What brings two processes to go on at the same moment.
    enum Occasion: CaseIterable {
        case sleep, start, message, wakeUp
    }

    /// The processes in the order in which they go on.
    private func order(_ occasion: Occasion, _ scheduling: Scheduling, seed: UInt64) -> [String] {
        var settings = SimulationSettings(seed: seed)
        settings.scheduling = scheduling
        let simulation = Simulation(settings)
        simulation.network.state.defaultQuality = LinkQuality(latency: .constant(.milliseconds(1)))
        let bus = MessageBus<Int>(simulation, name: "bus")
        let waiters = Box<[WaiterID]>([])
        let notes = Notes()
        for name in ["a", "b", "c"] {
            simulation.addProcess(name) { context in
                switch occasion {
                case .sleep: try await context.sleep(for: .seconds(1))
                case .start: break
                case .message: _ = try await bus.receive(context)
                case .wakeUp:
                    waiters.value.append(simulation.makeWaiter(context, WaitReason("the driver")))
                    try await simulation.wait(waiters.value.last!)
                }
                notes.add(name)
            }
        }
        let report = simulation.run { context in
            try await context.sleep(for: .milliseconds(500))
            if occasion == .message { for name in ["a", "b", "c"] { try bus.send(1, from: context, to: name) } }
            if occasion == .wakeUp {
                let inOrder = ["a", "b", "c"].map { context.simulation.process(named: $0)! }
                #expect(inOrder == inOrder.sorted())
                for waiter in waiters.value { simulation.wake(waiter) }
            }
            try await context.sleep(for: .seconds(1))
        }
        #expect(report.held)
        return notes.lines
    }

    @Test("In order, processes go on in the order in which they came to wait", arguments: Occasion.allCases)
    func inOrder(occasion: Occasion) {
        #expect((1...10).allSatisfy { order(occasion, .inOrder, seed: $0) == ["a", "b", "c"] })
    }

    @Test("At random, every order of processes that go on at one instant comes up", arguments: Occasion.allCases)
    func random(occasion: Occasion) {
        #expect(Set((1...200).map { order(occasion, .random, seed: $0) }).count == 6)
    }

    @Test("By priorities, every order of processes that go on at one instant comes up", arguments: Occasion.allCases)
    func priorities(occasion: Occasion) {
        let orders = Set((1...200).map { order(occasion, .priorities(depth: 2, stepCount: 10), seed: $0) })
        #expect(orders.count == 6)
    }

    @Test("What is due at one instant and needs no task is done before a task is chosen, and the choice is repeatable")
    func eventsBeforeChoice() {
        func run(seed: UInt64) -> (lines: [String], hash: TraceHash) {
            var settings = SimulationSettings(seed: seed)
            settings.scheduling = .random
            let simulation = Simulation(settings)
            let notes = Notes()
            simulation.addProcess("sleeper") { context in
                try await context.sleep(for: .seconds(1))
                notes.add("sleeper")
            }
            let handler = simulation.register(AddingHandler(notes))
            for code in 1...3 { simulation.schedule(at: .epoch + .seconds(1), handler, code: UInt16(code)) }
            let report = simulation.run { context in try await context.sleep(for: .seconds(2)) }
            #expect(report.held)
            return (notes.lines, report.traceHash)
        }
        for seed in 1...10 as ClosedRange<UInt64> {
            #expect(run(seed: seed).lines == ["1", "2", "3", "sleeper"])
            #expect(run(seed: seed).hash == run(seed: seed).hash)
        }
    }
}

private final class AddingHandler: EventHandler, @unchecked Sendable {
    private let notes: Notes

    init(_ notes: Notes) { self.notes = notes }
    func handle(_ event: KernelEvent) { notes.add("\(event.code)") }
    func describe(_ event: KernelEvent) -> String { "note \(event.code)" }
}
