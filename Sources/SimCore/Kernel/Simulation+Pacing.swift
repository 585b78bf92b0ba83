public import Ports

/// Ties a simulation to time and work outside of it, so that its processes can serve a real client: a demonstration, not a
/// rehearsal. What comes from outside is in no seed, and so such a run cannot be repeated.
///
/// SimCore reads no clock itself; whoever runs a simulation this way brings one.
public protocol Pacemaker: AnyObject {
    /// The time outside, in the terms of ``SimulationSettings/start``. Never earlier than it was.
    var now: Instant { get }

    /// Blocks the simulation's thread until `next` has come, or something was handed in, whichever is first. Without `next`
    /// nothing will happen by itself.
    func wait(until next: Instant?)

    /// Takes what was handed in from other threads since the last call. It is run between two events.
    func takeWork() -> [@Sendable () -> Void]
}

extension Simulation {
    /// Runs the simulation like ``run(driver:)``, but no event before its time has come outside as well. The time limit of
    /// the settings does not count.
    ///
    /// A run that falls behind makes up for it without rest; its clocks are late meanwhile.
    public func run(
        pacedBy pacemaker: any Pacemaker, driver: @escaping @Sendable (ProcessContext) async throws -> Void
    ) -> RunReport {
        self.pacemaker = pacemaker
        // The limit of virtual time moves along with the time outside: all else is as in any run.
        state.pointee.timeLimit = state.pointee.now
        return run(driver: driver)
    }

    /// Nothing is left to do up to the limit: takes in what was handed in, waits for what comes next, and moves the limit on.
    func keepPace(_ pacemaker: any Pacemaker) {
        let work = pacemaker.takeWork()
        if !work.isEmpty {
            // Everything up to the limit has happened, so it is the time now; what is due later must stay in the future.
            state.pointee.now = max(state.pointee.now, state.pointee.timeLimit)
            state.pointee.instantStepCount = 0
            for item in work { item() }
        }
        if state.pointee.ready.isEmpty, !state.pointee.isStopRequested {
            let next = state.pointee.events.earliestBound.map { Instant(nanosecondsSinceEpoch: Int64(bitPattern: $0)) }
            if next.map({ $0 > pacemaker.now }) ?? true { pacemaker.wait(until: next) }
        }
        let now = UInt64(max(0, pacemaker.now.nanosecondsSinceEpoch))
        state.pointee.timeLimit = max(state.pointee.timeLimit, now)
    }
}
