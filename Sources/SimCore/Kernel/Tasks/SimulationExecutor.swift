/// Where tasks that wait are enqueued. Its jobs are never run under its own name, but as jobs of the simulation's task
/// executor, on which they want to be next; so the hop back is only a comparison.
@usableFromInline final class ParkingExecutor: SerialExecutor, @unchecked Sendable {
    @usableFromInline let state: UnsafeMutablePointer<KernelState>

    init(_ state: UnsafeMutablePointer<KernelState>) { self.state = state }

    @usableFromInline func enqueue(_ job: consuming ExecutorJob) {
        let (job, index) = (UnownedJob(job), state.pointee.parkingWaiter)
        if index == .max { return state.pointee.ready.append(job, state.pointee.currentTask) }
        state.pointee.parkingWaiter = .max
        let slot = state.pointee.waiters.slots + Int(index)
        slot.pointee.job = job
        slot.pointee.task = state.pointee.currentTask
    }
}

/// The actor that a task hops to in order to suspend. Its executor's `enqueue` keeps the task's job in the waiter it waits
/// with: there is no continuation object and no allocation, the task is its own continuation.
///
/// `park` must not assert its isolation: the job is resumed as one of the task executor (checked on Swift 6.3.1).
@usableFromInline actor Parking {
    @usableFromInline nonisolated let executor: ParkingExecutor
    @usableFromInline nonisolated(unsafe) let state: UnsafeMutablePointer<KernelState>

    init(_ state: UnsafeMutablePointer<KernelState>) {
        self.state = state
        executor = ParkingExecutor(state)
    }

    @usableFromInline nonisolated var unownedExecutor: UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: executor)
    }

    /// Suspends the caller: until the waiter named in the state is ended, or without one as a job that is ready.
    ///
    /// The store keeps the optimizer from dropping a hop to an actor that does nothing there.
    @inlinable func park() { state.pointee.parkingWaiter = .max }
}

/// The executor of one simulation: every task of its processes runs on it, on the thread that runs the simulation.
public final class SimulationExecutor: TaskExecutor, @unchecked Sendable {
    let state: UnsafeMutablePointer<KernelState>
    private var chooser: TaskChooser
    private var isSpawningRoot = false
    let thread = ThreadConfinement()

    init(_ state: UnsafeMutablePointer<KernelState>, scheduling: Scheduling) {
        self.state = state
        chooser = TaskChooser(scheduling, decisions: &state.pointee.decisions)
    }

    var choosesAmongReady: Bool { chooser.scheduling != .inOrder }

    /// A new task, or one that the runtime resumes (a group's next child, a task's value, a hop back from elsewhere).
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        guard thread.isConfined else { return thread.keepForeign(job) }
        state.pointee.ready.append(job, identity(of: job))
    }

    /// Starts a root task. It does not run before the loop does.
    func spawnRoot(process: ProcessID, _ body: sending @escaping () async -> Void) -> Task<Void, Never> {
        let current = state.pointee.currentTask
        state.pointee.currentTask.process = process.index
        isSpawningRoot = true
        let task = Task(executorPreference: self, operation: body)
        isSpawningRoot = false
        state.pointee.currentTask = current
        return task
    }

    /// Brings the task that runs next to the head of the ready queue. The choice is part of the trace hash.
    func chooseNext() {
        let chosen = chooser.choose(&state.pointee.ready, &state.pointee.decisions)
        state.pointee.hash.fold(UInt64(chosen))
    }

    private func identity(of job: UnownedJob) -> TaskIdentity {
        let note = TaskNote(job)
        let process = state.pointee.currentTask.process
        if let known = note.content {
            return TaskIdentity(priority: known.priority, isRoot: known.isRoot, process: process)
        }
        let priority = chooser.tracksTasks ? chooser.drawPriority(&state.pointee.decisions) : 0
        note.write(isRoot: isSpawningRoot, priority: priority)
        return TaskIdentity(priority: priority, isRoot: isSpawningRoot, process: process)
    }
}
