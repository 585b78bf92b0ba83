public import Ports

/// A failing run as one file: everything needed to see it again, and what it was.
public struct FailureFile: Hashable, Sendable, Codable {
    /// The layout of this file. A reader refuses any other.
    public static let currentFormat = 3

    /// The layout of this very file.
    public var format = FailureFile.currentFormat
    /// Version of the tool that wrote it.
    public var toolVersion: String
    /// The commit that the working directory was at when it was written, `unknown` where that could not be told.
    public var commit: String
    /// Name of the scenario.
    public var scenario: String
    /// The run's seed.
    public var seed: UInt64
    /// The scenario's own options (orders, workload), by name.
    public var options: [String: String]
    /// Which ready task ran next.
    public var scheduling: Scheduling
    /// The virtual time at which the run began.
    public var start: Instant
    /// The span of virtual time after which the run fails, as it was set (``SimulationSettings/timeLimit``).
    public var timeLimit: Nanoseconds
    /// How many steps one instant may have.
    public var instantStepLimit: UInt64
    /// Every knob of the run.
    public var knobs: [String: Int64]
    /// The explicit fault schedule.
    public var schedule: [ScheduledFault]
    /// Decisions that were taken otherwise than drawn.
    public var overrides: [DecisionOverride]
    /// What the run found, the first first.
    public var violations: [Violation]
    /// Sixteen hexadecimal digits.
    public var traceHash: String
    /// How many events it dispatched.
    public var eventCount: UInt64
    /// The run's events, for telling where a replay parts from it; in the file beside this one.
    public var traceFile: String?

    /// One decision of ``overrides``.
    public struct DecisionOverride: Hashable, Sendable, Codable {
        /// Name of the decision's stream.
        public var stream: String
        /// Its position there, from zero.
        public var index: UInt64
        /// What it is to be.
        public var value: UInt64

        /// An override of one decision.
        public init(stream: String, index: UInt64, value: UInt64) {
            self.stream = stream
            self.index = index
            self.value = value
        }
    }

    /// The file of a run.
    ///
    /// - Parameters:
    ///   - toolVersion: version of the program that writes it.
    ///   - commit: the commit that the working directory is at, `unknown` where that cannot be told.
    ///   - options: what the scenario has to be made with.
    ///   - settings: what the run was given.
    ///   - traceFile: name of the file beside this one that has the run's trace; `nil` when there is none.
    public init(
        toolVersion: String, commit: String, options: [String: String], settings: SimulationSettings,
        report: ScenarioReport, traceFile: String?
    ) {
        self.toolVersion = toolVersion
        self.commit = commit
        self.options = options
        scenario = report.scenario
        seed = settings.seed
        scheduling = settings.scheduling
        start = settings.start
        timeLimit = settings.timeLimit
        instantStepLimit = settings.instantStepLimit
        knobs = report.run.knobs
        schedule = report.run.schedule
        overrides = settings.overrides.map {
            DecisionOverride(stream: $0.key.stream, index: $0.key.index, value: $0.value)
        }.sorted { $0.stream != $1.stream ? $0.stream < $1.stream : $0.index < $1.index }
        violations = report.run.violations
        traceHash = report.run.traceHash.description
        eventCount = report.run.eventCount
        self.traceFile = traceFile
    }

    /// Settings that repeat the run.
    public var settings: SimulationSettings {
        var settings = SimulationSettings(seed: seed)
        settings.scheduling = scheduling
        settings.start = start
        settings.timeLimit = timeLimit
        settings.instantStepLimit = instantStepLimit
        settings.knobs = knobs
        for override in overrides {
            settings.overrides[DecisionAddress(stream: override.stream, index: override.index)] = override.value
        }
        return settings
    }
}
