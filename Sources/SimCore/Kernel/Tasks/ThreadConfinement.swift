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
    private let foreign = Locked<(jobs: [UnownedJob], callCount: Int)>(([], 0))

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

    /// Whether the calling thread is the owner, and there is one.
    var isOwnedByCaller: Bool { owner == Self.current }

    /// Counts a call from another thread.
    func noteForeignCall() { foreign.withLock { $0.callCount += 1 } }

    /// Takes a job that another thread made ready; the loop never runs it, and the run fails.
    func keepForeign(_ job: UnownedJob) {
        foreign.withLock {
            $0.jobs.append(job)
            $0.callCount += 1
        }
    }

    /// How often another thread touched the simulation.
    var foreignCalls: Int { foreign.withLock { $0.callCount } }
}
