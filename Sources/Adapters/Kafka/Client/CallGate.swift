#if Production
    import Ports
    import Synchronization

    /// Counts the calls that use a client of librdkafka, so that none is destroyed under them.
    final class CallGate: Sendable {
        private enum Phase {
            case open
            /// Only what the closing itself leads to: commits in callbacks.
            case closing
            case closed
        }

        private struct State {
            var phase = Phase.open
            var count = 0
            var closer: CheckedContinuation<Void, Never>?
        }

        private let state = Mutex(State())

        /// Runs a call of the client.
        ///
        /// - Parameters:
        ///   - what: the client, for people: `consumer`.
        ///   - whileClosing: whether it may still be made in a callback of the closing.
        /// - Throws: ``Ports/EventLogError`` when the client is closed; what `body` throws.
        func pass<Value: Sendable>(
            _ what: String, whileClosing: Bool = false, _ body: () async throws -> Value
        ) async throws -> Value {
            let mayPass = state.withLock { state in
                guard state.phase == .open || whileClosing && state.phase == .closing else { return false }
                state.count += 1
                return true
            }
            guard mayPass else { throw KafkaErrors.refused("this \(what) is closed; open another") }
            defer { leave() }
            return try await body()
        }

        private func leave() {
            let closer = state.withLock { state -> CheckedContinuation<Void, Never>? in
                state.count -= 1
                return state.count == 0 ? state.closer.take() : nil
            }
            closer?.resume()
        }

        /// Lets no new call in. Returns whether this is the first time.
        func beginClosing() -> Bool {
            state.withLock { state in
                guard state.phase == .open else { return false }
                state.phase = .closing
                return true
            }
        }

        /// Lets nothing in any more.
        func close() { state.withLock { $0.phase = .closed } }

        /// Returns when no call is under way. One task at a time.
        func waitUntilEmpty() async {
            await withCheckedContinuation { continuation in
                let isEmpty = state.withLock { state in
                    if state.count > 0 { state.closer = continuation }
                    return state.count == 0
                }
                if isEmpty { continuation.resume() }
            }
        }
    }
#endif
