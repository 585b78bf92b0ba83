public import Ports

/// How a process's clock relates to true virtual time: an offset, and a drift in parts per million.
///
/// Value type; all arithmetic is on integers, so that the same seed reads the same clock everywhere.
public struct ProcessClock: Hashable, Sendable {
    /// Local time at ``anchor``.
    private var localAtAnchor: Instant
    private var anchor: Instant
    /// How much faster than true time the clock runs; negative when it is slow.
    public private(set) var driftPartsPerMillion: Int64

    public init(offset: Nanoseconds = .zero, driftPartsPerMillion: Int64 = 0, now: Instant = .epoch) {
        precondition(abs(driftPartsPerMillion) < 500_000, "a drift of half or more is no clock")
        self.driftPartsPerMillion = driftPartsPerMillion
        anchor = now
        localAtAnchor = now + offset
    }

    /// What the clock shows at true time `now`.
    @inlinable public func reading(at now: Instant) -> Instant {
        driftPartsPerMillion == 0 && offsetIsZero ? now : driftingReading(at: now)
    }

    @usableFromInline var offsetIsZero: Bool { localAtAnchor == anchor }

    @usableFromInline func driftingReading(at now: Instant) -> Instant {
        let elapsed = now - anchor
        return localAtAnchor + elapsed + Nanoseconds(scaled(elapsed.rawValue, driftPartsPerMillion, 1_000_000))
    }

    /// The true span in which this clock advances by `span`.
    public func trueSpan(ofLocal span: Nanoseconds) -> Nanoseconds {
        guard driftPartsPerMillion != 0 else { return span }
        return Nanoseconds(scaled(span.rawValue, 1_000_000, 1_000_000 + driftPartsPerMillion))
    }

    /// Sets the clock forward or back by `step`.
    public mutating func jump(by step: Nanoseconds, now: Instant) {
        let reading = reading(at: now)
        anchor = now
        localAtAnchor = reading + step
    }

    /// Changes the drift from now on, without a step.
    public mutating func setDrift(partsPerMillion: Int64, now: Instant) {
        precondition(abs(partsPerMillion) < 500_000, "a drift of half or more is no clock")
        let reading = reading(at: now)
        anchor = now
        localAtAnchor = reading
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
