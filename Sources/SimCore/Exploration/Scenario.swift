public import Ports

/// A world to be run under a seed: how it is set up, which faults it may have, and what decides that a run is over.
public struct Scenario: Sendable {
    /// What set-up leaves for the run.
    public struct Prepared {
        /// Faults to be drawn; `nil` for a scenario that injects its own or has none.
        public var faultPlan: FaultPlan?
        /// How long, after the faults have healed, everything may take to finish; `nil`: the time limit alone decides.
        public var livenessBound: Nanoseconds?
        /// How long the run may take by what it has to do, from its beginning. The usual time limit, which is there for runs
        /// that do not end, is raised to it where it is shorter; a limit that the settings set is not. `nil`: the limit is as set.
        public var ownTimeLimit: Nanoseconds?
        /// Runs as a process of its own; the run is over when it returns.
        public var driver: @Sendable (ProcessContext) async throws -> Void
        /// Figures of the domain, read when the run is over, for reports. Sums over a campaign.
        public var figures: () -> [(name: String, value: Int64)]
        /// What the domain has not finished, a line each, asked when the liveness bound is missed. Empty: the report says who
        /// waits for what instead.
        public var unfinished: () -> [String]

        /// What set-up returns: the driver, and whatever else the scenario has.
        public init(
            faultPlan: FaultPlan? = nil, livenessBound: Nanoseconds? = nil, ownTimeLimit: Nanoseconds? = nil,
            figures: @escaping () -> [(name: String, value: Int64)] = { [] },
            unfinished: @escaping () -> [String] = { [] },
            driver: @escaping @Sendable (ProcessContext) async throws -> Void
        ) {
            self.faultPlan = faultPlan
            self.livenessBound = livenessBound
            self.ownTimeLimit = ownTimeLimit
            self.figures = figures
            self.unfinished = unfinished
            self.driver = driver
        }
    }

    /// What reports and failure files call it.
    public let name: String
    /// One sentence for help texts.
    public let summary: String
    /// Values of the scenario's own options, by name, as they stand on the command line: what has to be said beside the name
    /// to make it again.
    public let options: [String: String]
    /// Builds the world: processes, properties, kinds of faults. Called once for each run, before it begins; what it throws
    /// is thrown by ``run(_:faults:schedule:stopwatch:monitor:)``.
    public let setUp: @Sendable (Simulation) throws -> Prepared
    /// The command by which a run is repeated in the harness that this scenario is run by, such as a tool of one's own or
    /// `swift test` with the seed in the environment. Reports print it; without one they print the library's call. Called for
    /// runs that ``ScenarioReport/replayArguments`` can say.
    public var replayCommand: (@Sendable (ScenarioReport) -> String)?

    /// A scenario that is yet to be run.
    public init(
        _ name: String, summary: String, options: [String: String] = [:],
        setUp: @escaping @Sendable (Simulation) throws -> Prepared
    ) {
        self.name = name
        self.summary = summary
        self.options = options
        self.setUp = setUp
    }
}

/// Which of a scenario's faults are drawn.
public enum FaultSelection: Hashable, Sendable {
    /// Every kind of the plan.
    case all
    /// None of them: the run is without faults.
    case none
    /// These kinds only.
    case only([String])

    /// Kinds of the plan that are drawn, each once.
    ///
    /// - Throws: when it selects nothing, or a kind that the plan does not have: a campaign without that fault would be green
    ///   for no reason.
    func kinds(of plan: FaultPlan?, in controller: FaultController) throws(FaultScheduleError) -> [String] {
        var planned: [String] = []
        for entry in plan?.entries ?? [] where !planned.contains(entry.kind) { planned.append(entry.kind) }
        switch self {
        case .all: return planned
        case .none: return []
        case .only(let kinds):
            if kinds.isEmpty { throw .nothingSelected }
            for kind in kinds {
                _ = try controller.definition(kind)
                if !planned.contains(kind) { throw .notPlanned(kind, planned: planned) }
            }
            return planned.filter { kinds.contains($0) }
        }
    }
}

/// A run of a scenario: its report, and the domain's own figures.
public struct ScenarioReport: Sendable {
    /// Name of the scenario.
    public let scenario: String
    /// The scenario's own options, by name.
    public let options: [String: String]
    /// Which ready task ran next.
    public let scheduling: Scheduling
    /// Which kinds of the scenario's faults were drawn.
    public let faults: FaultSelection
    /// Knobs that the settings fixed, by name.
    public let fixedKnobs: [String: Int64]
    /// Whether seed, options, scheduling, selection of faults and fixed knobs alone make this run again.
    let isDrawnFromSeed: Bool
    /// ``Scenario/replayCommand``.
    let harnessCommand: (@Sendable (ScenarioReport) -> String)?
    /// What the run did.
    public let run: RunReport
    /// What ``Scenario/Prepared/figures`` said at its end.
    public let figures: [(name: String, value: Int64)]
}

extension Scenario {
    /// Runs the scenario once.
    ///
    /// - Parameters:
    ///   - faults: which kinds of its plan are drawn.
    ///   - schedule: runs these faults instead of drawing any.
    ///   - monitor: lets another thread see whether the run gets on.
    ///   - stopwatch: reads a monotonic clock in nanoseconds, to measure what properties cost; `nil` to spare it.
    /// - Throws: ``FaultScheduleError``, ``KnobError``, ``UnknownKnobError``, or what set-up throws.
    public func run(
        _ settings: SimulationSettings, faults: FaultSelection = .all, schedule: [ScheduledFault]? = nil,
        stopwatch: (@Sendable () -> UInt64)? = nil, monitor: RunMonitor? = nil
    ) throws -> ScenarioReport {
        let simulation = Simulation(settings)
        monitor?.attach(simulation)
        defer { monitor?.detach(simulation) }
        simulation.properties.stopwatch = stopwatch
        let prepared = try setUp(simulation)
        if let error = simulation.knobError { throw error }
        if let limit = prepared.ownTimeLimit { simulation.raiseTimeLimit(to: limit) }
        let kinds = try faults.kinds(of: prepared.faultPlan, in: simulation.faults)
        if let schedule {
            try simulation.faults.schedule(schedule)
        } else if let plan = prepared.faultPlan, !kinds.isEmpty {
            try simulation.faults.plan(kinds)
            try simulation.faults.schedule(
                plan.drawSchedule(from: simulation.faults, decisions: &simulation.decisions, only: kinds))
        }
        if let plan = prepared.faultPlan {
            simulation.beginLivenessPhase(
                after: plan.start + plan.safetyPhase, bound: prepared.livenessBound, unfinished: prepared.unfinished)
        }
        let report = simulation.run(driver: prepared.driver)
        // Asked only now: a knob may be read for the first time by a process that runs.
        for knob in settings.knobs.keys.sorted() where report.knobs[knob] == nil {
            throw UnknownKnobError(name: knob, known: report.knobs.keys.sorted())
        }
        return ScenarioReport(
            scenario: name, options: options, scheduling: settings.scheduling, faults: faults,
            fixedKnobs: settings.knobs, isDrawnFromSeed: schedule == nil && settings.haveUsualLimits,
            harnessCommand: replayCommand, run: report, figures: prepared.figures())
    }

    /// Whether the selection names kinds that the scenario's plan has, without a run.
    ///
    /// - Throws: ``FaultScheduleError`` when not, or what set-up throws.
    public func check(_ faults: FaultSelection) throws {
        let simulation = Simulation(seed: 0)
        _ = try faults.kinds(of: setUp(simulation).faultPlan, in: simulation.faults)
    }
}

/// The settings fix a knob that the run never asked for.
public struct UnknownKnobError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The knob that is fixed.
    public let name: String
    /// Knobs that the run asked for.
    public let known: [String]

    /// Which knob, and which there are.
    public var description: String {
        "knob '\(name)' is never asked for; the run asks for \(known.isEmpty ? "none" : known.joined(separator: ", "))"
    }
}
