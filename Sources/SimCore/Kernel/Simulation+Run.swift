import Ports

/// The run loop.
extension Simulation {
    /// Runs the simulation until its driver returns, something fails, or nothing is left to happen.
    ///
    /// The driver is a process of its own, called `driver`: a scripted scenario, or whatever decides that the run is over. Call
    /// once. Blocks the calling thread, which is the only one that may touch the simulation meanwhile.
    ///
    /// - Returns: what happened. It never throws: whatever goes wrong is a violation in the report.
    public func run(driver: @escaping @Sendable (ProcessContext) async throws -> Void) -> RunReport {
        precondition(!hasBegun, "a simulation runs once; make another for another run")
        hasBegun = true
        executor.thread.adoptCurrentThread()
        addProcess("driver") { context in
            try await driver(context)
            context.simulation.state.pointee.isStopRequested = true
        }
        loop()
        if violations.isEmpty { concludeQuietly() }
        noteForeignCalls()
        var report = makeReport()
        // What died at this very instant has not unwound yet.
        let dying = dyingIncarnations
        tearDown()
        report.violations += dying.compactMap(outlivedCrash)
        releaseParts()
        return report
    }

    private func loop() {
        let taskExecutor = executor.asUnownedTaskExecutor()
        let chooses = executor.choosesAmongReady
        while !state.pointee.isStopRequested {
            if chooses, !state.pointee.ready.isEmpty, let (_, event) = state.pointee.events.pop(upTo: state.pointee.now)
            {
                // Whatever is due at this instant may make tasks ready that the policy is to choose among, too.
                dispatch(event, taskExecutor, chooses)
            } else if !state.pointee.ready.isEmpty {
                if chooses, state.pointee.ready.count > 1 { executor.chooseNext() }
                let entry = state.pointee.ready.removeFirst()
                state.pointee.currentTask = entry.task
                state.pointee.currentProcess = entry.task.process
                state.pointee.stepCount &+= 1
                entry.job.runSynchronously(on: taskExecutor)
            } else if state.pointee.dyingCount > 0 {
                reportOutlivedCrashes()
            } else if let (time, event) = state.pointee.events.pop(upTo: state.pointee.timeLimit) {
                if time != state.pointee.now {
                    state.pointee.now = time
                    state.pointee.instantStepCount = 0
                }
                dispatch(event, taskExecutor, chooses)
            } else if let pacemaker {
                keepPace(pacemaker)
                continue
            } else {
                return reportStandstill()
            }
            state.pointee.instantStepCount &+= 1
            if state.pointee.instantStepCount > state.pointee.instantStepLimit / 2 { noteSpinning() }
            if state.pointee.needsPropertyCheck || state.pointee.observesEveryStep { lookAtProperties() }
        }
    }

    @inline(__always)
    private func dispatch(_ event: KernelEvent, _ taskExecutor: UnownedTaskExecutor, _ chooses: Bool) {
        if event.handler.index == 0, event.code == KernelEvents.Code.wake.rawValue {
            return dispatchWake(event, taskExecutor, chooses)
        }
        let handler = state.pointee.handlers[Int(event.handler.index)]
        if handler.process != .max {
            let process = processes[Int(handler.process)]
            guard process.incarnationTag == event.incarnation, process.state != .crashed else { return }
            if process.isFrozen { return process.deferred.append(.event(event, state.pointee.events.popped)) }
        }
        carryOut(event, handler)
    }

    @inline(__always)
    private func carryOut(_ event: KernelEvent, _ handler: KernelState.Handler) {
        state.pointee.countEvent(event)
        state.pointee.currentProcess = handler.process
        if state.pointee.isRecording { record(event, handler) }
        handler.object.handle(event)
    }

    /// An event that was kept while its process was frozen. Crashes drop what is kept, so its incarnation still lives.
    func dispatchToHandler(_ event: KernelEvent) { carryOut(event, state.pointee.handlers[Int(event.handler.index)]) }

    /// A wake-up that was kept while its process was frozen, unless the wait has ended otherwise meanwhile.
    func dispatchDeferredWake(_ waiter: WaiterID, _ reason: WakeReason, _ value: UInt64) {
        guard state.pointee.waiters.isOpen(waiter) else { return }
        let slot = state.pointee.waiters.slots + Int(waiter.index)
        state.pointee.countWake(process: slot.pointee.process, reason)
        if state.pointee.isRecording { recordWake(slot.pointee.process, slot.pointee.reason, reason) }
        state.pointee.end(waiter.index, reason, value: value)
    }

    /// What waking does, except that the job need not pass through the ready queue when nothing else is there and none is to
    /// be chosen.
    @inline(__always)
    private func dispatchWake(_ event: KernelEvent, _ taskExecutor: UnownedTaskExecutor, _ chooses: Bool) {
        let waiter = WaiterID(word: event.first)
        let slot = state.pointee.waiters.slots + Int(waiter.index)
        slot.pointee.timer = nil
        let reason = WakeReason(rawValue: UInt8(truncatingIfNeeded: event.second)) ?? .happened
        if state.pointee.frozenCount > 0, deferWake(waiter, reason, 0) { return }
        state.pointee.countWake(process: slot.pointee.process, reason)
        if state.pointee.isRecording { recordWake(slot.pointee.process, slot.pointee.reason, reason) }
        slot.pointee.isOpen = false
        slot.pointee.wakeReason = reason
        slot.pointee.value = 0
        guard let job = slot.pointee.job else { return }
        if chooses { return state.pointee.ready.append(job, slot.pointee.task) }
        state.pointee.currentProcess = slot.pointee.process
        state.pointee.currentTask = slot.pointee.task
        state.pointee.stepCount &+= 1
        job.runSynchronously(on: taskExecutor)
    }

    /// Has the properties looked at once virtual time has come to `time`, whether anything else happens then or not.
    func scheduleWakeUp(at time: Instant) {
        schedule(at: time, kernelHandler, code: KernelEvents.Code.look.rawValue)
    }

    @inline(never)
    private func lookAtProperties() {
        state.pointee.needsPropertyCheck = false
        if let violation = properties.check() {
            violations.append(violation)
            state.pointee.isStopRequested = true
        }
    }

    // MARK: Ends

    /// Nothing is left to happen before the time limit.
    private func reportStandstill() {
        if !state.pointee.events.isEmpty {
            return fail(
                .timeLimit, "virtual time",
                "the run did not end within \(timeLimit) of virtual time; still waiting: \(waitingText())")
        }
        fail(.deadlock, "standstill", "nothing is left to happen, and there wait: \(waitingText())")
    }

    /// Who waits for what, by process.
    func waitingText() -> String {
        var lines: [String] = []
        for process in processes {
            for waiter in state.pointee.waiters.open(ofProcess: process.id.index) {
                let reason = state.pointee.waiters.slots[Int(waiter.index)].reason
                lines.append("\(process.name) for \(reason.description)")
            }
            if process.isPaused { lines.append("\(process.name) is paused for ever") }
        }
        if lines.isEmpty { return "nobody that the simulation knows; a task awaits something outside of it" }
        return lines.prefix(20).joined(separator: "; ") + (lines.count > 20 ? "; and \(lines.count - 20) more" : "")
    }

    /// Counts who takes part in the second half of an instant that seems not to end, and fails when it is over.
    @inline(never)
    private func noteSpinning() {
        // Who was busy at an instant that did end is not to blame for this one.
        if state.pointee.instantStepCount == state.pointee.instantStepLimit / 2 + 1 { spinners.removeAll() }
        let index = state.pointee.currentProcess
        if index != .max { spinners[processes[Int(index)].name, default: 0] += 1 }
        guard state.pointee.instantStepCount >= state.pointee.instantStepLimit else { return }
        let worst = spinners.keys.sorted().max { spinners[$0]! < spinners[$1]! } ?? "the simulation itself"
        fail(
            .livelock, worst,
            "\(state.pointee.instantStepCount) steps at one instant without time going on; \(worst) spins")
    }

    /// The driver has returned: what must hold at rest is judged.
    private func concludeQuietly() {
        state.pointee.isStopRequested = false
        if let violation = properties.check() { violations.append(violation) }
        violations += properties.checkQuiescence()
    }

    private func noteForeignCalls() {
        let calls = executor.thread.foreignCalls
        if calls > 0 {
            violations.append(
                violation(
                    .misuse, "thread",
                    "\(calls) calls came from another thread: some task escaped the simulation (Task {}, Task.detached, Task.sleep or an actor with an executor of its own)"
                ))
        }
    }

    /// A main function of a crashed incarnation has to end at the instant of its crash: all it waits for has ended. Nothing
    /// is ready any more, so those that have not will not.
    @inline(never)
    private func reportOutlivedCrashes() {
        violations += dyingIncarnations.compactMap(outlivedCrash)
        state.pointee.isStopRequested = true
    }

    /// Incarnations that have crashed and whose main functions have not ended.
    private var dyingIncarnations: [(process: SimulatedProcess, incarnation: UInt32)] {
        processes.flatMap { process in process.dyingIncarnations.map { (process, $0) } }
    }

    /// The violation of a dead incarnation, unless it has ended meanwhile or was reported before.
    private func outlivedCrash(_ process: SimulatedProcess, _ incarnation: UInt32) -> Violation? {
        guard forgetDying(process, incarnation) else { return nil }
        return violation(
            .outlivedCrash, process.name,
            "incarnation \(incarnation) crashed, and its main function has not ended: it awaits something that no crash reaches"
        )
    }

    /// Stops every process and lets their tasks unwind, so that nothing outlives the run.
    private func tearDown() {
        let kept = violations
        for process in processes where process.state == .running {
            process.isPaused = false
            process.isFrozen = false
            _ = crash(process.id)
        }
        state.pointee.frozenCount = 0
        let taskExecutor = executor.asUnownedTaskExecutor()
        var budget = 1_000_000
        while !state.pointee.ready.isEmpty, budget > 0 {
            budget -= 1
            let entry = state.pointee.ready.removeFirst()
            state.pointee.currentTask = entry.task
            entry.job.runSynchronously(on: taskExecutor)
        }
        violations = kept
    }

    // MARK: Recording

    @inline(never)
    private func record(_ event: KernelEvent, _ handler: KernelState.Handler) {
        let subject = handler.process == .max ? "simulation" : processes[Int(handler.process)].name
        append(subject: subject, handler.object.describe(event))
    }

    @inline(never)
    private func recordWake(_ process: UInt32, _ waited: WaitReason, _ reason: WakeReason) {
        let what = reason == .timedOut ? "gives up waiting for" : "goes on after"
        append(subject: processes[Int(process)].name, "\(what) \(waited.description)")
    }

    private func append(subject: String, _ what: String) {
        trace?.append(
            TraceEntry(
                step: state.pointee.eventCount, at: now - .epoch, hash: state.pointee.hash.value, subject: subject,
                what: what))
    }
}
