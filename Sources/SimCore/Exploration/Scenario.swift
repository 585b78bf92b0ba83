public import Ports

/// A world to be run under a seed: how it is set up, which faults it may have, and what decides that a run is over.
public struct Scenario: Sendable {
    /// What set-up leaves for the run.
    public struct Prepared {
        /// Faults to be drawn; `nil` for a scenario that injects its own or has none.
        public var faultPlan: FaultPlan?
        /// How long, after the faults have healed, everything may take to finish; `nil`: the time limit alone decides.
        public var livenessBound: Nanoseconds?
        /// Runs as a process of its own; the run is over when it returns.
        public var driver: @Sendable (ProcessContext) async throws -> Void
        /// Figures of the domain, read when the run is over, for reports. Sums over a campaign.
        public var figures: () -> [(name: String, value: Int64)]
        /// What the domain has not finished, a line each, asked when the liveness bound is missed. Empty: the report says who
        /// waits for what instead.
        public var unfinished: () -> [String]

        public init(
            faultPlan: FaultPlan? = nil, livenessBound: Nanoseconds? = nil,
            figures: @escaping () -> [(name: String, value: Int64)] = { [] },
            unfinished: @escaping () -> [String] = { [] },
            driver: @escaping @Sendable (ProcessContext) async throws -> Void
        ) {
            self.faultPlan = faultPlan
            self.livenessBound = livenessBound
            self.figures = figures
            self.unfinished = unfinished
            self.driver = driver
        }
    }

    public let name: String
    /// One sentence for help texts.
    public let summary: String
    /// Values of the scenario's own options, by name, as they stand on the command line: what has to be said beside the name
    /// to make it again.
    public let options: [String: String]
    public let setUp: @Sendable (Simulation) throws -> Prepared

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
    case all
    case none
    /// These kinds only.
    case only([String])

    /// Reads `all`, `none`, or names separated by commas.
    public init(_ text: String) {
        switch text {
        case "all": self = .all
        case "none": self = .none
        default: self = .only(text.split(separator: ",").map(String.init))
        }
    }
}

/// A run of a scenario: its report, and the domain's own figures.
public struct ScenarioReport: Sendable {
    public let scenario: String
    /// The scenario's own options, by name.
    public let options: [String: String]
    /// Which ready task ran next.
    public let scheduling: Scheduling
    public let run: RunReport
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
    /// - Throws: ``FaultScheduleError``, ``KnobError``, or what set-up throws.
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
        var selected: [String]?
        if case .only(let kinds) = faults {
            for kind in kinds { _ = try simulation.faults.definition(kind) }
            selected = kinds
        }
        if let schedule {
            try simulation.faults.schedule(schedule)
        } else if let plan = prepared.faultPlan, faults != .none {
            try simulation.faults.schedule(
                plan.drawSchedule(from: simulation.faults, decisions: &simulation.decisions, only: selected))
        }
        if let plan = prepared.faultPlan {
            simulation.beginLivenessPhase(
                after: plan.start + plan.safetyPhase, bound: prepared.livenessBound, unfinished: prepared.unfinished)
        }
        let report = simulation.run(driver: prepared.driver)
        return ScenarioReport(
            scenario: name, options: options, scheduling: settings.scheduling, run: report, figures: prepared.figures())
    }
}
