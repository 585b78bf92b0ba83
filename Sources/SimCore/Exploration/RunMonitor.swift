/// Lets another thread see whether runs get on: a process that never gives the thread back cannot be interrupted from inside.
public final class RunMonitor: Sendable {
    /// A run as it was seen from outside.
    public struct Observation: Hashable, Sendable {
        public let seed: UInt64
        /// Steps done so far; read without synchronisation, and good for telling movement from standstill only.
        public let stepCount: UInt64
        /// The process whose code runs, as far as is known.
        public let process: String
    }

    private let running = Locked<[Simulation]>([])

    public init() {}

    func attach(_ simulation: Simulation) { running.withLock { $0.append(simulation) } }
    func detach(_ simulation: Simulation) { running.withLock { $0.removeAll { $0 === simulation } } }

    /// The runs under way.
    public func observe() -> [Observation] { running.withLock { $0.map(Self.observe) } }

    /// The run that has the calling thread; for whoever says where the process was when it trapped.
    public func observeOwnThread() -> Observation? {
        running.withLock { $0.first { $0.isOnOwnThread }.map(Self.observe) }
    }

    private static func observe(_ simulation: Simulation) -> Observation {
        let index = Int(simulation.state.pointee.currentProcess)
        let names = simulation.processNames
        return Observation(
            seed: simulation.seed, stepCount: simulation.state.pointee.stepCount,
            process: index < names.count ? names[index] : "the simulation itself")
    }
}
