public import Ports

/// What one run did: all of it follows from the scenario and the seed.
public struct RunReport: Sendable {
    /// What the run was drawn from.
    public let seed: UInt64
    /// Empty when everything held. The first is what ended the run.
    public internal(set) var violations: [Violation]
    /// Folds every event of the run: the same for the same run.
    public let traceHash: TraceHash
    /// Events dispatched; the latest has this number in a trace.
    public let eventCount: UInt64
    /// Events dispatched and pieces of code run between two of them.
    public let stepCount: UInt64
    /// Virtual time at the end.
    public let virtualTime: Nanoseconds
    /// What each kind of fault that was planned or scheduled did, in order of registration.
    public let faults: [FaultEfficacy]
    /// The schedule as it was run, to be written into a failure file.
    public let schedule: [ScheduledFault]
    /// Every knob that was asked for, with the value that it had, by name.
    public let knobs: [String: Int64]
    /// How often each `sometimes` property happened, in order of declaration.
    public let sometimes: [(name: String, count: UInt64)]
    /// What each property cost: those that hold always, those that come true, those of the end, each in order of
    /// declaration.
    public let properties: [PropertyStatistics]
    /// Present when the settings asked for it.
    public let trace: Trace?
    /// Every decision in the order in which it was taken, when the settings asked for it; otherwise empty.
    public let decisions: [RecordedDecision]
    /// Overrides of the settings that name no decision of the run.
    public let unusedOverrides: [DecisionAddress]

    /// Whether every property held.
    public var held: Bool { violations.isEmpty }
}

extension Simulation {
    func makeReport() -> RunReport {
        RunReport(
            seed: seed, violations: violations, traceHash: traceHash, eventCount: eventCount,
            stepCount: state.pointee.stepCount, virtualTime: now - .epoch, faults: faults.efficacy,
            schedule: faults.scheduledFaults, knobs: knobValues, sometimes: properties.sometimesCounts,
            properties: properties.statistics, trace: trace, decisions: decisions.recordedDecisions,
            unusedOverrides: decisions.unusedOverrides)
    }
}
