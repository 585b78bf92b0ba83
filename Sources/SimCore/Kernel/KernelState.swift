public import Ports

/// What the run loop touches all the time, in one struct behind one pointer: two stored properties of a class changed in one
/// function cost 22 ns in exclusivity checks, the same in a struct 5 ns.
@usableFromInline struct KernelState: ~Copyable {
    @usableFromInline struct Handler {
        @usableFromInline unowned(unsafe) let object: any EventHandler
        /// Index of its process; `UInt32.max` for one that belongs to none.
        @usableFromInline let process: UInt32
    }

    /// Virtual time in nanoseconds from the start.
    @usableFromInline var now: UInt64 = 0
    /// The loop does not go beyond.
    @usableFromInline var timeLimit: UInt64 = .max
    /// Events dispatched and jobs run.
    @usableFromInline var stepCount: UInt64 = 0
    @usableFromInline var eventCount: UInt64 = 0
    /// Steps since virtual time last advanced.
    @usableFromInline var instantStepCount: UInt64 = 0
    @usableFromInline var instantStepLimit: UInt64 = 1_000_000
    @usableFromInline var hash: TraceHash
    @usableFromInline var events = EventQueue<KernelEvent>()
    @usableFromInline var ready = ReadyQueue()
    @usableFromInline var waiters = WaiterStore()
    @usableFromInline var handlers: ContiguousArray<Handler> = []
    @usableFromInline var decisions: Decisions
    /// The waiter with which the next task enqueued on the parking executor waits; none: it is ready again at once.
    @usableFromInline var parkingWaiter: UInt32 = .max
    @usableFromInline var currentTask = TaskIdentity.unknown
    /// The process that the running job or event belongs to, as far as is known.
    @usableFromInline var currentProcess: UInt32 = .max
    /// How many processes are frozen by a pause: zero spares every check.
    @usableFromInline var frozenCount = 0
    /// How many processes are down with their machines: zero spares every message a look at its two ends.
    @usableFromInline var downHostCount = 0
    /// Incarnations that have ended and whose main functions have not: they have to before the next event.
    @usableFromInline var dyingCount = 0
    /// Some process's clock is not true virtual time.
    @usableFromInline var clocksDiffer = false
    /// A trace is recorded.
    @usableFromInline var isRecording = false
    /// Some property wants to be looked at after this step.
    @usableFromInline var needsPropertyCheck = false
    /// Some property, or a recording, wants to see every step.
    @usableFromInline var observesEveryStep = false
    @usableFromInline var isStopRequested = false

    init(decisions: consuming Decisions) {
        hash = TraceHash(seed: decisions.seed)
        self.decisions = decisions
    }

    /// A time to put into the queue. The queue itself may stand at an earlier one, since a sleep that is skipped does not
    /// turn its wheel, and would let time go back.
    @inlinable @inline(__always) func noEarlierThanNow(_ time: Instant) -> UInt64 {
        max(now, UInt64(max(0, time.nanosecondsSinceEpoch)))
    }

    /// Moves to `deadline` without suspending, if sleeping until then would come to the same: nothing is ready, nothing happens
    /// until then or at it, and nobody watches. The hash and the counts are as they would be.
    @inlinable @inline(__always) mutating func skip(to deadline: UInt64, process: UInt32) -> Bool {
        guard ready.isEmpty, deadline <= timeLimit, !observesEveryStep, !isRecording, !needsPropertyCheck,
            !isStopRequested,
            frozenCount == 0, dyingCount == 0
        else { return false }
        if let next = events.earliestBound, next <= deadline { return false }
        now = deadline
        instantStepCount = 0
        countWake(process: process, .happened)
        stepCount &+= 1
        return true
    }

    /// What dispatching a wake-up does first. Folds the process and not the slot, and so comes to the same for a sleep that
    /// was skipped.
    @inlinable @inline(__always) mutating func countWake(process: UInt32, _ reason: WakeReason) {
        stepCount &+= 1
        eventCount &+= 1
        hash.fold(now)
        hash.fold(1 | UInt64(process) &<< 32 | UInt64(reason.rawValue) &<< 16)
    }

    /// What dispatching any event does first.
    @inlinable @inline(__always) mutating func countEvent(_ event: KernelEvent) {
        stepCount &+= 1
        eventCount &+= 1
        hash.fold(now)
        hash.fold(UInt64(event.handler.index) << 32 | UInt64(event.code))
        // One after the other: mixed into one word beforehand, different payloads would come to the same.
        hash.fold(event.first)
        hash.fold(event.second)
    }

    /// Ends a wait, once; makes its task ready when it has suspended.
    @inlinable @inline(__always) @discardableResult
    mutating func end(_ index: UInt32, _ reason: WakeReason, value: UInt64) -> Bool {
        let slot = waiters.slots + Int(index)
        guard slot.pointee.isOpen else { return false }
        slot.pointee.isOpen = false
        slot.pointee.wakeReason = reason
        slot.pointee.value = value
        if let timer = slot.pointee.timer { events.remove(timer) }
        if let job = slot.pointee.job { ready.append(job, slot.pointee.task) }
        return true
    }

    /// Ends every wait of a process, as one that its crash has ended: also those whose end its tasks have not seen yet, so that
    /// no code of a dead incarnation takes what came for it at the very instant of the crash.
    mutating func stopWaits(ofProcess process: UInt32) {
        for index in 0..<waiters.count {
            let slot = waiters.slots + index
            guard slot.pointee.generation & 1 == 1, slot.pointee.process == process else { continue }
            if !end(UInt32(index), .stopped, value: 0) { slot.pointee.wakeReason = .stopped }
        }
    }
}
