/// How much a log line matters. Order: debug < info < warning < error.
public enum LogLevel: Int, Comparable, Sendable, Codable, CaseIterable {
    case debug, info, warning, error

    @inlinable public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// A named value of a structured log line, for example `order=...`.
public struct LogField: Hashable, Sendable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// The log port: structured lines, one object each in production, part of the trace in a simulation.
///
/// Secrets are never passed to it.
public protocol ServiceLog: Sendable {
    /// Lines below this level are dropped before their text is made.
    var minimumLevel: LogLevel { get }

    /// Writes one line. Never throws and never waits: a full or broken sink loses lines, not orders.
    func write(_ level: LogLevel, _ message: String, _ fields: [LogField])
}

extension ServiceLog {
    /// Writes one line when `level` is on; the message and fields are not evaluated when it is off.
    @inlinable
    public func log(
        _ level: LogLevel, _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField] = []
    ) {
        if level >= minimumLevel { write(level, message(), fields()) }
    }
}
