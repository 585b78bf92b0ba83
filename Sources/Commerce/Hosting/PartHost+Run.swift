extension PartHost {
    /// Runs parts until SIGTERM. When one fails, all end.
    static func run(_ hosts: [PartHost]) async throws {
        let end = EndOfAll()
        let signals = Task {
            await TerminationSignal.hasCome.wait()
            end.set()
        }
        defer { signals.cancel() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for host in hosts {
                group.addTask {
                    defer { end.set() }
                    try await host.run { await end.wait() }
                }
            }
            var failure: (any Error)?
            for _ in hosts {
                do { try await group.next() } catch { failure = failure ?? error }
            }
            if let failure { throw failure }
        }
    }
}
