import Ports

/// Processes that freeze for a while.
extension Simulation {
    /// Freezes a process: none of its tasks goes on and none of its events is handled, while the world goes on around it.
    ///
    /// A task of it that is ready at this very instant still runs until it waits.
    /// - Returns: false when it is paused already.
    @discardableResult
    public func pause(_ id: ProcessID) -> Bool {
        let process = processes[Int(id.index)]
        guard !process.isPaused else { return false }
        process.isPaused = true
        freeze(process)
        return true
    }

    /// Lets a paused process go on: what came meanwhile reaches it now, in the order in which it came, and what comes while
    /// it catches up queues behind that.
    public func resume(_ id: ProcessID) {
        let process = processes[Int(id.index)]
        guard process.isPaused else { return }
        process.isPaused = false
        continueCatchingUp(process)
    }

    /// Delivers the next of what was kept. One event each, so that the tasks which it makes ready run before what came later.
    func catchUp(_ id: ProcessID) {
        let process = processes[Int(id.index)]
        guard process.isFrozen, !process.isPaused else { return }
        if let delivery = process.deferred.popFirst() {
            unfreeze(process)
            isDelivering = true
            deliver(delivery)
            isDelivering = false
            // While more is kept, and when the delivery led to another pause, the process freezes again.
            freeze(process)
        }
        if !process.isPaused { continueCatchingUp(process) }
    }

    /// Keeps an event that is being dispatched for a frozen process until it goes on; false when it is not frozen.
    func deferWhileFrozen(_ event: KernelEvent, _ id: ProcessID) -> Bool {
        let process = processes[Int(id.index)]
        guard process.isFrozen else { return false }
        process.deferred.append(.event(event, state.pointee.events.popped))
        return true
    }

    /// Keeps a wake-up for later when its process is frozen; false when it is not.
    @usableFromInline func deferWake(_ waiter: WaiterID, _ reason: WakeReason, _ value: UInt64) -> Bool {
        let process = processes[Int(state.pointee.waiters.slots[Int(waiter.index)].process)]
        guard process.isFrozen else { return false }
        process.deferred.append(.wake(waiter, reason, value))
        return true
    }

    // MARK: Parts

    private func continueCatchingUp(_ process: SimulatedProcess) {
        if process.deferred.isEmpty { return unfreeze(process) }
        schedule(
            at: now, kernelHandler, code: KernelEvents.Code.catchUp.rawValue, first: UInt64(process.id.index))
    }

    private func deliver(_ delivery: DeferredDeliveries.Delivery) {
        switch delivery {
        case .event(let event, _): dispatchToHandler(event)
        case .wake(let waiter, let reason, let value): dispatchDeferredWake(waiter, reason, value)
        case .main(let context): runMain(context)
        }
    }

    private func freeze(_ process: SimulatedProcess) {
        guard !process.isFrozen else { return }
        process.isFrozen = true
        state.pointee.frozenCount += 1
    }

    private func unfreeze(_ process: SimulatedProcess) {
        guard process.isFrozen else { return }
        process.isFrozen = false
        state.pointee.frozenCount -= 1
    }
}
