public import Ports

/// What faults a scenario may have: the kinds, whom each may hit, and how densely they come. A schedule is drawn from it.
public struct FaultPlan: Sendable {
    /// One kind with the processes that it may hit.
    public struct Entry: Sendable {
        /// Name of a ``FaultDefinition``.
        public let kind: String
        /// Names of the processes from which targets are drawn.
        public let pool: [String]
        /// How many of them one instance hits at most.
        public let targetCountLimit: Int
        /// The other side is drawn from these; empty for everybody else.
        public let othersPool: [String]
        /// Ranges of parameters that are narrower here than the kind allows.
        public let parameterRanges: [String: ClosedRange<Int64>]
        /// Whether it comes exactly once in every run, early, instead of now and then in about half of them.
        public let comesOnce: Bool

        /// A kind that the plan may draw, for the processes of a pool.
        public init(
            _ kind: String, pool: [String] = [], targetCountLimit: Int = 1, othersPool: [String] = [],
            parameterRanges: [String: ClosedRange<Int64>] = [:], comesOnce: Bool = false
        ) {
            self.comesOnce = comesOnce
            self.parameterRanges = parameterRanges
            self.kind = kind
            self.pool = pool
            self.targetCountLimit = targetCountLimit
            self.othersPool = othersPool
        }
    }

    /// The kinds, each of which draws from a stream of its own.
    public var entries: [Entry]
    /// When the first fault may begin: what is set up before is set up in peace.
    public var start: Nanoseconds
    /// Faults begin within this span from ``start``; then everything heals.
    public var safetyPhase: Nanoseconds
    /// Mean span between two faults of one kind, before the swarm scales it.
    public var meanGap: Nanoseconds

    /// A plan of these kinds.
    public init(
        entries: [Entry], start: Nanoseconds = .zero, safetyPhase: Nanoseconds, meanGap: Nanoseconds
    ) {
        self.entries = entries
        self.start = start
        self.safetyPhase = safetyPhase
        self.meanGap = meanGap
    }

    /// Draws a schedule. Swarm testing (Groce et al., ISSTA 2012): each seed leaves about half of the kinds out and draws
    /// how densely each of the others comes, so that kinds which hide each other's effects get runs without each other.
    ///
    /// Each entry draws from a stream of its own, and so has the same faults whichever kinds are selected beside it. Only
    /// when the seed leaves out all that are selected does one of them come nevertheless.
    ///
    /// - Parameter selected: draws these kinds only; `nil` for all.
    public func drawSchedule(
        from controller: FaultController, decisions: inout Decisions, only selected: [String]? = nil
    ) throws(FaultScheduleError) -> [ScheduledFault] {
        let chosen = entries.indices.filter { selected?.contains(entries[$0].kind) ?? true }
        guard !chosen.isEmpty else { return [] }
        let swarm = decisions.stream("faults.swarm")
        let certain = Int(decisions.draw(swarm, below: UInt64(entries.count)))
        var drawn: [(index: Int, stream: DecisionStreamID, isOn: Bool, quarters: Int64)] = []
        for index in chosen {
            let stream = decisions.stream("faults.plan", "\(entries[index].kind)#\(index)")
            let isOn = decisions.draw(stream, below: 2) == 0 || index == certain || entries[index].comesOnce
            // From a quarter of the mean gap to four times it.
            drawn.append((index, stream, isOn, 1 << Int64(decisions.draw(stream, below: 5))))
        }
        if !drawn.contains(where: \.isOn) { drawn[certain % drawn.count].isOn = true }

        var schedule: [ScheduledFault] = []
        for (index, stream, isOn, quarters) in drawn where isOn {
            let entry = entries[index]
            let definition = try controller.definition(entry.kind)
            let gap = max(1, meanGap.rawValue * quarters / 4)
            var at = Int64(decisions.draw(stream, below: UInt64(gap)))
            if entry.comesOnce {
                let first = Nanoseconds(at % max(1, safetyPhase.rawValue / 10))
                schedule.append(drawFault(entry, definition, at: first, stream, &decisions))
                schedule[schedule.count - 1].at += start
                at = safetyPhase.rawValue
            }
            while at < safetyPhase.rawValue {
                schedule.append(drawFault(entry, definition, at: Nanoseconds(at), stream, &decisions))
                schedule[schedule.count - 1].at += start
                at += 1 + Int64(decisions.draw(stream, below: UInt64(2 * gap)))
            }
        }
        return schedule.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
    }

    private func drawFault(
        _ entry: Entry, _ definition: FaultDefinition, at: Nanoseconds, _ stream: DecisionStreamID,
        _ decisions: inout Decisions
    ) -> ScheduledFault {
        var fault = ScheduledFault(entry.kind, at: at)
        fault.targets = draw(entry.pool, limit: entry.targetCountLimit, stream, &decisions)
        let rest = entry.othersPool.filter { !fault.targets.contains($0) }
        fault.others = rest.isEmpty ? [] : draw(rest, limit: rest.count, stream, &decisions)
        if let range = definition.durationRange {
            fault.duration = decisions.span(stream, in: range)
            // Nothing outlasts the safety phase.
            fault.duration = min(fault.duration, max(.nanoseconds(1), safetyPhase - at))
        }
        for parameter in definition.parameters {
            // Extremes find more than the middle: one draw in four takes an end of the range; half of them take the default.
            let range = entry.parameterRanges[parameter.name] ?? parameter.range
            let value =
                switch decisions.draw(stream, below: 8) {
                case 0: range.lowerBound
                case 1: range.upperBound
                case 2, 3, 4, 5: min(max(parameter.defaultValue, range.lowerBound), range.upperBound)
                default: decisions.integer(stream, in: range)
                }
            fault.parameters[parameter.name] = value
        }
        return fault
    }

    /// Up to `limit` different members of the pool, at least one, in the pool's order.
    private func draw(
        _ pool: [String], limit: Int, _ stream: DecisionStreamID, _ decisions: inout Decisions
    ) -> [String] {
        guard !pool.isEmpty else { return [] }
        let count = 1 + Int(decisions.draw(stream, below: UInt64(min(limit, pool.count))))
        var indices = Array(pool.indices)
        for position in 0..<count {
            let other = position + Int(decisions.draw(stream, below: UInt64(indices.count - position)))
            indices.swapAt(position, other)
        }
        return indices[..<count].sorted().map { pool[$0] }
    }
}
