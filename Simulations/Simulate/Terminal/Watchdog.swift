import Foundation
import SimCore

/// Ends the tool when a process of a run never gives its thread back: a loop without a suspension point cannot be
/// interrupted from inside, and must not hang the tool.
final class Watchdog: @unchecked Sendable {
    private let monitor: RunMonitor
    private let replayCommand: String
    private let timer: any DispatchSourceTimer
    private var seen: [UInt64: (stepCount: UInt64, since: UInt64)] = [:]

    /// - Parameters:
    ///   - limitSeconds: how long a run may make no step at all.
    ///   - replayCommand: repeats a run, but for its seed.
    init(_ monitor: RunMonitor, limitSeconds: Int, replayCommand: String) {
        self.replayCommand = replayCommand
        self.monitor = monitor
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "watchdog"))
        self.timer = timer
        timer.schedule(deadline: .now() + 1, repeating: 1)
        timer.setEventHandler { [weak self] in self?.look(limitSeconds: limitSeconds) }
        timer.resume()
    }

    private func look(limitSeconds: Int) {
        let now = Stopwatch.nanoseconds()
        let observations = monitor.observe()
        for observation in observations {
            guard let earlier = seen[observation.seed], earlier.stepCount == observation.stepCount else {
                seen[observation.seed] = (observation.stepCount, now)
                continue
            }
            if now - earlier.since > UInt64(limitSeconds) * 1_000_000_000 {
                StandardError.print(
                    "seed \(observation.seed): process '\(observation.process)' has not given the thread back for \(limitSeconds) s; it loops or waits without awaiting anything\n  replay: \(replayCommand) --seed \(observation.seed)"
                )
                exit(ExitCode.violated.rawValue)
            }
        }
        let running = Set(observations.map(\.seed))
        seen = seen.filter { running.contains($0.key) }
    }

    func finish() { timer.cancel() }
}
