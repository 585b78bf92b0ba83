#if os(Linux) && compiler(>=6.3)
    @testable import SimCore
    import Testing
    @_spi(ExperimentalCustomExecutors) import _Concurrency

    struct TaskNoteTests {
        /// Looks at the jobs that it is given, and runs them.
        final class Watcher: TaskExecutor, @unchecked Sendable {
            private(set) var jobCount = 0
            private(set) var isExecutorsOwn = true

            func enqueue(_ job: consuming ExecutorJob) {
                let unowned = UnownedJob(job)
                let object = unsafeBitCast(unowned, to: UnsafeMutableRawPointer.self)
                ExecutorJob(unowned).withUnsafeExecutorPrivateData { words in
                    let start = words.baseAddress! - object
                    let end = TaskNote.byteOffset + MemoryLayout<UInt64>.size
                    if start > TaskNote.byteOffset || end > start + words.count { isExecutorsOwn = false }
                }
                jobCount += 1
                unowned.runSynchronously(on: asUnownedTaskExecutor())
            }
        }

        @Test("A task's note lies in the words that the runtime leaves to its executor")
        func placeOfTheNote() async {
            let watcher = Watcher()
            await Task(executorPreference: watcher) { await Task.yield() }.value
            #expect(watcher.jobCount > 1)
            #expect(watcher.isExecutorsOwn)
        }
    }
#endif
