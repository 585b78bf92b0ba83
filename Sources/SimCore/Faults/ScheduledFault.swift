public import Ports

/// One fault of a schedule, as data: what, when, for how long, to whom, and how hard.
public struct ScheduledFault: Hashable, Sendable, Codable {
    /// Name of a ``FaultDefinition``.
    public var kind: String
    /// When it begins, from the start of the run.
    public var at: Nanoseconds
    /// How long it lasts; zero for one that happens at a point in time.
    public var duration: Nanoseconds
    /// Names of the processes concerned.
    public var targets: [String]
    /// The other side, for a kind that has two; empty means everybody else.
    public var others: [String]
    /// Values of the kind's parameters; those left out have their defaults.
    public var parameters: [String: Int64]

    public init(
        _ kind: String, at: Nanoseconds, duration: Nanoseconds = .zero, targets: [String] = [], others: [String] = [],
        parameters: [String: Int64] = [:]
    ) {
        self.kind = kind
        self.at = at
        self.duration = duration
        self.targets = targets
        self.others = others
        self.parameters = parameters
    }
}

extension ScheduledFault: CustomStringConvertible {
    public var description: String {
        var text = "\(kind) at \(at)"
        if duration > .zero { text += " for \(duration)" }
        if !targets.isEmpty { text += " on \(targets.joined(separator: ","))" }
        if !others.isEmpty { text += " from \(others.joined(separator: ","))" }
        for name in parameters.keys.sorted() { text += " \(name)=\(parameters[name]!)" }
        return text
    }
}

/// Names one fault of a run's schedule: its position there.
public struct FaultInstanceID: Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Why a fault schedule cannot be run.
public enum FaultScheduleError: Error, Hashable, Sendable {
    case unknownKind(String, known: [String])
    case unknownProcess(String, fault: String, known: [String])
    case unknownParameter(String, fault: String, known: [String])
    case parameterOutOfRange(String, fault: String, value: Int64, range: ClosedRange<Int64>)
    case wrongTargets(fault: String, expected: String, found: Int)
    case negativeTime(fault: String)
}

extension FaultScheduleError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownKind(let kind, let known):
            "unknown fault '\(kind)'; known are \(known.joined(separator: ", "))"
        case .unknownProcess(let name, let fault, let known):
            "fault '\(fault)' names process '\(name)', which does not exist; there are \(known.joined(separator: ", "))"
        case .unknownParameter(let name, let fault, let known):
            "fault '\(fault)' has no parameter '\(name)'; it has \(known.isEmpty ? "none" : known.joined(separator: ", "))"
        case .parameterOutOfRange(let name, let fault, let value, let range):
            "parameter '\(name)' of fault '\(fault)' is \(value); expected \(range.lowerBound) to \(range.upperBound)"
        case .wrongTargets(let fault, let expected, let found):
            "fault '\(fault)' needs \(expected), and the schedule names \(found)"
        case .negativeTime(let fault): "fault '\(fault)' has a negative time or duration; expected zero or more"
        }
    }
}
