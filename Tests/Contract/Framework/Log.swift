import Synchronization

/// Entries from several tasks, in order.
final class Log: Sendable {
    private let state = Mutex<[String]>([])

    var entries: [String] { state.withLock { $0 } }
    func append(_ entry: String) { state.withLock { $0.append(entry) } }
}
