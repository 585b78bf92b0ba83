#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Knows the one thread that may touch a running simulation, and notices when another does: the mark of work that escaped
/// (`Task {}`, `Task.detached`, `Task.sleep`, an actor with its own executor).
final class ThreadConfinement: @unchecked Sendable {
    private var owner: UInt = 0
    private var mutex = pthread_mutex_t()
    private var foreignJobs: [UnownedJob] = []
    private var foreignCallCount = 0

    init() { pthread_mutex_init(&mutex, nil) }
    deinit { pthread_mutex_destroy(&mutex) }

    private static var current: UInt {
        #if canImport(Darwin)
            UInt(bitPattern: pthread_self())
        #else
            UInt(pthread_self())
        #endif
    }

    /// Makes the calling thread the owner.
    func adoptCurrentThread() { owner = Self.current }

    /// Whether the calling thread is the owner, or there is none yet.
    var isConfined: Bool { owner == 0 || owner == Self.current }

    /// Counts a call from another thread.
    func noteForeignCall() { locked { foreignCallCount += 1 } }

    /// Takes a job that another thread made ready; the loop never runs it, and the run fails.
    func keepForeign(_ job: UnownedJob) {
        locked {
            foreignJobs.append(job)
            foreignCallCount += 1
        }
    }

    /// How often another thread touched the simulation.
    var foreignCalls: Int { locked { foreignCallCount } }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(&mutex)
        defer { pthread_mutex_unlock(&mutex) }
        return body()
    }
}
