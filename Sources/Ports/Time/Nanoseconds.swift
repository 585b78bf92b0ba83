/// A span of time, in integer nanoseconds. The only measure of duration in this package.
///
/// Arithmetic traps on overflow; the range is about 292 years either way.
public struct Nanoseconds: Hashable, Comparable, Sendable, Codable {
    /// The span in nanoseconds; may be negative.
    public var rawValue: Int64

    @inlinable public init(_ rawValue: Int64) { self.rawValue = rawValue }

    public static let zero = Nanoseconds(0)
    @inlinable public static func nanoseconds(_ count: Int64) -> Nanoseconds { Nanoseconds(count) }
    @inlinable public static func microseconds(_ count: Int64) -> Nanoseconds { Nanoseconds(count * 1_000) }
    @inlinable public static func milliseconds(_ count: Int64) -> Nanoseconds { Nanoseconds(count * 1_000_000) }
    @inlinable public static func seconds(_ count: Int64) -> Nanoseconds { Nanoseconds(count * 1_000_000_000) }
    @inlinable public static func minutes(_ count: Int64) -> Nanoseconds { seconds(count * 60) }
    @inlinable public static func hours(_ count: Int64) -> Nanoseconds { seconds(count * 3_600) }

    @inlinable public static func < (left: Nanoseconds, right: Nanoseconds) -> Bool {
        left.rawValue < right.rawValue
    }
    @inlinable public static func + (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
        Nanoseconds(left.rawValue + right.rawValue)
    }
    @inlinable public static func - (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
        Nanoseconds(left.rawValue - right.rawValue)
    }
    @inlinable public static func * (left: Nanoseconds, right: Int64) -> Nanoseconds {
        Nanoseconds(left.rawValue * right)
    }
    @inlinable public static func / (left: Nanoseconds, right: Int64) -> Nanoseconds {
        Nanoseconds(left.rawValue / right)
    }
    @inlinable public static func += (left: inout Nanoseconds, right: Nanoseconds) { left = left + right }
    @inlinable public static func -= (left: inout Nanoseconds, right: Nanoseconds) { left = left - right }
}

extension Nanoseconds: CustomStringConvertible {
    /// The span in the largest unit that keeps it exact to three places, for example `1.500s`, `20ms`, `350ns`.
    public var description: String {
        let magnitude = rawValue.magnitude
        let sign = rawValue < 0 ? "-" : ""
        let units: [(UInt64, String)] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")]
        for (size, unit) in units where magnitude >= size {
            let whole = magnitude / size
            let thousandths = magnitude % size * 1_000 / size
            if thousandths == 0 { return "\(sign)\(whole)\(unit)" }
            let padded = String(thousandths + 1_000).dropFirst()
            return "\(sign)\(whole).\(padded)\(unit)"
        }
        return "\(rawValue)ns"
    }
}
