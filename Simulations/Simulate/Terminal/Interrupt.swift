import Foundation
import SimCore

/// Turns the first SIGINT into an orderly end with a summary of what ran; the second one ends the process.
final class Interrupt: @unchecked Sendable {
    private let source: any DispatchSourceSignal
    /// Touched on the source's queue only. A campaign that has stopped for a reason of its own is about to sum up, and may.
    private var isInterrupted = false

    init(_ control: Campaign.Control) {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: DispatchQueue(label: "interrupt"))
        source.setEventHandler { [unowned self] in
            if isInterrupted { exit(ExitCode.interrupted.rawValue) }
            isInterrupted = true
            // The bar stands on the line.
            if StandardError.isTerminal { StandardError.write("\r\u{1B}[K") }
            StandardError.print(
                "interrupted: no further run begins, and the summary follows when those under way have ended; interrupt again to end at once"
            )
            control.stop()
        }
        source.resume()
    }

    func finish() {
        source.cancel()
        signal(SIGINT, SIG_DFL)
    }
}
