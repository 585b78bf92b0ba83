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
            if isInterrupted { exit(130) }
            isInterrupted = true
            control.stop()
        }
        source.resume()
    }

    func finish() {
        source.cancel()
        signal(SIGINT, SIG_DFL)
    }
}
