/// The clock port: what a service may know of time, and the only way for it to wait.
///
/// Named apart from `Swift.Clock`, whose sleep escapes a simulation. Production reads the system's clocks; a simulation
/// reads virtual time through the process's own offset and drift.
public protocol ServiceClock: Sendable {
    /// The process's idea of the time of day. May jump and may differ from that of other processes.
    var now: Instant { get }

    /// A clock that only moves forward, for measuring spans within this process. Its origin means nothing.
    var monotonicNow: Instant { get }

    /// Waits for `span` as this process's clock measures it; returns at once when it is zero or negative.
    ///
    /// - Throws: `CancellationError` when the task was cancelled; `ProcessStopped` when the process ended meanwhile.
    func sleep(for span: Nanoseconds) async throws
}

extension ServiceClock {
    /// Waits until this process's clock shows `deadline`; returns at once when it already does.
    ///
    /// A clock that jumps backwards meanwhile does not prolong the wait; read ``now`` again where that matters.
    @inlinable
    public func sleep(until deadline: Instant) async throws {
        try await sleep(for: deadline - now)
    }

    /// Runs `operation`, and cancels it when it has not finished within `limit`.
    ///
    /// Costs two child tasks (about 2 microseconds); a port call that takes a timeout of its own is cheaper.
    ///
    /// - Throws: ``TimeoutError`` when the limit passed first; otherwise what `operation` throws.
    public func withTimeout<Result: Sendable>(
        _ limit: Nanoseconds, operation: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask { try await operation() }
            group.addTask {
                try await self.sleep(for: limit)
                return nil
            }
            guard let first = try await group.next() else { throw TimeoutError(limit: limit) }
            group.cancelAll()
            guard let result = first else { throw TimeoutError(limit: limit) }
            return result
        }
    }
}

/// An operation did not finish within its limit. Whether it took effect is not known.
public struct TimeoutError: Error, Hashable, CustomStringConvertible {
    public let limit: Nanoseconds
    public init(limit: Nanoseconds) { self.limit = limit }
    public var description: String { "no answer within \(limit); whether it took effect is unknown" }
}

/// The process that made the call has ended: a crash in a simulation, a shutdown in production.
///
/// Every port call of an ended process throws it. Code lets it propagate and does not call ports again.
public struct ProcessStopped: Error, Hashable, CustomStringConvertible {
    public let process: String
    public init(process: String) { self.process = process }
    public var description: String { "process \(process) has ended; its port calls have no effect any more" }
}
