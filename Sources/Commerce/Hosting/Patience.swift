import AdapterSystem
import Outbox
import Ports

/// A server could not be used at the start, and it is no use to go on trying.
struct StartupError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was to be done, for example `database of the order service`.
    let what: String
    let problem: String

    var description: String { "\(what): \(problem)" }
}

/// Tries what needs a server that may not be there yet: with growing pauses, for a bounded time. What will not change by
/// itself, a wrong password for example, is not tried again.
struct Patience: Sendable {
    let limit: Nanoseconds
    let log: any ServiceLog
    private let clock = SystemClock()
    private let backoff = Backoff(firstDelay: .milliseconds(200), maximumDelay: .seconds(5))

    init(limit: Nanoseconds, log: any ServiceLog) {
        self.limit = limit
        self.log = log
    }

    /// - Throws: ``StartupError``, `CancellationError`.
    func attempt<Result>(_ what: String, _ body: () async throws -> Result) async throws -> Result {
        let start = clock.monotonicNow
        var failures = 0
        while true {
            do {
                return try await body()
            } catch let error as CancellationError {
                throw error
            } catch let error as StartupError {
                throw error
            } catch {
                let delay = backoff.delay(
                    beforeRetry: failures, randomBits: RandomIdentifiers().next().low)
                guard !Self.isHopeless(error) else { throw StartupError(what: what, problem: Self.text(error)) }
                guard clock.monotonicNow - start + delay < limit else {
                    throw StartupError(what: what, problem: "\(Self.text(error)); given up after \(limit)")
                }
                failures += 1
                log.log(
                    .warning, "not reached, trying again",
                    [
                        LogField("what", what), LogField("error", Self.text(error)),
                        LogField("attempt", String(failures)),
                    ])
                try await clock.sleep(for: delay)
            }
        }
    }

    /// Whether trying again gives the same: the server answered, and said no.
    private static func isHopeless(_ error: any Error) -> Bool {
        guard let state = (error as? DatabaseError)?.sqlState?.rawValue else { return false }
        // Invalid authorization, unknown database, no privilege, a schema of a newer program.
        return state.hasPrefix("28") || state == "3D000" || state == "42501" || state == "55000"
    }

    private static func text(_ error: any Error) -> String {
        String(describing: error).split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
