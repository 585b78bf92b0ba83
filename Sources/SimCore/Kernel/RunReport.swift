public import Ports

/// What one run did: all of it follows from the scenario and the seed.
public struct RunReport: Sendable {
    public let seed: UInt64
    /// Empty when everything held. The first is what ended the run.
    public internal(set) var violations: [Violation]
    public let traceHash: TraceHash
    public let eventCount: UInt64
    public let stepCount: UInt64
    /// Virtual time at the end.
    public let virtualTime: Nanoseconds
    public let faults: [FaultEfficacy]
    /// The schedule as it was run, to be written into a failure file.
    public let schedule: [ScheduledFault]
    /// Every knob that was asked for, with the value that it had, by name.
    public let knobs: [String: Int64]
    public let sometimes: [(name: String, count: UInt64)]
    public let properties: [PropertyStatistics]
    /// Present when the settings asked for it.
    public let trace: Trace?
    public let decisions: [RecordedDecision]
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
