import Foundation
import Ports
import SimCore

/// A progress bar on standard error while it is a terminal; nothing in a pipe.
final class Progress: @unchecked Sendable {
    private let control: Campaign.Control
    private let total: Int
    private let monitor: RunMonitor
    private let isShown: Bool
    private let start = Stopwatch.nanoseconds()
    private let timer: (any DispatchSourceTimer)?

    init(_ control: Campaign.Control, total: Int, monitor: RunMonitor, isWanted: Bool) {
        self.control = control
        self.monitor = monitor
        self.total = total
        isShown = isWanted && StandardError.isTerminal
        guard isShown else {
            timer = nil
            return
        }
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "progress"))
        self.timer = timer
        timer.schedule(deadline: .now(), repeating: .milliseconds(200))
        timer.setEventHandler { [weak self] in self?.draw() }
        timer.resume()
    }

    private func draw() {
        let (finished, failed) = control.progress
        let share = total == 0 ? 0 : min(1, Double(finished) / Double(total))
        let width = 24
        let filled = Int(share * Double(width))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        let seconds = Double(Stopwatch.nanoseconds() - start) / 1e9
        let left = share > 0.01 ? "\(Int(seconds / share - seconds)) s left" : Self.virtualTime(monitor)
        let text = "\r\u{1B}[K[\(bar)] \(finished)/\(total) seeds, \(failed) failed, \(Int(seconds)) s, \(left)"
        StandardError.write(text)
    }

    /// Where the first of the runs under way is, for as long as nobody can tell when all will have ended: a run of many
    /// orders is long.
    private static func virtualTime(_ monitor: RunMonitor) -> String {
        guard let run = monitor.observe().first else { return "" }
        let seconds = run.now.nanosecondsSinceEpoch / 1_000_000_000
        func twoDigits(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "virtual \(seconds / 3_600):\(twoDigits(seconds / 60 % 60)):\(twoDigits(seconds % 60))"
    }

    /// Says what the tool does once the campaign has ended, in the place of the bar, which is drawn no more.
    func note(_ text: String) {
        timer?.cancel()
        guard isShown else { return }
        StandardError.write("\r\u{1B}[K\(text)")
    }

    /// Takes the bar away.
    func finish() {
        timer?.cancel()
        guard isShown else { return }
        StandardError.write("\r\u{1B}[K")
    }
}

/// The process's own figures: wall time and memory. They are shown, and never decide anything.
enum Stopwatch {
    /// A monotonic clock.
    static func nanoseconds() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    static func cpuSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    static func peakResidentBytes() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}
