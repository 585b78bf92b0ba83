import Ports

/// Sends a provider's notifications to the payment service: at least once, as far as a few attempts go.
struct CallbackSender: Sendable {
    private static let attemptCount = 5

    private let payment: any HTTPClient
    private let clock: any ServiceClock

    init(_ payment: any HTTPClient, _ clock: any ServiceClock) {
        self.payment = payment
        self.clock = clock
    }

    /// - Throws: `CancellationError`, ``Ports/ProcessStopped``.
    func send(_ path: String) async throws {
        for attempt in 0..<Self.attemptCount {
            do {
                if try await payment.send(HTTPRequest(.post, path), timeout: .seconds(3)).status < 500 { return }
            } catch is HTTPError {
                // Tried again below; the payment service asks by itself when no notification arrives.
            }
            try await clock.sleep(for: .milliseconds(100 << Int64(attempt)))
        }
    }
}
