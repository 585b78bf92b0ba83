import AdapterSystem

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// SIGTERM and SIGINT as something to wait for. A second one ends the process at once.
enum TerminationSignal {
    /// Set when the first has come.
    static let hasCome = EndOfAll()
    /// Set by a command that has nothing to bring to an end.
    static let endsAtOnce = EndOfAll()

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
                // As a shell says it of a program that a signal ended.
                if endsAtOnce.isSet { _exit(128 + number) }
                if hasCome.isSet { _exit(130) }
                hasCome.set()
            }
        }
    }
}
