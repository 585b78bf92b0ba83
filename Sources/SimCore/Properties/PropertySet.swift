public import Ports

/// What a property found: that it holds, or what it saw instead.
public enum PropertyVerdict: Hashable, Sendable, ExpressibleByBooleanLiteral {
    /// All is as it should be.
    case holds
    /// It is not; what was seen instead, for the report.
    case violated(String)

    /// `true` holds; `false` says nothing of what was seen.
    public init(booleanLiteral value: Bool) { self = value ? .holds : .violated("it does not hold") }
    /// A verdict from a condition. What was seen is put into words only when it does not hold.
    public init(_ holds: Bool, _ seen: @autoclosure () -> String = "it does not hold") {
        self = holds ? .holds : .violated(seen())
    }
}

/// Something that a property depends on. Whoever changes it says so, and only then are its properties checked.
///
/// Touched on the simulation's thread only.
public final class Dependency: @unchecked Sendable {
    /// What it is, for reports.
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
///
/// Touched on the simulation's thread only.
public final class SometimesProperty: @unchecked Sendable {
    /// What should happen.
    public let name: String
    /// How often it has happened in this run.
    public private(set) var count: UInt64 = 0

    init(name: String) { self.name = name }

    /// It has happened.
    public func reached() { count += 1 }
}

/// What one property cost and did in a run.
public struct PropertyStatistics: Hashable, Sendable, Codable {
    /// Name of the property.
    public let name: String
    /// How often it was checked.
    public let checkCount: UInt64
    /// Wall time of all checks, estimated from every sixteenth; zero when the run was given no stopwatch.
    public let estimatedNanoseconds: UInt64

    /// Figures of a property, as they were written or added up.
    public init(name: String, checkCount: UInt64, estimatedNanoseconds: UInt64) {
        self.name = name
        self.checkCount = checkCount
        self.estimatedNanoseconds = estimatedNanoseconds
    }
}

/// Counts the checks of one property, and times every sixteenth of them, beginning with the first.
private struct CheckMeter {
    private var checkCount: UInt64 = 0
    private var sampleCount: UInt64 = 0
    private var sampledNanoseconds: UInt64 = 0

    mutating func measure<Result>(_ stopwatch: (@Sendable () -> UInt64)?, _ check: () -> Result) -> Result {
        checkCount += 1
        guard checkCount & 15 == 1, let stopwatch else { return check() }
        let start = stopwatch()
        let result = check()
        sampledNanoseconds += stopwatch() - start
        sampleCount += 1
        return result
    }

    func statistics(_ name: String) -> PropertyStatistics {
        PropertyStatistics(name: name, checkCount: checkCount, estimatedNanoseconds: estimatedNanoseconds)
    }

    /// The samples' mean times the number of checks. The product may lie beyond 64 bits: a long check, or very many.
    private var estimatedNanoseconds: UInt64 {
        guard sampleCount > 0 else { return 0 }
        let product = sampledNanoseconds.multipliedFullWidth(by: checkCount)
        return product.high < sampleCount ? sampleCount.dividingFullWidth(product).quotient : .max
    }
}

/// The properties of one run.
///
/// Safety: ``always(_:on:check:)``. Coverage: ``sometimes(_:)``. Liveness: ``eventually(_:within:check:)``. What is
/// judged when all is quiet: ``atQuiescence(_:check:)``.
public final class PropertySet {
    /// Looks at the world and judges it. It must not change or draw anything; what it throws fails the run as an error
    /// of
    /// the property.
    public typealias Check = () throws -> PropertyVerdict

    private struct AlwaysProperty {
        let name: String
        let dependency: Dependency?
        let check: Check
        var seenVersion: UInt64 = 0
        var meter = CheckMeter()
    }

    private struct EventualProperty {
        let name: String
        let deadline: Instant
        let check: Check
        var isFulfilled = false
        var meter = CheckMeter()
    }

    private struct QuiescenceProperty {
        let name: String
        let check: Check
        var meter = CheckMeter()
    }

    private var always: ContiguousArray<AlwaysProperty> = []
    private var sometimes: ContiguousArray<SometimesProperty> = []
    private var eventual: ContiguousArray<EventualProperty> = []
    /// How many of them are still to come true: zero spares the look.
    private var openEventualCount = 0
    private var quiescence: ContiguousArray<QuiescenceProperty> = []
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
        openEventualCount += 1
        simulation.state.pointee.observesEveryStep = true
        // The deadline's own instant is still in time, all of it.
        simulation.scheduleWakeUp(at: simulation.now + span + .nanoseconds(1))
    }

    /// Must hold when the run has come to rest, that is when its driver has returned.
    public func atQuiescence(_ name: String, check: @escaping Check) {
        quiescence.append(QuiescenceProperty(name: name, check: check))
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
        return openEventualCount == 0 ? nil : checkEventual()
    }

    private func run(_ property: inout AlwaysProperty) -> Violation? {
        let (name, check) = (property.name, property.check)
        return property.meter.measure(stopwatch) { judge(name, check) }
    }

    private func checkEventual() -> Violation? {
        for index in eventual.indices where !eventual[index].isFulfilled {
            switch verdictOfEventual(index) {
            case .success(.holds): fulfil(index)
            case .success(.violated(let seen)):
                let property = eventual[index]
                if simulation.now > property.deadline {
                    return simulation.violation(
                        .liveness, property.name, "did not come to hold by \(property.deadline): \(seen)")
                }
            case .failure(let error):
                return simulation.violation(.propertyError, eventual[index].name, "its check threw \(error)")
            }
        }
        return nil
    }

    private func verdictOfEventual(_ index: Int) -> Result<PropertyVerdict, any Error> {
        let check = eventual[index].check
        return eventual[index].meter.measure(stopwatch) { verdict(check) }
    }

    private func fulfil(_ index: Int) {
        eventual[index].isFulfilled = true
        openEventualCount -= 1
        // Who made every step be looked at may have been the last that needed it.
        simulation.state.pointee.observesEveryStep = openEventualCount > 0 || always.contains { $0.dependency == nil }
    }

    /// Judges what must hold at rest. A property that was still to come true is judged too.
    func checkQuiescence() -> [Violation] {
        var violations: [Violation] = []
        for index in quiescence.indices {
            let (name, check) = (quiescence[index].name, quiescence[index].check)
            let violation = quiescence[index].meter.measure(stopwatch) { judge(name, check) }
            if let violation { violations.append(violation) }
        }
        for index in eventual.indices where !eventual[index].isFulfilled {
            switch verdictOfEventual(index) {
            case .success(.holds): fulfil(index)
            case .success(.violated(let seen)):
                violations.append(
                    simulation.violation(
                        .liveness, eventual[index].name, "the run came to rest and it does not hold: \(seen)"))
            case .failure(let error):
                violations.append(
                    simulation.violation(.propertyError, eventual[index].name, "its check threw \(error)"))
            }
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

    /// What each property that was judged cost: `always`, then `eventually`, then at quiescence, in order of declaration.
    var statistics: [PropertyStatistics] {
        always.map { $0.meter.statistics($0.name) } + eventual.map { $0.meter.statistics($0.name) }
            + quiescence.map { $0.meter.statistics($0.name) }
    }

    /// How often each ``sometimes(_:)`` happened, in order of declaration.
    var sometimesCounts: [(name: String, count: UInt64)] { sometimes.map { ($0.name, $0.count) } }
}
