import AdapterSystem
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// SIGTERM and SIGINT as something to wait for. A second one ends the process at once.
enum TerminationSignal {
    private struct State {
        var hasCome = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private static let state = Mutex(State())

    /// To be called before any other thread is started, so that all inherit the mask.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        DedicatedThread.start("signals") {
            var waited = sigset_t()
            sigemptyset(&waited)
            sigaddset(&waited, SIGTERM)
            sigaddset(&waited, SIGINT)
            while true {
                var number: Int32 = 0
                guard sigwait(&waited, &number) == 0 else { continue }
                let (isSecond, waiters) = state.withLock { state in
                    defer { state.waiters = [] }
                    let isSecond = state.hasCome
                    state.hasCome = true
                    return (isSecond, state.waiters)
                }
                if isSecond { _exit(130) }
                for waiter in waiters { waiter.resume() }
            }
        }
    }

    /// Returns when the process is to end.
    static func wait() async {
        await withCheckedContinuation { continuation in
            let hasCome = state.withLock { state in
                if !state.hasCome { state.waiters.append(continuation) }
                return state.hasCome
            }
            if hasCome { continuation.resume() }
        }
    }
}
