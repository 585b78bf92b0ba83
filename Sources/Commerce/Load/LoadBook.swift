import AdapterSystem
import Domain
import Ports
import Synchronization

/// What the customers of a load run were told, and when: for the figures and for the judge.
final class LoadBook: Sendable {
    /// One order as its customer knows it.
    struct Entry: Sendable {
        let number: Int
        var orderID: UniqueID?
        var promises: [OrderHistory.Promise] = []
        var sightings: [OrderHistory.Sighting] = []
        /// Readings of the monotonic clock.
        var postedAt: Instant?
        var acceptedAt: Instant?
        var payableAt: Instant?
        var payStartedAt: Instant?
        var paidAt: Instant?
        var finishedAt: Instant?
        var outcome = ""
    }

    private struct State {
        var entries: [Entry]
        var numberOfOrder: [UniqueID: Int] = [:]
        var acceptedCount = 0
        var finishedCount = 0
        var completedCount = 0
        /// Ended for the customer without an order: refused, or never answered.
        var failedCount = 0
        var retryCount = 0
        var firstProblem: String?
    }

    private let clock = SystemClock()
    private let state: Mutex<State>

    init(orderCount: Int) {
        state = Mutex(State(entries: (0..<orderCount).map { Entry(number: $0) }))
    }

    var now: Instant { clock.monotonicNow }
    var orderCount: Int { state.withLock { $0.entries.count } }
    var entries: [Entry] { state.withLock { $0.entries } }
    var acceptedCount: Int { state.withLock { $0.acceptedCount } }
    var finishedCount: Int { state.withLock { $0.finishedCount } }
    var completedCount: Int { state.withLock { $0.completedCount } }
    var failedCount: Int { state.withLock { $0.failedCount } }
    var retryCount: Int { state.withLock { $0.retryCount } }
    var firstProblem: String? { state.withLock { $0.firstProblem } }
    /// Whether every order that was accepted has come to its end.
    var isSettled: Bool { state.withLock { $0.finishedCount + $0.failedCount >= $0.entries.count } }

    func change(_ number: Int, _ change: (inout Entry) -> Void) { state.withLock { change(&$0.entries[number]) } }

    func accepted(_ number: Int, _ orderID: UniqueID, key: String) {
        let now = now
        state.withLock { state in
            state.acceptedCount += 1
            state.numberOfOrder[orderID] = number
            state.entries[number].orderID = orderID
            state.entries[number].acceptedAt = now
            state.entries[number].promises.append(.placed(key: key))
        }
    }

    func failed(_ number: Int, _ problem: String) {
        state.withLock { state in
            state.failedCount += 1
            state.entries[number].outcome = "REFUSED"
            state.firstProblem = state.firstProblem ?? problem
        }
    }

    func retried(_ problem: String) {
        state.withLock { state in
            state.retryCount += 1
            state.firstProblem = state.firstProblem ?? problem
        }
    }

    /// Notes a status of an order that a stream showed.
    func saw(_ status: OrderStatus, ofOrder orderID: UniqueID, stream: OrderHistory.Sighting.Stream, id: Int64) {
        let now = now
        state.withLock { state in
            guard let number = state.numberOfOrder[orderID] else { return }
            state.entries[number].sightings.append(
                OrderHistory.Sighting(
                    stream: stream, subscriber: stream == .order ? number : -1, id: id, status: status))
            switch status {
            case .pendingForPay: state.entries[number].payableAt = state.entries[number].payableAt ?? now
            case .paid: state.entries[number].paidAt = state.entries[number].paidAt ?? now
            default: break
            }
            guard status.isTerminal, state.entries[number].finishedAt == nil else { return }
            state.entries[number].finishedAt = now
            state.entries[number].outcome = status.rawValue
            state.finishedCount += 1
            if status == .completed { state.completedCount += 1 }
        }
    }
}
