/// What the kernel knows of the task behind a job.
@usableFromInline struct TaskIdentity: Equatable, BitwiseCopyable, Sendable {
    /// Dense number in order of first appearance, which depends on the schedule alone; only kept under priorities.
    @usableFromInline var number: UInt32
    /// A main function's own task: nobody can cancel it, so its waits need no cancellation handler.
    @usableFromInline var isRoot: Bool

    /// The process it works for: that of the task which made it ready.
    @usableFromInline var process: UInt32

    @inlinable init(number: UInt32, isRoot: Bool, process: UInt32) {
        self.number = number
        self.isRoot = isRoot
        self.process = process
    }

    @usableFromInline static let unknown = TaskIdentity(number: 0, isRoot: false, process: .max)
}

/// The number that the runtime gave the job's task. Exported since Swift 5.5 and not declared in the standard library; asked
/// only for jobs that come from the runtime (new tasks, finished groups), never for a wait that ends.
@_silgen_name("swift_task_getJobTaskId")
func runtimeTaskNumber(_ job: UnownedJob) -> UInt64
