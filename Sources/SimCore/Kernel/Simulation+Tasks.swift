public import Ports

/// How code on ports waits. Everything that suspends a task of a simulation comes through here.
extension Simulation {
    /// Opens a wait of the context's process, to be handed to whatever shall end it and then awaited once with
    /// ``wait(_:)`` or ``waitForValue(_:)``.
    ///
    /// - Parameter deadline: when to give up, in true virtual time; `nil` to wait for ever.
    @inlinable public func makeWaiter(
        _ context: ProcessContext, _ reason: WaitReason, deadline: Instant? = nil
    ) -> WaiterID {
        let index = state.pointee.waiters.make(process: context.process.index, reason)
        let id = state.pointee.waiters.id(of: index)
        if let deadline {
            state.pointee.waiters.slots[Int(index)].timer = state.pointee.events.insert(
                at: state.pointee.noEarlierThanNow(deadline), wakeEvent(id, .timedOut))
        }
        return id
    }

    /// Ends a wait. While the waiting process is frozen the wake-up is kept until it goes on.
    ///
    /// - Returns: false when the wait was over.
    @inlinable @discardableResult
    public func wake(_ waiter: WaiterID, value: UInt64 = 0) -> Bool {
        guard state.pointee.waiters.isOpen(waiter) else { return false }
        if state.pointee.frozenCount > 0, deferWake(waiter, .happened, value) { return true }
        return state.pointee.end(waiter.index, .happened, value: value)
    }

    /// Whether the id names a wait that is not over.
    public func isWaiting(_ waiter: WaiterID) -> Bool { state.pointee.waiters.isOpen(waiter) }

    /// Suspends until the wait is ended.
    ///
    /// - Returns: true when what was waited for happened, false when the deadline came first.
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    /// - Precondition: the wait has not been awaited before.
    @inlinable @discardableResult
    public func wait(_ waiter: WaiterID) async throws -> Bool {
        try await waitForValue(waiter) != nil
    }

    /// Suspends until the wait is ended, and returns the word that it was ended with; `nil` when the deadline came first.
    ///
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    @inlinable @inline(__always)
    public func waitForValue(_ waiter: WaiterID) async throws -> UInt64? {
        requireNotAwaited(waiter)
        if state.pointee.waiters.slots[Int(waiter.index)].isOpen {
            if state.pointee.currentTask.isRoot {
                state.pointee.parkingWaiter = waiter.index
                await parking.park()
            } else {
                await parkCancellably(waiter)
            }
        }
        return try takeResult(waiter.index)
    }

    /// Suspends until the wait is ended, whether or not the task is cancelled: for what has to be seen through.
    ///
    /// - Returns: true when what was waited for happened, false when the deadline came first.
    /// - Throws: ``Ports/ProcessStopped``.
    @discardableResult
    public func waitThroughCancellation(_ waiter: WaiterID) async throws -> Bool {
        requireNotAwaited(waiter)
        if state.pointee.waiters.slots[Int(waiter.index)].isOpen {
            state.pointee.parkingWaiter = waiter.index
            await parking.park()
        }
        return try takeResult(waiter.index) != nil
    }

    /// What ``Ports/ServiceClock/sleep(for:)`` does: waits for `span` of the process's own clock.
    @inlinable @inline(__always) public func sleep(_ context: ProcessContext, _ span: Nanoseconds) async throws {
        try await context.requireAlive()
        let trueSpan = state.pointee.clocksDiffer ? self.trueSpan(context, span) : span
        guard trueSpan > .zero else { return try await yieldOnce(context) }
        let deadline = state.pointee.now &+ UInt64(trueSpan.rawValue)
        let index = state.pointee.waiters.make(process: context.process.index, WaitReason("its clock"))
        if state.pointee.currentTask.isRoot, state.pointee.skip(to: deadline, process: context.process.index) {
            return state.pointee.waiters.release(index)
        }
        let id = state.pointee.waiters.id(of: index)
        state.pointee.waiters.slots[Int(index)].timer = state.pointee.events.insert(
            at: deadline, wakeEvent(id, .happened))
        _ = try await waitForValue(id)
    }

    /// Waits for a span of true virtual time in which something comes to pass, such as a disk operation.
    ///
    /// Unlike a wait with a deadline it does not end as one that was given up.
    ///
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    public func pass(_ context: ProcessContext, _ span: Nanoseconds, _ reason: WaitReason) async throws {
        let index = state.pointee.waiters.make(process: context.process.index, reason)
        let id = state.pointee.waiters.id(of: index)
        state.pointee.waiters.slots[Int(index)].timer = state.pointee.events.insert(
            at: state.pointee.now &+ UInt64(max(0, span.rawValue)), wakeEvent(id, .happened))
        _ = try await waitForValue(id)
    }

    /// Lets any other ready task run first.
    @inlinable public func yieldToReadyTasks() async {
        if state.pointee.ready.isEmpty {
            state.pointee.instantStepCount &+= 1
            // A task that yields until something happens that takes time would never let the loop see that it spins.
            if state.pointee.instantStepCount <= state.pointee.instantStepLimit / 2 { return }
        }
        state.pointee.parkingWaiter = .max
        await parking.park()
    }

    // MARK: Parts

    @usableFromInline func trueSpan(_ context: ProcessContext, _ span: Nanoseconds) -> Nanoseconds {
        processes[Int(context.process.index)].clock.trueSpan(ofLocal: span)
    }

    /// A sleep of no length. It is a step of its own, so that a loop of them is noticed as a spin.
    @usableFromInline func yieldOnce(_ context: ProcessContext) async throws {
        if Task.isCancelled { throw CancellationError() }
        let index = state.pointee.waiters.make(process: context.process.index, WaitReason("its turn"))
        let id = state.pointee.waiters.id(of: index)
        state.pointee.waiters.slots[Int(index)].timer = state.pointee.events.insert(
            at: state.pointee.now, wakeEvent(id, .happened))
        _ = try await waitForValue(id)
    }

    @inlinable @inline(__always) func wakeEvent(_ waiter: WaiterID, _ reason: WakeReason) -> KernelEvent {
        KernelEvent(
            handler: HandlerID(index: 0), code: 1, incarnation: 0, first: waiter.word, second: UInt64(reason.rawValue))
    }

    /// Waits with a handler that ends the wait when the task is cancelled: for tasks that can be, the children.
    @usableFromInline @inline(never) func parkCancellably(_ waiter: WaiterID) async {
        await withTaskCancellationHandler {
            if state.pointee.waiters.slots[Int(waiter.index)].isOpen {
                state.pointee.parkingWaiter = waiter.index
                await parking.park()
            }
        } onCancel: {
            // On the simulation's own thread: only its tasks cancel its tasks.
            if self.state.pointee.waiters.isOpen(waiter) { self.state.pointee.end(waiter.index, .cancelled, value: 0) }
        }
    }

    /// A slot is used again once its wait is over, so awaiting one twice would take over the wait of somebody else.
    @inlinable @inline(__always) func requireNotAwaited(_ waiter: WaiterID) {
        let slot = state.pointee.waiters.slots + Int(waiter.index)
        precondition(
            slot.pointee.generation == waiter.generation && slot.pointee.job == nil, "a wait is awaited once")
    }

    @inlinable @inline(__always) func takeResult(_ index: UInt32) throws -> UInt64? {
        let slot = state.pointee.waiters.slots + Int(index)
        let (reason, value) = (slot.pointee.wakeReason, slot.pointee.value)
        if reason == .happened || reason == .timedOut {
            state.pointee.waiters.release(index)
            return reason == .happened ? value : nil
        }
        throw interruption(index, reason)
    }

    @usableFromInline func interruption(_ index: UInt32, _ reason: WakeReason) -> any Error {
        let process = processes[Int(state.pointee.waiters.slots[Int(index)].process)]
        state.pointee.waiters.release(index)
        return reason == .stopped ? ProcessStopped(process: process.name) : CancellationError()
    }
}
