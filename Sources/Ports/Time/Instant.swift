/// A point in time as a process reads it from its own clock: integer nanoseconds since 1970-01-01T00:00:00Z.
///
/// Clocks of two processes differ (offset, drift, jumps), so instants of different processes are compared with care:
/// a deadline is judged by the process that owns it.
public struct Instant: Hashable, Comparable, Sendable, Codable {
    /// Nanoseconds since the Unix epoch.
    public var nanosecondsSinceEpoch: Int64

    @inlinable public init(nanosecondsSinceEpoch: Int64) { self.nanosecondsSinceEpoch = nanosecondsSinceEpoch }

    /// 1970-01-01T00:00:00Z, where a simulation starts unless it is told otherwise.
    public static let epoch = Instant(nanosecondsSinceEpoch: 0)

    @inlinable public static func < (left: Instant, right: Instant) -> Bool {
        left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch
    }
    @inlinable public static func + (left: Instant, right: Nanoseconds) -> Instant {
        Instant(nanosecondsSinceEpoch: left.nanosecondsSinceEpoch + right.rawValue)
    }
    @inlinable public static func - (left: Instant, right: Nanoseconds) -> Instant {
        Instant(nanosecondsSinceEpoch: left.nanosecondsSinceEpoch - right.rawValue)
    }
    @inlinable public static func - (left: Instant, right: Instant) -> Nanoseconds {
        Nanoseconds(left.nanosecondsSinceEpoch - right.nanosecondsSinceEpoch)
    }
}

extension Instant: CustomStringConvertible {
    /// The instant as its distance from the epoch, which for a simulation that starts there is the virtual time.
    public var description: String { (self - .epoch).description }
}
