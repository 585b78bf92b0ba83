public import Ports

/// How a process's clock relates to true virtual time: an offset, and a drift in parts per million.
///
/// Value type; all arithmetic is on integers, so that the same seed reads the same clock everywhere.
public struct ProcessClock: Hashable, Sendable {
    /// What the clock has counted, steps left out, at ``anchor``.
    private var countedAtAnchor: Instant
    private var anchor: Instant
    /// The sum of all steps.
    private var offset: Nanoseconds
    /// How much faster than true time the clock runs; negative when it is slow.
    public private(set) var driftPartsPerMillion: Int64

    /// A clock that shows true time but for an offset, and drifts from now on.
    ///
    /// - Precondition: the drift is less than half of true time, either way.
    public init(offset: Nanoseconds = .zero, driftPartsPerMillion: Int64 = 0, now: Instant = .epoch) {
        precondition(abs(driftPartsPerMillion) < 500_000, "a drift of half or more is no clock")
        self.driftPartsPerMillion = driftPartsPerMillion
        self.offset = offset
        anchor = now
        countedAtAnchor = now
    }

    /// What the clock shows at true time `now`.
    public func reading(at now: Instant) -> Instant { monotonicReading(at: now) + offset }

    /// What the clock has counted by true time `now`: drift is in it and steps are not, as in `CLOCK_MONOTONIC`.
    public func monotonicReading(at now: Instant) -> Instant {
        let elapsed = now - anchor
        guard driftPartsPerMillion != 0 else { return countedAtAnchor + elapsed }
        return countedAtAnchor + elapsed + Nanoseconds(scaled(elapsed.rawValue, driftPartsPerMillion, 1_000_000))
    }

    /// The shortest true span in which this clock advances by `span`.
    public func trueSpan(ofLocal span: Nanoseconds) -> Nanoseconds {
        guard driftPartsPerMillion != 0, span > .zero else { return span }
        // Rounded up: a sleep that ends before its deadline by the clock that it was measured by would never end.
        let rate = UInt64(1_000_000 + driftPartsPerMillion)
        let (quotient, remainder) = rate.dividingFullWidth(span.rawValue.magnitude.multipliedFullWidth(by: 1_000_000))
        return Nanoseconds(Int64(quotient) + (remainder > 0 ? 1 : 0))
    }

    /// Sets the clock forward or back by `step`.
    public mutating func jump(by step: Nanoseconds) { offset += step }

    /// Changes the drift from now on, without a step.
    public mutating func setDrift(partsPerMillion: Int64, now: Instant) {
        precondition(abs(partsPerMillion) < 500_000, "a drift of half or more is no clock")
        countedAtAnchor = monotonicReading(at: now)
        anchor = now
        driftPartsPerMillion = partsPerMillion
    }

    /// `value * numerator / denominator` without overflow of the product, rounded towards zero.
    private func scaled(_ value: Int64, _ numerator: Int64, _ denominator: Int64) -> Int64 {
        let isNegative = (value < 0) != (numerator < 0)
        let product = value.magnitude.multipliedFullWidth(by: numerator.magnitude)
        let quotient = Int64(denominator.magnitude.dividingFullWidth(product).quotient)
        return isNegative ? -quotient : quotient
    }
}
