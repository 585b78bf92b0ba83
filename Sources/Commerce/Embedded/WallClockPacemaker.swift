import AdapterSystem
import Ports
import SimCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Lets a simulation keep time with this machine, and hands it work from other threads.
final class WallClockPacemaker: Pacemaker, @unchecked Sendable {
    private let clock = SystemClock()
    /// The time of day when the monotonic clock stood at its reading of then: steps of the time of day do not reach the
    /// simulation, whose time never goes back.
    private let origin: (time: Instant, monotonic: Instant)
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    // Both under the mutex.
    private var work: [@Sendable () -> Void] = []
    private var isOver = false

    init() {
        origin = (clock.now, clock.monotonicNow)
        pthread_mutex_init(mutex, nil)
        #if canImport(Glibc)
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(condition, &attributes)
        #else
            pthread_cond_init(condition, nil)
        #endif
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    var now: Instant { origin.time + (clock.monotonicNow - origin.monotonic) }

    /// Hands work to the simulation's thread. Returns false, and drops it, when the simulation is over.
    func submit(_ item: @escaping @Sendable () -> Void) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if isOver { return false }
        work.append(item)
        pthread_cond_signal(condition)
        return true
    }

    /// Takes no more work from now on.
    func end() {
        pthread_mutex_lock(mutex)
        isOver = true
        work = []
        pthread_mutex_unlock(mutex)
    }

    func takeWork() -> [@Sendable () -> Void] {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        let taken = work
        work = []
        return taken
    }

    func wait(until next: Instant?) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard work.isEmpty else { return }
        guard let next else {
            pthread_cond_wait(condition, mutex)
            return
        }
        let left = max(0, (next - now).rawValue)
        #if canImport(Glibc)
            let deadline = clock.monotonicNow.nanosecondsSinceEpoch + left
            var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
            pthread_cond_timedwait(condition, mutex, &time)
        #else
            var time = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
            pthread_cond_timedwait_relative_np(condition, mutex, &time)
        #endif
    }
}
