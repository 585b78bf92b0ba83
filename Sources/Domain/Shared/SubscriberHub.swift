import Ports
import Synchronization

/// Hands committed changes to the event streams of this process that wait for them.
///
/// It carries news only after the commit and keeps nothing: a stream that missed something reads it from the database.
final class SubscriberHub<Change: Sendable>: Sendable {
    /// Changes that are kept for one slow stream.
    fileprivate static var maximumBacklog: Int { 256 }

    private let subscriptions = Mutex<[UniqueID: [Subscription]]>([:])

    /// Tells the subscribers of `key`. Costs one look when there are none.
    func publish(_ change: Change, to key: UniqueID) {
        let waiting = subscriptions.withLock { $0.isEmpty ? nil : $0[key] }
        guard let waiting else { return }
        for subscription in waiting { subscription.push(change) }
    }

    /// - Parameter version: what the stream has seen before, by its `Last-Event-ID`.
    func subscribe(to key: UniqueID, seen version: Int64) -> Subscription {
        let subscription = Subscription(key: key, seen: version)
        subscriptions.withLock { $0[key, default: []].append(subscription) }
        return subscription
    }

    func unsubscribe(_ subscription: Subscription) {
        subscriptions.withLock { subscriptions in
            subscriptions[subscription.key]?.removeAll { $0 === subscription }
            if subscriptions[subscription.key]?.isEmpty ?? false { subscriptions[subscription.key] = nil }
        }
    }

    /// The keys that somebody waits for, in order.
    var watchedKeys: [UniqueID] { subscriptions.withLock { $0.keys.sorted() } }

    /// Makes the subscribers of `key` that have not seen `version` look into the database.
    func wake(_ key: UniqueID, unlessSeen version: Int64) {
        let waiting = subscriptions.withLock { $0[key] } ?? []
        for subscription in waiting { subscription.wake(unlessSeen: version) }
    }

    /// One waiting stream.
    final class Subscription: Sendable {
        private struct State {
            var changes: [Change] = []
            var mustLook = false
            var lastSeenVersion: Int64 = 0
            var continuation: CheckedContinuation<Void, Never>?

            var hasNews: Bool { !changes.isEmpty || mustLook }
        }

        let key: UniqueID
        private let state: Mutex<State>

        init(key: UniqueID, seen version: Int64) {
            self.key = key
            state = Mutex(State(lastSeenVersion: version))
        }

        /// Waits for news.
        ///
        /// - Returns: the changes since the last call; empty when the database has something that was not told here.
        /// - Throws: `CancellationError` when the task was cancelled.
        func next() async throws -> [Change] {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        if state.hasNews || Task.isCancelled { return true }
                        state.continuation = continuation
                        return false
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                resume(state.withLock { Self.takeContinuation(&$0) })
            }
            try Task.checkCancellation()
            return state.withLock { state in
                defer {
                    state.changes = []
                    state.mustLook = false
                }
                return state.mustLook ? [] : state.changes
            }
        }

        /// Notes what the stream has sent, for ``SubscriberHub/wake(_:unlessSeen:)``.
        func didSee(_ version: Int64) { state.withLock { $0.lastSeenVersion = version } }

        fileprivate func push(_ change: Change) {
            resume(
                state.withLock { state in
                    if state.changes.count < SubscriberHub.maximumBacklog {
                        state.changes.append(change)
                    } else {
                        state.mustLook = true  // too slow to be told one by one
                    }
                    return Self.takeContinuation(&state)
                })
        }

        fileprivate func wake(unlessSeen version: Int64) {
            resume(
                state.withLock { state in
                    guard version > state.lastSeenVersion else { return nil }
                    state.mustLook = true
                    return Self.takeContinuation(&state)
                })
        }

        private func resume(_ continuation: CheckedContinuation<Void, Never>?) { continuation?.resume() }

        private static func takeContinuation(_ state: inout State) -> CheckedContinuation<Void, Never>? {
            defer { state.continuation = nil }
            return state.continuation
        }
    }
}
