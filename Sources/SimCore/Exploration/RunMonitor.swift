public import Ports

/// Lets another thread see whether runs get on: a process that never gives the thread back cannot be interrupted from inside.
public final class RunMonitor: Sendable {
    /// A run as it was seen from outside.
    public struct Observation: Hashable, Sendable {
        /// The run's seed.
        public let seed: UInt64
        /// Steps done so far; read without synchronisation, and good for telling movement from standstill only.
        public let stepCount: UInt64
        /// The run's virtual time; read without synchronisation as well, to be shown and nothing else.
        public let now: Instant
        /// The process whose code runs, as far as is known.
        public let process: String
    }

    private struct Run {
        let simulation: Simulation
        /// Kept here, under the lock: the simulation's own list grows while others read.
        var processNames: [String] = []
    }

    private let running = Locked<[Run]>([])

    /// A monitor that watches nothing yet; give it to ``Scenario/run(_:faults:schedule:stopwatch:monitor:)``.
    public init() {}

    /// Watches a simulation that is to be set up and run on the calling thread.
    func attach(_ simulation: Simulation) {
        // From here on and not only when it runs, so that what traps during its set-up is known as its own.
        simulation.executor.thread.adoptCurrentThread()
        simulation.monitor = self
        running.withLock { $0.append(Run(simulation: simulation, processNames: simulation.processNames)) }
    }

    func detach(_ simulation: Simulation) {
        simulation.monitor = nil
        running.withLock { $0.removeAll { $0.simulation === simulation } }
    }

    /// Notes a process that a simulation has got.
    func addProcess(_ name: String, to simulation: Simulation) {
        running.withLock { runs in
            guard let index = runs.firstIndex(where: { $0.simulation === simulation }) else { return }
            runs[index].processNames.append(name)
        }
    }

    /// The runs under way.
    public func observe() -> [Observation] { running.withLock { $0.map(Self.observe) } }

    /// The run that has the calling thread; for whoever says where the process was when it trapped.
    public func observeOwnThread() -> Observation? {
        running.withLock { $0.last { $0.simulation.executor.thread.isOwnedByCaller }.map(Self.observe) }
    }

    private static func observe(_ run: Run) -> Observation {
        let state = run.simulation.state
        let (index, names) = (Int(state.pointee.currentProcess), run.processNames)
        return Observation(
            seed: run.simulation.seed, stepCount: state.pointee.stepCount, now: run.simulation.now,
            process: index < names.count ? names[index] : "the simulation itself")
    }
}
