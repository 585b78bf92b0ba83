public import Ports

/// How long to wait before a retry: doubling from a first delay up to a limit, half of it random.
public struct Backoff: Hashable, Sendable {
    public var firstDelay: Nanoseconds
    public var maximumDelay: Nanoseconds

    public init(firstDelay: Nanoseconds = .milliseconds(10), maximumDelay: Nanoseconds = .seconds(2)) {
        self.firstDelay = firstDelay
        self.maximumDelay = maximumDelay
    }

    /// The delay before retry number `retry`, counted from 0.
    ///
    /// - Parameter randomBits: what spreads rivals apart, from an ``Ports/Identifiers`` port so that a simulation repeats it.
    public func delay(beforeRetry retry: Int, randomBits: UInt64) -> Nanoseconds {
        let doublings = min(max(retry, 0), 40)
        let (scaled, overflow) = firstDelay.rawValue.multipliedReportingOverflow(by: 1 << Int64(doublings))
        let ceiling = overflow ? maximumDelay.rawValue : min(scaled, maximumDelay.rawValue)
        let half = ceiling / 2
        return Nanoseconds(ceiling - half + Int64(randomBits % UInt64(half + 1)))
    }
}
