public import Ports

/// What kind of thing went wrong in a run.
public enum ViolationKind: String, Hashable, Sendable, Codable, CaseIterable {
    /// A property did not hold.
    case property
    /// A property's own check threw.
    case propertyError
    /// Something waits, and nothing is left to happen.
    case deadlock
    /// Too many events at one instant: somebody spins.
    case livelock
    /// The run's bound on virtual time passed.
    case timeLimit
    /// A process's main function threw an error of its own.
    case processError
    /// Work of a process outlived its crash.
    case outlivedCrash
    /// A dead incarnation goes on calling ports.
    case calledAfterStop
    /// After the faults stopped, something did not finish within its bound.
    case liveness
    /// Something called the simulation in a way it must not, for example from another thread.
    case misuse
}

/// What went wrong in a run, where and when.
public struct Violation: Hashable, Sendable, Codable, Error {
    /// What sort of thing it is.
    public let kind: ViolationKind
    /// Name of the property, or of the process concerned.
    public let name: String
    /// What was seen, and what was expected.
    public let message: String
    /// Virtual time.
    public let at: Nanoseconds
    /// The number of the event after which it was seen, as ``TraceEntry/step`` has it; zero before the first.
    public let step: UInt64

    /// A violation as it was written.
    public init(kind: ViolationKind, name: String, message: String, at: Nanoseconds, step: UInt64) {
        self.kind = kind
        self.name = name
        self.message = message
        self.at = at
        self.step = step
    }
}

extension Violation: CustomStringConvertible {
    /// All of it on one line.
    public var description: String { "\(kind.rawValue) \(name) at \(at), event #\(step): \(message)" }
}
