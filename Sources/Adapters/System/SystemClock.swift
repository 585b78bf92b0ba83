public import Ports

#if os(Linux)
    import Cepoll
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The system's clocks, behind the port.
public struct SystemClock: ServiceClock {
    public init() {}

    public var now: Instant { Instant(nanosecondsSinceEpoch: Self.read(CLOCK_REALTIME)) }

    public var monotonicNow: Instant { Instant(nanosecondsSinceEpoch: Self.read(CLOCK_MONOTONIC)) }

    public func sleep(for span: Nanoseconds) async throws {
        try Task.checkCancellation()
        guard span > .zero else { return }
        try await Task.sleep(for: .nanoseconds(span.rawValue))
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        let result = clock_gettime(clock, &time)
        precondition(result == 0, "the system has no clock \(clock)")
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
