public import Ports

/// Lives and deaths of processes.
extension Simulation {
    /// How many port calls a dead incarnation may make before the run fails for it. Some are fair: a `defer` that closes
    /// things, tasks of a group that each learn of it.
    static let callsAfterStopLimit = 1_000
    /// How many calls that cannot suspend it may make before there is no other way to end its loop than to end the tool.
    static let synchronousCallsAfterStopLimit = 1_000_000

    /// Starts a process: its first incarnation, or a new one after a crash. Does nothing while one is alive.
    public func start(_ id: ProcessID) {
        let process = processes[Int(id.index)]
        guard process.state != .running else { return }
        if let restart = process.restart { cancel(restart) }
        process.restart = nil
        process.incarnation += 1
        process.state = .running
        if process.isHostDown { state.pointee.downHostCount -= 1 }
        process.isHostDown = false
        let context = ProcessContext(
            simulation: self, process: id, name: process.name, incarnation: process.incarnation)
        process.context = context
        for observer in process.observers { observer.processStarted(id, incarnation: process.incarnation) }
        if process.isFrozen { process.deferred.append(.main(context)) } else { runMain(context) }
    }

    /// Lets the main function of an incarnation begin.
    func runMain(_ context: ProcessContext) {
        let process = processes[Int(context.process.index)]
        guard let main = process.main else { return }
        process.isMainRunning = true
        process.mainTask = executor.spawnRoot(process: process.id) {
            do {
                try await main(context)
                self.mainReturned(context, nil)
            } catch {
                self.mainReturned(context, error)
            }
        }
    }

    /// Starts a process at a later time, unless it is alive by then.
    public func scheduleStart(of id: ProcessID, at time: Instant) {
        schedule(at: time, kernelHandler, code: KernelEvents.Code.start.rawValue, first: UInt64(id.index))
    }

    /// Starts a process that is down at a later time. It has one restart ahead at most: another one takes the place of the
    /// first, and a start by somebody else takes it away. So a restart is an event of its own in a trace, and none is left
    /// behind for an outage that is over.
    func scheduleRestart(of id: ProcessID, at time: Instant) {
        let process = processes[Int(id.index)]
        if let earlier = process.restart { cancel(earlier) }
        process.restart = schedule(
            at: time, kernelHandler, code: KernelEvents.Code.start.rawValue, first: UInt64(id.index))
    }

    /// Ends the present incarnation at once: everything that it waits for ends with ``Ports/ProcessStopped``, every port call
    /// of it fails from now on, observers drop what was volatile.
    ///
    /// - Returns: false when there was none to crash.
    ///   With `hostDown`, the machine dies with it: peers see no reset, only silence, until the process starts again.
    @discardableResult
    public func crash(_ id: ProcessID, hostDown: Bool = false) -> Bool {
        let process = processes[Int(id.index)]
        guard process.state == .running else { return false }
        process.isHostDown = hostDown
        if hostDown { state.pointee.downHostCount += 1 }
        stopIncarnation(process, as: .crashed)
        for observer in process.observers { observer.processCrashed(id) }
        return true
    }

    /// Whether the process's machine is down.
    public func isHostDown(_ id: ProcessID) -> Bool {
        state.pointee.downHostCount > 0 && processes[Int(id.index)].isHostDown
    }

    private func stopIncarnation(_ process: SimulatedProcess, as state: ProcessState) {
        process.state = state
        process.context?.isLive = false
        process.context = nil
        process.callsAfterStop = 0
        process.deferred.removeAll()
        if process.isMainRunning {
            process.isMainRunning = false
            process.dyingIncarnations.append(process.incarnation)
            self.state.pointee.dyingCount += 1
        }
        self.state.pointee.stopWaits(ofProcess: process.id.index)
        // For what the code awaits that is no wait of ours: continuations of its own with cancellation handlers.
        process.mainTask?.cancel()
        process.mainTask = nil
    }

    /// Lets an object hear of starts and crashes of a process. Observers are told in the order in which they were added.
    public func observe(_ id: ProcessID, by observer: any ProcessObserver) {
        processes[Int(id.index)].observers.append(observer)
    }

    /// Sets a process's clock forward or back.
    public func jumpClock(of id: ProcessID, by step: Nanoseconds) {
        state.pointee.clocksDiffer = true
        processes[Int(id.index)].clock.jump(by: step)
    }

    /// Lets a process's clock run faster or slower from now on.
    public func setClockDrift(of id: ProcessID, partsPerMillion: Int64) {
        processes[Int(id.index)].ownDrift = partsPerMillion
        applyClockDrift(processes[Int(id.index)])
    }

    /// Lets a clock drift for a fault. It drifts on for the others when one of several ends.
    func disturbClock(of id: ProcessID, partsPerMillion: Int64, fault: FaultInstanceID) {
        processes[Int(id.index)].faultDrifts.append((fault, partsPerMillion))
        applyClockDrift(processes[Int(id.index)])
    }

    func undisturbClock(of id: ProcessID, fault: FaultInstanceID) {
        processes[Int(id.index)].faultDrifts.removeAll { $0.fault == fault }
        applyClockDrift(processes[Int(id.index)])
    }

    private func applyClockDrift(_ process: SimulatedProcess) {
        state.pointee.clocksDiffer = true
        let drift = process.faultDrifts.last?.partsPerMillion ?? process.ownDrift
        process.clock.setDrift(partsPerMillion: drift, now: now)
    }

    /// A process's drift now, in parts per million.
    public func clockDrift(of id: ProcessID) -> Int64 { processes[Int(id.index)].clock.driftPartsPerMillion }

    // MARK: Parts

    /// Whether the caller runs on the thread that runs this simulation.
    @usableFromInline var isOnOwnThread: Bool { executor.thread.isConfined }

    /// Counts a call from another thread that cannot be refused with an error.
    func noteThread() { if !isOnOwnThread { executor.thread.noteForeignCall() } }

    /// Counts a port call of a dead incarnation, or of work on another thread, and says what to throw.
    @usableFromInline func rejectCallOfStoppedProcess(_ context: ProcessContext) -> any Error {
        guard executor.thread.isConfined else {
            executor.thread.noteForeignCall()
            return ProcessStopped(process: context.name)
        }
        let process = processes[Int(context.process.index)]
        process.callsAfterStop += 1
        if process.callsAfterStop == Self.callsAfterStopLimit {
            fail(
                .calledAfterStop, process.name,
                "incarnation \(context.incarnation) made \(Self.callsAfterStopLimit) port calls after its end; let ProcessStopped propagate instead of calling again"
            )
            // Said once is enough: it need not be reported for outliving its crash as well.
            _ = forgetDying(process, context.incarnation)
        }
        precondition(
            process.callsAfterStop < Self.synchronousCallsAfterStopLimit,
            "seed \(seed): process '\(process.name)' calls ports in an endless loop after its end, without a wait in it"
        )
        return ProcessStopped(process: context.name)
    }

    /// What a port call that may suspend does when its incarnation has ended: it throws. One that was told so too often to be
    /// going to listen is not resumed any more, so that its loop cannot hold up the tool.
    @usableFromInline func refuseCall(_ context: ProcessContext) async throws -> Never {
        let error = rejectCallOfStoppedProcess(context)
        if isOnOwnThread, processes[Int(context.process.index)].callsAfterStop > Self.callsAfterStopLimit {
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
        }
        throw error
    }

    /// Notes that a dying incarnation has ended, or need not be waited for any more; false when it is none.
    func forgetDying(_ process: SimulatedProcess, _ incarnation: UInt32) -> Bool {
        guard let position = process.dyingIncarnations.firstIndex(of: incarnation) else { return false }
        process.dyingIncarnations.remove(at: position)
        state.pointee.dyingCount -= 1
        return true
    }

    private func mainReturned(_ context: ProcessContext, _ error: (any Error)?) {
        let process = processes[Int(context.process.index)]
        if forgetDying(process, context.incarnation) { return }
        guard process.incarnation == context.incarnation, process.state == .running else { return }
        process.isMainRunning = false
        guard let error else {
            process.state = .finished
            process.context?.isLive = false
            for observer in process.observers { observer.processFinished(process.id) }
            return
        }
        switch process.errorPolicy {
        case .failRun: fail(.processError, process.name, "its main function threw \(error)")
        case .restart(let delay):
            stopIncarnation(process, as: .crashed)
            for observer in process.observers { observer.processCrashed(process.id) }
            scheduleRestart(of: process.id, at: now + delay)
        }
    }
}
