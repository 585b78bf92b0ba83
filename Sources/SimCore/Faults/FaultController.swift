public import Ports

/// The faults of one run: which kinds there are, the schedule, what is active now, and how often each took effect.
public final class FaultController: EventHandler {
    /// No scheduled fault ends later: a hundred years, which leaves room to add to it.
    public static let latestTime = Nanoseconds.hours(100 * 365 * 24)

    private struct Instance {
        let fault: ScheduledFault
        let kind: Int
        /// What its decisions are named after.
        let decisionEntity: String
        var healing: FaultDefinition.Healing?
        /// What begins or ends it in time; none is left once it is over.
        var pending: ScheduledEvent?
        var isOver = false
    }

    private enum Code: UInt16 {
        case begin = 1
        case end = 2
    }

    private unowned let simulation: Simulation
    private var handler: HandlerID!
    private var definitions: [FaultDefinition] = []
    private var kindByName: [String: Int] = [:]
    private var instances: ContiguousArray<Instance> = []
    /// How many faults of a kind, time and targets there are, by what they are named after.
    private var alikeCounts: [String: Int] = [:]
    private var effectCounts: [Int64] = []
    private var scheduledCounts: [Int64] = []
    /// Which kinds the run's plan may draw, whether it drew them or not.
    private var isPlanned: [Bool] = []
    /// True once the liveness phase has begun: no fault begins any more.
    public private(set) var areHealed = false
    private var sparing: [(ProcessID) -> Bool] = []

    init(simulation: Simulation) {
        self.simulation = simulation
        handler = simulation.register(self)
        for definition in FaultDefinition.catalogue { register(definition) }
    }

    /// Adds a kind of fault of the domain's own.
    ///
    /// - Precondition: no other kind has its name.
    public func register(_ definition: FaultDefinition) {
        precondition(kindByName[definition.name] == nil, "fault kind '\(definition.name)' is registered twice")
        kindByName[definition.name] = definitions.count
        definitions.append(definition)
        effectCounts.append(0)
        scheduledCounts.append(0)
        isPlanned.append(false)
    }

    /// Notes which kinds a schedule was drawn from: one that is never drawn is reported as well.
    func plan(_ kinds: [String]) throws(FaultScheduleError) {
        for name in kinds {
            let definition = try definition(name)
            isPlanned[kindByName[definition.name]!] = true
        }
    }

    /// Spares a process from being taken down whenever the condition says so: for faults beyond what a system is built to
    /// take, such as a crash of the last replica. A fault that is spared its target has no effect on it, and is not counted.
    ///
    /// The condition is asked at the moment of the fault, and must not change anything.
    public func spare(where condition: @escaping (ProcessID) -> Bool) { sparing.append(condition) }

    /// Whether a fault has to leave this process up.
    public func isSpared(_ process: ProcessID) -> Bool { sparing.contains { $0(process) } }

    /// Every kind, in order of registration.
    public var kinds: [FaultDefinition] { definitions }

    /// The kind of that name.
    ///
    /// - Throws: ``FaultScheduleError/unknownKind(_:known:)`` when there is none.
    public func definition(_ name: String) throws(FaultScheduleError) -> FaultDefinition {
        guard let kind = kindByName[name] else {
            throw FaultScheduleError.unknownKind(name, known: definitions.map(\.name))
        }
        return definitions[kind]
    }

    /// Schedules faults, in the order given. Nothing is scheduled unless all can be.
    ///
    /// - Throws: ``FaultScheduleError``, which names the first that cannot be.
    public func schedule(_ faults: [ScheduledFault]) throws(FaultScheduleError) {
        for fault in faults { try validate(fault) }
        for fault in faults {
            let index = add(fault)
            instances[index].pending = simulation.schedule(
                at: max(simulation.now, .epoch + fault.at), handler, code: Code.begin.rawValue, first: UInt64(index))
        }
    }

    /// The schedule of this run, including what tests injected by hand.
    public var scheduledFaults: [ScheduledFault] { instances.map(\.fault) }

    /// Injects a fault now, from a scripted scenario. Returns what ends it.
    ///
    /// - Throws: ``FaultScheduleError`` when there is no such kind, process or parameter.
    @discardableResult
    public func inject(
        _ kind: String, targets: [String] = [], others: [String] = [], parameters: [String: Int64] = [:]
    ) throws(FaultScheduleError) -> FaultInstanceID {
        let fault = ScheduledFault(
            kind, at: simulation.now - .epoch, targets: targets, others: others, parameters: parameters)
        try validate(fault)
        let index = add(fault)
        begin(index)
        return FaultInstanceID(rawValue: UInt32(index))
    }

    /// Ends an injected fault; does nothing when it is over.
    public func heal(_ id: FaultInstanceID) { end(Int(id.rawValue)) }

    /// Ends every fault, and lets none begin any more: the start of the liveness phase.
    public func healAll() {
        areHealed = true
        for index in instances.indices { end(index) }
    }

    /// Counts that a fault changed something. Call it where the change happens, not where it is planned.
    public func tookEffect(_ id: FaultInstanceID) {
        let index = Int(id.rawValue)
        guard index < instances.count else { return }
        effectCounts[instances[index].kind] += 1
    }

    /// For each kind that was planned or scheduled, begun or not: how often it was scheduled, and how often it took effect. In
    /// order of registration.
    public var efficacy: [FaultEfficacy] {
        definitions.indices.compactMap { kind in
            guard isPlanned[kind] || scheduledCounts[kind] > 0 else { return nil }
            return FaultEfficacy(
                kind: definitions[kind].name, scheduledCount: scheduledCounts[kind], effectCount: effectCounts[kind])
        }
    }

    /// Begins or ends the fault that the event is of; the simulation calls it.
    public func handle(_ event: KernelEvent) {
        switch Code(rawValue: event.code) {
        case .begin: if !areHealed { begin(Int(event.first)) }
        case .end: end(Int(event.first))
        case nil: preconditionFailure("the fault controller has no event code \(event.code)")
        }
    }

    /// The event in words, for a trace.
    public func describe(_ event: KernelEvent) -> String {
        let fault = instances[Int(event.first)].fault
        return (event.code == Code.begin.rawValue ? "begin " : "end ") + fault.description
    }

    /// Takes a fault in. Its decisions are named after what it is and not after its position, so that they stay the same when
    /// another fault is taken away; of several that are alike they go by their order.
    private func add(_ fault: ScheduledFault) -> Int {
        var entity = "\(fault.kind)@\(fault.at.rawValue)/\(fault.targets.joined(separator: ","))"
        let count = alikeCounts[entity, default: 0]
        alikeCounts[entity] = count + 1
        if count > 0 { entity += "#\(count)" }
        let kind = kindByName[fault.kind]!
        instances.append(Instance(fault: fault, kind: kind, decisionEntity: entity))
        scheduledCounts[kind] += 1
        return instances.count - 1
    }

    /// What the decisions of a fault are named after.
    func decisionEntity(of id: FaultInstanceID) -> String { instances[Int(id.rawValue)].decisionEntity }

    private func begin(_ index: Int) {
        let instance = instances[index]
        let definition = definitions[instance.kind]
        let injection = FaultInjection(
            simulation: simulation, id: FaultInstanceID(rawValue: UInt32(index)), fault: instance.fault,
            targets: instance.fault.targets.map { simulation.process(named: $0)! },
            others: others(of: instance.fault, definition), definition: definition)
        instances[index].healing = definition.begin(injection)
        if instance.fault.duration > .zero {
            instances[index].pending = simulation.schedule(
                at: simulation.now + instance.fault.duration, handler, code: Code.end.rawValue, first: UInt64(index))
        }
    }

    private func others(of fault: ScheduledFault, _ definition: FaultDefinition) -> [ProcessID] {
        guard definition.targets == .groups, fault.others.isEmpty else {
            return fault.others.map { simulation.process(named: $0)! }
        }
        let targets = Set(fault.targets)
        return simulation.processNames.filter { !targets.contains($0) }.map { simulation.process(named: $0)! }
    }

    /// Ends a fault, or keeps one that has not begun from beginning.
    private func end(_ index: Int) {
        guard !instances[index].isOver else { return }
        if let pending = instances[index].pending { simulation.cancel(pending) }
        instances[index].pending = nil
        if let healing = instances[index].healing {
            instances[index].healing = nil
            instances[index].isOver = true
            healing()
        }
    }

    private func validate(_ fault: ScheduledFault) throws(FaultScheduleError) {
        let definition = try definition(fault.kind)
        guard fault.at >= .zero, fault.duration >= .zero else { throw .negativeTime(fault: fault.kind) }
        // Not by the sum: it may be beyond what can be counted.
        guard fault.at <= Self.latestTime, fault.duration <= Self.latestTime - fault.at else {
            throw .tooLate(fault: fault.kind)
        }
        for name in fault.targets + fault.others where simulation.process(named: name) == nil {
            throw .unknownProcess(name, fault: fault.kind, known: simulation.processNames)
        }
        for name in fault.parameters.keys.sorted() {
            guard let declared = definition.parameters.first(where: { $0.name == name }) else {
                throw .unknownParameter(name, fault: fault.kind, known: definition.parameters.map(\.name))
            }
            let value = fault.parameters[name]!
            guard declared.range.contains(value) else {
                throw .parameterOutOfRange(name, fault: fault.kind, value: value, range: declared.range)
            }
        }
        if definition.targets != .none, fault.targets.isEmpty {
            throw .wrongTargets(fault: fault.kind, expected: "at least one target process", found: 0)
        }
        if definition.targets == .none, !fault.targets.isEmpty {
            throw .wrongTargets(fault: fault.kind, expected: "no target", found: fault.targets.count)
        }
    }
}

/// How often a kind of fault was scheduled and how often it really changed something.
public struct FaultEfficacy: Hashable, Sendable, Codable {
    /// Name of the ``FaultDefinition``.
    public let kind: String
    /// Faults in the schedule, whether their time came or not; zero for a kind that was planned and never drawn.
    public let scheduledCount: Int64
    /// Times that something really changed because of one of them.
    public let effectCount: Int64

    /// The counts of one kind, as they were written or added up.
    public init(kind: String, scheduledCount: Int64, effectCount: Int64) {
        self.kind = kind
        self.scheduledCount = scheduledCount
        self.effectCount = effectCount
    }
}
