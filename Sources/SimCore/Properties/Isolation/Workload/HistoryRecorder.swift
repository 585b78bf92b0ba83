import Ports

/// Writes down what clients ask and learn, in the order in which they do. Clients may run on several threads.
final class HistoryRecorder: Sendable {
    private struct State {
        var operations: [HistoryOperation] = []
        var nextProcess: Int
    }

    private let clock: any ServiceClock
    private let start: Instant
    private let state: Locked<State>

    /// - Parameter processCount: how many processes start; one that does not learn an outcome is followed by a new one.
    init(clock: any ServiceClock, processCount: Int) {
        self.clock = clock
        start = clock.monotonicNow
        state = Locked(State(nextProcess: processCount))
    }

    func record(_ kind: HistoryOperation.Kind, process: Int, _ value: [ListOperation]) {
        state.withLock { state in
            let time = clock.monotonicNow - start
            state.operations.append(
                HistoryOperation(
                    process: process, kind: kind, value: value, index: state.operations.count, time: time.rawValue))
        }
    }

    /// A process that was not there before, for a client that goes on after an unknown outcome.
    func newProcess() -> Int {
        state.withLock { state in
            defer { state.nextProcess += 1 }
            return state.nextProcess
        }
    }

    var history: History { state.withLock { History($0.operations) } }
}
