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

    /// A fault of a schedule that is written by hand.
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
    /// All of it on one line.
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
    /// The position.
    public let rawValue: UInt32
    /// Names the fault at that position.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Why a fault schedule cannot be run.
public enum FaultScheduleError: Error, Hashable, Sendable {
    /// No kind has that name.
    case unknownKind(String, known: [String])
    /// No process has that name.
    case unknownProcess(String, fault: String, known: [String])
    /// The kind does not declare that parameter.
    case unknownParameter(String, fault: String, known: [String])
    /// The parameter has a value that the kind does not take.
    case parameterOutOfRange(String, fault: String, value: Int64, range: ClosedRange<Int64>)
    /// The kind needs targets and there are none, or the other way round.
    case wrongTargets(fault: String, expected: String, found: Int)
    /// It begins before the run, or lasts less than no time.
    case negativeTime(fault: String)
    /// It would last beyond ``FaultController/latestTime``.
    case tooLate(fault: String)
    /// The kind exists, and the scenario's plan never draws it.
    case notPlanned(String, planned: [String])
    /// An empty list of kinds was selected.
    case nothingSelected
}

extension FaultScheduleError: CustomStringConvertible {
    /// What cannot be run, and what was expected, on one line.
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
        case .tooLate(let fault):
            "fault '\(fault)' begins or ends after \(FaultController.latestTime); expected an earlier end"
        case .notPlanned(let kind, let planned):
            "fault '\(kind)' is not in the scenario's plan; it has \(planned.isEmpty ? "none" : planned.joined(separator: ", "))"
        case .nothingSelected: "no fault is selected; expected all, none, or kinds separated by commas"
        }
    }
}
