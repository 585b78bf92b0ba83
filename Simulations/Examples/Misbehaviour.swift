import Ports
public import SimCore

/// Code that does what simulated code must not do, one mistake each, to see how it is reported.
///
/// A worker makes its mistake after a second of virtual time. Every mistake ends in a report that names the seed, none in a
/// hang of the tool.
public enum Misbehaviour: String, Sendable, CaseIterable {
    /// A property whose check throws.
    case propertyThrows = "property-throws"
    /// A main function that throws an error of its own.
    case taskThrows = "task-throws"
    /// A main function that traps, as a failed precondition does.
    case trap
    /// A loop that awaits nothing: it never gives the thread back.
    case block
    /// A loop that awaits, and takes no virtual time.
    case spin
    /// A wait for what never comes.
    case deadlock
    /// A loop that goes on after the crash of its process.
    case outliveCrash = "outlive-crash"
    /// The order of a set decides what happens: it differs from process to process.
    case setOrder = "set-order"
    /// A plan whose faults come too late to change anything.
    case idleFault = "idle-fault"

    private struct WorkerError: Error {}

    public var scenario: Scenario {
        Scenario(
            "misbehaviour", summary: "code that does what it must not, to see how it is reported",
            options: ["mistake": rawValue]
        ) { simulation in
            let worker = simulation.addProcess("worker") { context in
                try await context.sleep(for: .seconds(1))
                try await makeMistake(context)
            }
            simulation.properties.always("the worker is at work") {
                if self == .propertyThrows, simulation.now >= .epoch + .seconds(1) { throw WorkerError() }
                return .holds
            }
            // The worker is done after a second.
            let idle = FaultPlan(
                entries: [.init("crash", pool: ["worker"])], start: .seconds(2), safetyPhase: .seconds(1),
                meanGap: .milliseconds(100))
            return Scenario.Prepared(faultPlan: self == .idleFault ? idle : nil) { context in
                try await context.sleep(for: .seconds(2))
                switch self {
                case .deadlock:
                    let waiter = simulation.makeWaiter(context, WaitReason("an answer of the worker"))
                    try await simulation.wait(waiter)
                case .outliveCrash: simulation.crash(worker)
                default: break
                }
                try await context.sleep(for: .seconds(2))
            }
        }
    }

    private func makeMistake(_ context: ProcessContext) async throws {
        switch self {
        case .propertyThrows, .deadlock, .idleFault: break
        case .taskThrows: throw WorkerError()
        case .trap: preconditionFailure("the worker found its own state broken")
        case .block: while true {}
        case .spin: while true { try await context.sleep(for: .zero) }
        case .outliveCrash: while true { try? await context.sleep(for: .milliseconds(1)) }
        case .setOrder:
            for delay in Set<Int64>(1...20) { try await context.sleep(for: .microseconds(delay)) }
        }
    }
}
