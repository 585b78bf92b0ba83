/// What the kernel knows of the task behind a job.
@usableFromInline struct TaskIdentity: Equatable, BitwiseCopyable, Sendable {
    /// The higher, the sooner it runs; only kept under priorities.
    @usableFromInline var priority: UInt32
    /// A main function's own task: nobody can cancel it, so its waits need no cancellation handler.
    @usableFromInline var isRoot: Bool

    /// The process it works for: that of the task which made it ready.
    @usableFromInline var process: UInt32

    @inlinable init(priority: UInt32, isRoot: Bool, process: UInt32) {
        self.priority = priority
        self.isRoot = isRoot
        self.process = process
    }

    @usableFromInline static let unknown = TaskIdentity(priority: 0, isRoot: false, process: .max)
}

/// The number that the runtime gave the job's task. Exported since Swift 5.5 and not declared in the standard library; asked
/// only for jobs that come from the runtime (new tasks, finished groups), never for a wait that ends.
@_silgen_name("swift_task_getJobTaskId")
func runtimeTaskNumber(_ job: UnownedJob) -> UInt64

/// What the executor keeps of a task in the task itself, so that nothing is left of it when it has ended: whether it is a
/// root, and its priority.
///
/// Two words of each job are its executor's own (`SchedulerPrivate` of the runtime's `Job`, whose layout is part of the ABI).
/// The runtime links waiting tasks through the first one; only the Dispatch executor uses the second. It is not cleared when
/// a task begins, hence the task's number beside the note. A later runtime has a function for it, which no release
/// declares for everybody yet; a test holds this place against that function.
struct TaskNote {
    /// Behind the two words of an object's header and the first of the executor's.
    static let byteOffset = 3 * MemoryLayout<UnsafeRawPointer>.size

    private let word: UnsafeMutablePointer<UInt64>
    private let number: UInt64

    init(_ job: UnownedJob) {
        #if !_pointerBitWidth(_64)
            #error("the note of a task takes one word of 64 bits")
        #endif
        word = (unsafeBitCast(job, to: UnsafeMutableRawPointer.self) + Self.byteOffset)
            .assumingMemoryBound(to: UInt64.self)
        number = runtimeTaskNumber(job) & 0x7FFF_FFFF
    }

    /// What was noted of this task; `nil` when it is new.
    var content: (isRoot: Bool, priority: UInt32)? {
        let noted = word.pointee
        return noted >> 33 == number ? (noted >> 32 & 1 == 1, UInt32(truncatingIfNeeded: noted)) : nil
    }

    func write(isRoot: Bool, priority: UInt32) {
        word.pointee = number << 33 | (isRoot ? 1 : 0) << 32 | UInt64(priority)
    }
}
