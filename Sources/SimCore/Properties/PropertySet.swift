public import Ports

/// What a property found: that it holds, or what it saw instead.
public enum PropertyVerdict: Hashable, Sendable, ExpressibleByBooleanLiteral {
    case holds
    case violated(String)

    public init(booleanLiteral value: Bool) { self = value ? .holds : .violated("it does not hold") }
    public init(_ holds: Bool, _ seen: @autoclosure () -> String = "it does not hold") {
        self = holds ? .holds : .violated(seen())
    }
}

/// Something that a property depends on. Whoever changes it says so, and only then are its properties checked.
public final class Dependency {
    public let name: String
    /// Grows with each change.
    @usableFromInline var version: UInt64 = 1
    /// Flagged, so that an unchanged world costs one load per event.
    @usableFromInline let simulation: Simulation

    init(name: String, simulation: Simulation) {
        self.name = name
        self.simulation = simulation
    }

    /// Says that it has changed: its properties are checked after the present event.
    @inlinable public func changed() {
        version &+= 1
        simulation.state.pointee.needsPropertyCheck = true
    }
}

/// A thing that should happen in some run of a campaign; one in which it never did says so.
public final class SometimesProperty {
    public let name: String
    public private(set) var count: UInt64 = 0

    init(name: String) { self.name = name }

    /// It has happened.
    public func reached() { count += 1 }
}

/// What one property cost and did in a run.
public struct PropertyStatistics: Hashable, Sendable, Codable {
    public let name: String
    public let checkCount: UInt64
    /// Wall time of all checks, estimated from every sixteenth; zero when the run was given no stopwatch.
    public let estimatedNanoseconds: UInt64
}

/// The properties of one run.
///
/// Safety: ``always(_:on:check:)``. Coverage: ``sometimes(_:)``. Liveness: ``eventually(_:within:check:)``. What is
/// judged when all is quiet: ``atQuiescence(_:check:)``.
public final class PropertySet {
    public typealias Check = () throws -> PropertyVerdict

    private struct AlwaysProperty {
        let name: String
        let dependency: Dependency?
        let check: Check
        var seenVersion: UInt64 = 0
        var checkCount: UInt64 = 0
        var sampledNanoseconds: UInt64 = 0
    }

    private struct EventualProperty {
        let name: String
        let deadline: Instant
        let check: Check
    }

    private var always: ContiguousArray<AlwaysProperty> = []
    private var sometimes: ContiguousArray<SometimesProperty> = []
    private var eventual: ContiguousArray<EventualProperty> = []
    private var quiescence: ContiguousArray<(name: String, check: Check)> = []
    private unowned let simulation: Simulation
    /// Reads a monotonic clock in nanoseconds, to measure what checks cost. It never enters a decision.
    var stopwatch: (@Sendable () -> UInt64)?

    init(simulation: Simulation) { self.simulation = simulation }

    /// Declares something that properties depend on.
    public func dependency(_ name: String) -> Dependency { Dependency(name: name, simulation: simulation) }

    /// Must hold after every event, or, with a dependency, after every event that changed it.
    public func always(_ name: String, on dependency: Dependency? = nil, check: @escaping Check) {
        always.append(AlwaysProperty(name: name, dependency: dependency, check: check))
        if dependency == nil { simulation.state.pointee.observesEveryStep = true }
        simulation.state.pointee.needsPropertyCheck = true
    }

    /// Should happen in some run; returns the handle that says when it does.
    public func sometimes(_ name: String) -> SometimesProperty {
        if let known = sometimes.first(where: { $0.name == name }) { return known }
        let property = SometimesProperty(name: name)
        sometimes.append(property)
        return property
    }

    /// Must come to hold within that span of virtual time from now; looked at after every event until it does.
    public func eventually(_ name: String, within span: Nanoseconds, check: @escaping Check) {
        eventual.append(EventualProperty(name: name, deadline: simulation.now + span, check: check))
        simulation.state.pointee.observesEveryStep = true
        simulation.scheduleWakeUp(at: simulation.now + span)
    }

    /// Must hold when the run has come to rest, that is when its driver has returned.
    public func atQuiescence(_ name: String, check: @escaping Check) {
        quiescence.append((name, check))
    }

    /// Looks at what may have changed; the first violation, if there is one.
    func check() -> Violation? {
        for index in always.indices {
            if let dependency = always[index].dependency {
                guard always[index].seenVersion != dependency.version else { continue }
                always[index].seenVersion = dependency.version
            }
            if let violation = run(&always[index]) { return violation }
        }
        return eventual.isEmpty ? nil : checkEventual()
    }

    private func run(_ property: inout AlwaysProperty) -> Violation? {
        property.checkCount += 1
        guard property.checkCount & 15 == 1, let stopwatch else { return judge(property.name, property.check) }
        let start = stopwatch()
        let violation = judge(property.name, property.check)
        property.sampledNanoseconds += stopwatch() - start
        return violation
    }

    private func checkEventual() -> Violation? {
        var index = 0
        while index < eventual.count {
            let property = eventual[index]
            switch verdict(property.check) {
            case .success(.holds): eventual.remove(at: index)
            case .success(.violated(let seen)):
                if simulation.now >= property.deadline {
                    return simulation.violation(
                        .liveness, property.name, "did not come to hold by \(property.deadline): \(seen)")
                }
                index += 1
            case .failure(let error):
                return simulation.violation(.propertyError, property.name, "its check threw \(error)")
            }
        }
        return nil
    }

    /// Judges what must hold at rest. A property that was still to come true is judged too.
    func checkQuiescence() -> [Violation] {
        var violations = quiescence.compactMap { judge($0.name, $0.check) }
        for property in eventual {
            if case .success(.holds) = verdict(property.check) { continue }
            violations.append(
                simulation.violation(.liveness, property.name, "the run came to rest and it does not hold"))
        }
        return violations
    }

    private func judge(_ name: String, _ check: Check) -> Violation? {
        switch verdict(check) {
        case .success(.holds): nil
        case .success(.violated(let seen)): simulation.violation(.property, name, seen)
        case .failure(let error): simulation.violation(.propertyError, name, "its check threw \(error)")
        }
    }

    private func verdict(_ check: Check) -> Result<PropertyVerdict, any Error> { Result { try check() } }

    var statistics: [PropertyStatistics] {
        always.map {
            PropertyStatistics(
                name: $0.name, checkCount: $0.checkCount, estimatedNanoseconds: $0.sampledNanoseconds * 16)
        }
    }

    /// How often each ``sometimes(_:)`` happened, in order of declaration.
    var sometimesCounts: [(name: String, count: UInt64)] { sometimes.map { ($0.name, $0.count) } }
}
