import Foundation
import SimCore

/// Turns the first SIGINT into an orderly end with a summary of what ran; the second one ends the process.
final class Interrupt: @unchecked Sendable {
    private let source: any DispatchSourceSignal

    init(_ control: Campaign.Control) {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: DispatchQueue(label: "interrupt"))
        source.setEventHandler {
            if control.isStopped { exit(130) }
            control.stop()
        }
        source.resume()
    }

    func finish() {
        source.cancel()
        signal(SIGINT, SIG_DFL)
    }
}
