import Ports

/// The kernel's own events: timers of waiting tasks, starts of processes, and moments at which properties are looked at.
final class KernelEvents: EventHandler {
    enum Code: UInt16 {
        /// A waiter's time has come; `first` is its id, `second` the ``WakeReason``.
        case wake = 1
        /// A process starts; `first` is its number.
        case start = 2
        /// Nothing but a step, for properties with a deadline.
        case look = 3
        /// A process that was paused takes in the next of what came meanwhile; `first` is the process.
        case catchUp = 4
    }

    private unowned let simulation: Simulation

    init(simulation: Simulation) { self.simulation = simulation }

    func handle(_ event: KernelEvent) {
        switch Code(rawValue: event.code) {
        case .wake: preconditionFailure("the run loop wakes waiters itself")
        case .start: simulation.start(ProcessID(index: UInt32(event.first)))
        case .look: simulation.state.pointee.needsPropertyCheck = true
        case .catchUp: simulation.catchUp(ProcessID(index: UInt32(event.first)))
        case nil: preconditionFailure("the kernel has no event code \(event.code)")
        }
    }

    func describe(_ event: KernelEvent) -> String {
        switch Code(rawValue: event.code) {
        case .wake: "a task wakes"
        case .start: describeStart(simulation.processes[Int(event.first)])
        case .look: "properties are due"
        case .catchUp: "\(simulation.processes[Int(event.first)].name) catches up"
        case nil: "code \(event.code)"
        }
    }

    /// Called before the event is handled. A start that somebody scheduled may find that another one came first.
    private func describeStart(_ process: SimulatedProcess) -> String {
        process.state == .running ? "no start of \(process.name): it runs" : "start \(process.name)"
    }
}
