import Ports
import SimCore

/// What code inside a simulation leaves for the test to look at. A simulation is one thread, so nothing guards it.
final class Box<Value>: @unchecked Sendable {
    var value: Value

    init(_ value: Value) { self.value = value }
}

/// Lines noted in the order in which they were, each with its virtual time when asked for.
final class Notes: @unchecked Sendable {
    private(set) var lines: [String] = []
    /// When each was noted, where a clock was given.
    private(set) var times: [Instant] = []
    var clock: (() -> Instant)?

    func add(_ line: String) {
        lines.append(line)
        if let clock { times.append(clock()) }
    }
    func removeAll() {
        lines = []
        times = []
    }
    func add(_ line: String, _ context: ProcessContext) { lines.append("\(context.simulation.now) \(line)") }
}

/// An event handler that notes what it is told.
final class NotingHandler: EventHandler, @unchecked Sendable {
    let notes = Notes()
    private unowned let simulation: Simulation

    init(_ simulation: Simulation) { self.simulation = simulation }

    func handle(_ event: KernelEvent) { notes.add("\(simulation.now) \(event.code)") }
    func describe(_ event: KernelEvent) -> String { "note \(event.code)" }
}

/// Runs a simulation that consists of its driver alone.
@discardableResult
func simulate(
    seed: UInt64 = 1, scheduling: Scheduling = .inOrder,
    _ driver: @escaping @Sendable (ProcessContext) async throws -> Void
) -> RunReport {
    var settings = SimulationSettings(seed: seed)
    settings.scheduling = scheduling
    return Simulation(settings).run(driver: driver)
}

extension RunReport {
    /// The kinds of what went wrong, in order.
    var kinds: [ViolationKind] { violations.map(\.kind) }

    /// How often faults of that kind took effect; zero when none was scheduled.
    func effectCount(of kind: String) -> Int64 { faults.first { $0.kind == kind }?.effectCount ?? 0 }
}
