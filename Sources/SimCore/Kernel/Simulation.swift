public import Ports

/// How one run is set: the seed, and everything that may differ between two runs of one scenario.
public struct SimulationSettings: Sendable {
    /// What every decision of the run is drawn from.
    public var seed: UInt64
    /// Which ready task runs next.
    public var scheduling: Scheduling = .inOrder
    /// The virtual time at which the run begins. Only a run that is tied to a clock outside has a reason to begin elsewhere.
    public var start = Instant.epoch
    /// A time limit that nobody has set.
    static let usualTimeLimit = Nanoseconds.hours(24)
    /// The run fails when virtual time passes this. A scenario whose work takes longer than the usual 24 hours raises that
    /// (``Scenario/Prepared/ownTimeLimit``); any other limit stays as it is set.
    public var timeLimit = SimulationSettings.usualTimeLimit
    /// The run fails when more than this many steps happen at one instant.
    public var instantStepLimit: UInt64 = 1_000_000
    /// Keeps each event in words, for ``Trace`` and ``Divergence``. Memory grows with the run then.
    public var recordsTrace = false
    /// Keeps each decision.
    public var recordsDecisions = false
    /// Decisions to be taken otherwise than drawn.
    public var overrides: [DecisionAddress: UInt64] = [:]
    /// Values for knobs that are not to be drawn.
    public var knobs: [String: Int64] = [:]
    /// Log lines below it are not even made.
    public var minimumLogLevel: LogLevel = .error

    /// Everything as usual but the seed, and where they are given scheduling and knobs.
    public init(seed: UInt64, scheduling: Scheduling = .inOrder, knobs: [String: Int64] = [:]) {
        self.seed = seed
        self.scheduling = scheduling
        self.knobs = knobs
    }
}

/// One deterministic run: virtual time, an event queue, an executor for ordinary async Swift, processes, network, faults and
/// properties. One simulation belongs to one thread; a campaign runs one on each core.
///
/// Set it up (processes, properties, faults), then call ``run(driver:)`` once.
public final class Simulation: @unchecked Sendable {
    /// How this run is set.
    public let settings: SimulationSettings
    /// The run fails when it takes longer than this in virtual time: as set, or as long as its scenario needs.
    private(set) var timeLimit: Nanoseconds
    @usableFromInline let state: UnsafeMutablePointer<KernelState>
    /// What the code of the processes runs on.
    public let executor: SimulationExecutor
    @usableFromInline let parking: Parking
    // Not checked for exclusive access at run time, as the parts below: they are read for every event, and change only
    // where a simulation is set up or ends.
    @exclusivity(unchecked) var processes: ContiguousArray<SimulatedProcess> = []
    private var processByName: [String: ProcessID] = [:]
    /// What keeps handlers alive; the state refers to them without counting.
    private var handlerObjects: ContiguousArray<any EventHandler> = []
    /// What has to hold; add to it before the run. Gone once the run is over.
    @exclusivity(unchecked) public private(set) var properties: PropertySet!
    /// The run's faults: kinds, schedule, and how often each took effect. Gone once the run is over.
    @exclusivity(unchecked) public private(set) var faults: FaultController!
    /// What the processes send each other messages on. Gone once the run is over.
    @exclusivity(unchecked) public private(set) var network: SimulatedNetwork!
    /// Disks, in order of creation; faults find them by process.
    var disks: ContiguousArray<SimulatedDisk> = []
    var trace: Trace?
    var violations: [Violation] = []
    private(set) var knobValues: [String: Int64] = [:]
    /// The first knob that the settings fix beyond its range; a scenario refuses it once it is set up.
    private(set) var knobError: KnobError?
    private var identifierStreams: [DecisionStreamID?] = []
    /// Called with each log line at or above the minimum level.
    public var logSink: ((LogLevel, _ process: String, _ message: String, [LogField]) -> Void)?
    let kernelHandler: HandlerID
    /// Something that was kept for a frozen process is being delivered to it.
    var isDelivering = false
    /// Whether ``run(driver:)`` has been called: a simulation runs once. Stays true when the run has ended.
    var hasBegun = false
    /// Lets other threads see whether the run gets on.
    var monitor: RunMonitor?
    /// What ties virtual time to time outside, for a run by ``run(pacedBy:driver:)``.
    var pacemaker: (any Pacemaker)?
    /// Steps after the first half of those that one instant may have, by process.
    var spinners: [String: Int] = [:]

    /// A run that has yet to be set up.
    ///
    /// - Precondition: the time limit is not negative.
    public init(_ settings: SimulationSettings) {
        self.settings = settings
        timeLimit = settings.timeLimit
        precondition(settings.timeLimit >= .zero, "the time limit is \(settings.timeLimit); expected zero or more")
        state = .allocate(capacity: 1)
        state.initialize(
            to: KernelState(
                decisions: Decisions(
                    seed: settings.seed, isRecording: settings.recordsDecisions, overrides: settings.overrides)))
        state.pointee.now = UInt64(max(0, settings.start.nanosecondsSinceEpoch))
        state.pointee.timeLimit = state.pointee.now + UInt64(settings.timeLimit.rawValue)
        state.pointee.instantStepLimit = settings.instantStepLimit
        state.pointee.isRecording = settings.recordsTrace
        executor = SimulationExecutor(state, scheduling: settings.scheduling)
        parking = Parking(state)
        kernelHandler = HandlerID(index: 0)
        if settings.recordsTrace { trace = Trace() }
        let kernelEvents = KernelEvents(simulation: self)
        let registered = register(kernelEvents)
        precondition(registered == kernelHandler, "the kernel's own handler comes first")
        properties = PropertySet(simulation: self)
        network = SimulatedNetwork(simulation: self)
        faults = FaultController(simulation: self)
    }

    /// A run with usual settings but for its seed.
    public convenience init(seed: UInt64) { self.init(SimulationSettings(seed: seed)) }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Lets the run take that long, where nobody has set another limit and the usual one would let it take less.
    ///
    /// - Precondition: the run has yet to begin.
    func raiseTimeLimit(to limit: Nanoseconds) {
        precondition(!hasBegun, "the time limit of a run that has begun cannot be raised")
        guard timeLimit == SimulationSettings.usualTimeLimit, limit > timeLimit else { return }
        timeLimit = limit
        state.pointee.timeLimit = UInt64(max(0, settings.start.nanosecondsSinceEpoch)) + UInt64(limit.rawValue)
    }

    /// True virtual time; processes read it through their own clocks.
    public var now: Instant { Instant(nanosecondsSinceEpoch: Int64(bitPattern: state.pointee.now)) }
    /// The seed that every decision is drawn from.
    public var seed: UInt64 { settings.seed }
    /// Log lines below it are not even made.
    public var minimumLogLevel: LogLevel { settings.minimumLogLevel }
    /// Events dispatched so far.
    public var eventCount: UInt64 { state.pointee.eventCount }
    /// Folds every event dispatched so far.
    public var traceHash: TraceHash { state.pointee.hash }

    /// The decisions of this run.
    public var decisions: Decisions {
        _read { yield state.pointee.decisions }
        _modify { yield &state.pointee.decisions }
    }

    // MARK: Knobs

    /// A number of the run's set-up, drawn from the seed unless the settings fix it: topology, timeouts, rates.
    ///
    /// One draw in four takes an end of the range, since extremes find more than the middle.
    public func knob(_ name: String, in range: ClosedRange<Int64>) -> Int64 {
        if let known = knobValues[name] { return known }
        let stream = decisions.stream("knob", name)
        let drawn =
            switch decisions.draw(stream, below: 8) {
            case 0: range.lowerBound
            case 1: range.upperBound
            default: decisions.integer(stream, in: range)
            }
        var value = drawn
        if let fixed = settings.knobs[name] {
            if !range.contains(fixed), knobError == nil {
                knobError = KnobError(name: name, value: fixed, range: range)
            }
            value = fixed
        }
        knobValues[name] = value
        return value
    }

    // MARK: Handlers and events

    /// Registers what receives events. With a process, its events wait while the process is paused and are dropped when the
    /// incarnation that they were meant for has ended.
    public func register(_ handler: any EventHandler, process: ProcessID? = nil) -> HandlerID {
        handlerObjects.append(handler)
        state.pointee.handlers.append(KernelState.Handler(object: handler, process: process?.index ?? .max))
        return HandlerID(index: UInt32(handlerObjects.count - 1))
    }

    /// Schedules an event; at once, after what is already due, when `time` is not in the future. Allocates nothing once the
    /// queue has grown to the most events pending.
    @discardableResult
    public func schedule(
        at time: Instant, _ handler: HandlerID, code: UInt16, first: UInt64 = 0, second: UInt64 = 0
    ) -> ScheduledEvent {
        let process = state.pointee.handlers[Int(handler.index)].process
        let incarnation = process == .max ? 0 : processes[Int(process)].incarnationTag
        let event = KernelEvent(handler: handler, code: code, incarnation: incarnation, first: first, second: second)
        return ScheduledEvent(
            handle: state.pointee.events.insert(at: state.pointee.noEarlierThanNow(time), event))
    }

    /// Takes a scheduled event back. No effect when it has happened.
    public func cancel(_ event: ScheduledEvent) {
        guard state.pointee.events.remove(event.handle) == nil, state.pointee.frozenCount > 0 || isDelivering
        else { return }
        for process in processes where !process.deferred.isEmpty { process.deferred.cancel(event.handle) }
    }

    // MARK: Processes

    /// Declares a process with a main function. It starts with the run, or with ``start(_:)`` when `startsWithRun` is false.
    ///
    /// - Precondition: no other process has that name.
    @discardableResult
    public func addProcess(
        _ name: String, startsWithRun: Bool = true, onError: ErrorPolicy = .failRun,
        main: (@Sendable (ProcessContext) async throws -> Void)? = nil
    ) -> ProcessID {
        precondition(processByName[name] == nil, "there are two processes called '\(name)'")
        let id = ProcessID(index: UInt32(processes.count))
        processes.append(SimulatedProcess(id: id, name: name, errorPolicy: onError, main: main))
        processByName[name] = id
        network.state.processNames.append(name)
        monitor?.addProcess(name, to: self)
        identifierStreams.append(nil)
        if startsWithRun {
            schedule(at: now, kernelHandler, code: KernelEvents.Code.start.rawValue, first: UInt64(id.index))
        }
        return id
    }

    /// The process of that name; `nil` when there is none.
    public func process(named name: String) -> ProcessID? { processByName[name] }
    /// In order of creation.
    public var processNames: [String] { processes.map(\.name) }
    /// The name that the process was added with.
    public func name(of process: ProcessID) -> String { processes[Int(process.index)].name }
    /// Whether the process runs, is frozen, has crashed, or has not begun.
    public func state(of process: ProcessID) -> ProcessState {
        let process = processes[Int(process.index)]
        return process.isPaused && process.state == .running ? .paused : process.state
    }
    /// How often the process has been started; one for its first life.
    public func incarnation(of process: ProcessID) -> UInt32 { processes[Int(process.index)].incarnation }
    /// The context of the present incarnation; `nil` while there is none.
    public func context(of process: ProcessID) -> ProcessContext? { processes[Int(process.index)].context }

    func localTime(of process: ProcessID) -> Instant {
        state.pointee.clocksDiffer ? processes[Int(process.index)].clock.reading(at: now) : now
    }

    func localMonotonicTime(of process: ProcessID) -> Instant {
        state.pointee.clocksDiffer ? processes[Int(process.index)].clock.monotonicReading(at: now) : now
    }

    /// An id for the code of one incarnation. An ended one draws from a stream of its own: what it does while it unwinds
    /// must not shift the ids of the next.
    func drawUniqueID(for context: ProcessContext) -> UniqueID {
        guard isOnOwnThread else {
            executor.thread.noteForeignCall()
            return UniqueID(high: 0, low: 0)
        }
        let stream =
            context.isLive
            ? identifierStream(of: context.process)
            : decisions.stream("identifiers.ended", "\(context.name)#\(context.incarnation)")
        return UniqueID(
            randomHigh: decisions.draw(stream, below: .max), randomLow: decisions.draw(stream, below: .max))
    }

    private func identifierStream(of process: ProcessID) -> DecisionStreamID {
        let index = Int(process.index)
        if let known = identifierStreams[index] { return known }
        let stream = decisions.stream("identifiers", processes[index].name)
        identifierStreams[index] = stream
        return stream
    }

    func writeLog(_ level: LogLevel, process: ProcessID, _ message: String, _ fields: [LogField]) {
        logSink?(level, name(of: process), message, fields)
    }

    // MARK: Failures

    /// A violation at this point of the run: it has the number of the latest event, which is the one that showed it.
    func violation(_ kind: ViolationKind, _ name: String, _ message: String) -> Violation {
        Violation(kind: kind, name: name, message: message, at: now - .epoch, step: state.pointee.eventCount)
    }

    /// Ends the run with a violation. The first one is the run's outcome; later ones are kept beside it.
    public func fail(_ kind: ViolationKind, _ name: String, _ message: String) {
        violations.append(violation(kind, name, message))
        state.pointee.isStopRequested = true
    }

    /// Lets go of everything that could refer back here, once the run is over.
    func releaseParts() {
        processes.forEach { process in
            process.context = nil
            process.observers = []
            // It holds the ports that it calls, and they hold the simulation.
            process.main = nil
        }
        disks = []
        handlerObjects = []
        state.pointee.handlers = []
        logSink = nil
        pacemaker = nil
        properties = nil
        network = nil
        faults = nil
    }
}

/// A knob that is fixed to a value that it cannot have.
public struct KnobError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The knob.
    public let name: String
    /// What it was fixed to.
    public let value: Int64
    /// What it may be.
    public let range: ClosedRange<Int64>

    /// Which knob, what it was fixed to, and what it may be.
    public var description: String {
        "knob '\(name)' is \(value); expected \(range.lowerBound) to \(range.upperBound)"
    }
}

/// Names a scheduled event, to take it back.
public struct ScheduledEvent: Hashable, Sendable {
    let handle: EventQueue<KernelEvent>.Handle

    /// Whether both name the same event.
    public static func == (left: ScheduledEvent, right: ScheduledEvent) -> Bool { left.handle == right.handle }
    /// Agrees with `==`: one event has one handle.
    public func hash(into hasher: inout Hasher) { hasher.combine(handle.index) }
}
