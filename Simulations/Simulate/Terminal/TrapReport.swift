import Foundation
import SimCore

/// Says which run trapped. A failed precondition, an index out of range or an overflow ends the whole process; without this
/// the seed that did it would be lost.
enum TrapReport {
    /// What the handler reads; a signal handler has no context of its own.
    private struct Watched {
        let monitor: RunMonitor
        /// Repeats a run, but for its seed.
        let replayCommand: String
    }

    private nonisolated(unsafe) static var watched: Watched?
    private nonisolated(unsafe) static var earlierHandlers: [Int32: sigaction] = [:]
    private static let signals = [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE]

    /// Watches the runs of a monitor. A handler that was there before, such as the runtime's own backtrace, still has its
    /// turn.
    static func install(_ monitor: RunMonitor, replayCommand: String) {
        watched = Watched(monitor: monitor, replayCommand: replayCommand)
        #if os(Linux)
            guard earlierHandlers.isEmpty else { return }
            for signal in signals {
                var action = sigaction()
                action.__sigaction_handler.sa_handler = { TrapReport.report($0) }
                var earlier = sigaction()
                sigaction(signal, &action, &earlier)
                earlierHandlers[signal] = earlier
            }
        #endif
    }

    /// Runs on the thread that trapped, which is in the middle of the simulated code and holds none of the tool's locks.
    private static func report(_ signal: Int32) {
        if let watched, let run = watched.monitor.observeOwnThread() {
            let text = """
                simulate: seed \(run.seed): process '\(run.process)' trapped (signal \(signal)); what the runtime says of it stands beside this
                  replay: \(watched.replayCommand) --seed \(run.seed)

                """
            StandardError.write(text)
        }
        #if os(Linux)
            var earlier = earlierHandlers[signal] ?? sigaction()
            if unsafeBitCast(earlier.__sigaction_handler.sa_handler, to: Int.self) == 0 {
                _exit(ExitCode.violated.rawValue)
            }
            // The instruction that trapped is executed again, and its signal goes to the handler that was there before.
            sigaction(signal, &earlier, nil)
        #endif
    }
}
