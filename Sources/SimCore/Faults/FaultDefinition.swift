public import Ports

/// A parameter of a fault kind: an integer with a unit, a default and a range.
public struct FaultParameter: Hashable, Sendable {
    /// What a schedule calls it.
    public let name: String
    /// For example `ms`, `ppm`, `percent`; empty for a plain count.
    public let unit: String
    /// What holds where a schedule does not say.
    public let defaultValue: Int64
    /// What a schedule may say, and what a swarm draws from.
    public let range: ClosedRange<Int64>

    /// A parameter of a kind that is being defined.
    public init(_ name: String, unit: String, default defaultValue: Int64, in range: ClosedRange<Int64>) {
        self.name = name
        self.unit = unit
        self.defaultValue = defaultValue
        self.range = range
    }
}

/// Whom a fault kind concerns.
public enum FaultTargets: Hashable, Sendable {
    /// Nobody in particular.
    case none
    /// At least one process.
    case processes
    /// Two groups: targets, and others (everybody else when empty).
    case groups
}

/// A fault as it is being injected: what its definition works with.
public struct FaultInjection {
    /// The run that it happens in.
    public let simulation: Simulation
    /// Which fault of the run's schedule it is.
    public let id: FaultInstanceID
    /// The fault as it was scheduled.
    public let fault: ScheduledFault
    /// Whom it hits.
    public let targets: [ProcessID]
    /// The other side: everybody else unless the schedule names some.
    public let others: [ProcessID]
    let definition: FaultDefinition

    /// The value of a parameter, or its default.
    ///
    /// - Precondition: the definition declares it.
    public func parameter(_ name: String) -> Int64 {
        guard let declared = definition.parameters.first(where: { $0.name == name }) else {
            preconditionFailure("fault \(definition.name) reads parameter '\(name)', which it does not declare")
        }
        return fault.parameters[name] ?? declared.defaultValue
    }

    /// Counts that the fault really changed something.
    public func tookEffect() { simulation.faults.tookEffect(id) }

    /// A decision of this very fault, from a stream that nothing else draws from.
    public func draw(below bound: UInt64) -> UInt64 {
        let stream = simulation.decisions.stream("fault", simulation.faults.decisionEntity(of: id))
        return simulation.decisions.draw(stream, below: bound)
    }
}

/// A kind of fault: its name, parameters, and what it does. The catalogue has a file for each family; a domain adds its own
/// with ``FaultController/register(_:)``.
public struct FaultDefinition: Sendable {
    /// Undoes what was done, when the fault's time is over or the liveness phase begins.
    public typealias Healing = () -> Void

    /// What schedules, plans and command lines call it: lower case, with hyphens.
    public let name: String
    /// One sentence for help texts.
    public let summary: String
    /// Whom it concerns.
    public let targets: FaultTargets
    /// What a schedule can set, in the order in which a plan draws it.
    public let parameters: [FaultParameter]
    /// How long an instance lasts when it is drawn; `nil` for a kind that happens at a point in time.
    public let durationRange: ClosedRange<Nanoseconds>?
    /// Does it; what it returns heals it.
    public let begin: @Sendable (FaultInjection) -> Healing?

    /// A kind that is to be registered with ``FaultController/register(_:)``.
    ///
    /// - Parameters:
    ///   - durationRange: how long an instance lasts when it is drawn.
    ///   - begin: does it and returns what undoes it; counts its effect with ``FaultInjection/tookEffect()``.
    public init(
        _ name: String, summary: String, targets: FaultTargets, parameters: [FaultParameter] = [],
        lasting durationRange: ClosedRange<Nanoseconds>? = nil, begin: @escaping @Sendable (FaultInjection) -> Healing?
    ) {
        self.name = name
        self.summary = summary
        self.targets = targets
        self.parameters = parameters
        self.durationRange = durationRange
        self.begin = begin
    }
}
