import Synchronization

/// What the handler of a case has come to, for the case to ask; one for each name.
final class StreamLog: Sendable {
    private static let logs = Mutex<[String: StreamLog]>([:])
    private let state = Mutex(false)

    static func shared(_ name: String) -> StreamLog {
        logs.withLock { logs in
            if let known = logs[name] { return known }
            let log = StreamLog()
            logs[name] = log
            return log
        }
    }

    var hasEnded: Bool { state.withLock { $0 } }
    func end() { state.withLock { $0 = true } }
}
