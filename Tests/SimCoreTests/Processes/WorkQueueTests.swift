import Ports
import SimCore
import Testing

@Suite("Work queues")
struct WorkQueueTests {
    /// Two workers that take from one queue, the first of which waits longest, and a script.
    private func run(
        _ script: @escaping @Sendable (ProcessContext, WorkQueue<Int>, ProcessID) async throws -> Void
    ) -> [String] {
        let simulation = Simulation(seed: 1)
        let queue = WorkQueue<Int>(simulation)
        let notes = Notes()
        let workers = ["first", "second"].map { name in
            simulation.addProcess(name) { context in
                while true { notes.add("\(name) \(try await queue.take(context))", context) }
            }
        }
        let report = simulation.run { context in
            try await context.sleep(for: .seconds(1))
            try await script(context, queue, workers[0])
            try await context.sleep(for: .seconds(1))
        }
        #expect(report.held, "\(report)")
        return notes.lines
    }

    @Test("An element goes to the task that has waited longest, at once")
    func longestWaiting() {
        let notes = run { context, queue, _ in
            queue.put(1)
            try await context.sleep(for: .seconds(1))
            queue.put(2)
            try await context.sleep(for: .seconds(1))
            queue.put(3)
        }
        #expect(notes == ["1s first 1", "2s second 2", "3s first 3"])
    }

    @Test("Of two elements put at one instant each goes to another of those who wait")
    func sameInstant() {
        let notes = run { context, queue, _ in
            queue.put(1)
            queue.put(2)
        }
        #expect(notes.sorted() == ["1s first 1", "1s second 2"])
    }

    @Test("A process that crashes at the moment at which work comes does not take it: another one does")
    func crashWithWork() {
        let notes = run { context, queue, first in
            queue.put(1)
            context.simulation.crash(first)
        }
        #expect(notes == ["1s second 1"])
    }

    @Test("Work that came for a paused process goes to another one when the paused one crashes")
    func crashInPause() {
        let notes = run { context, queue, first in
            context.simulation.pause(first)
            queue.put(1)
            try await context.sleep(for: .seconds(1))
            context.simulation.crash(first)
        }
        #expect(notes == ["2s second 1"])
    }

    @Test("Who gives up waiting leaves the work to others")
    func cancelledTake() {
        let notes = Notes()
        let report = simulate { context in
            let queue = WorkQueue<Int>(context.simulation)
            try? await context.clock.withTimeout(.seconds(1)) { _ = try await queue.take(context) }
            queue.put(1)
            notes.add("\(try await queue.take(context)) and \(queue.count)")
        }
        #expect(report.held)
        #expect(notes.lines == ["1 and 0"])
    }

    @Test("A dead incarnation neither puts anything in nor takes anything out")
    func deadIncarnation() {
        let simulation = Simulation(seed: 1)
        let queue = WorkQueue<Int>(simulation)
        let errors = Notes()
        let worker = simulation.addProcess("worker") { context in
            do { try await context.sleep(for: .hours(1)) } catch {}
            do { try queue.put(2, context) } catch { errors.add("put: \(error is ProcessStopped)") }
            do { _ = try await queue.take(context) } catch { errors.add("take: \(error is ProcessStopped)") }
        }
        let report = simulation.run { context in
            try queue.put(1, context)
            try await context.sleep(for: .seconds(1))
            context.simulation.crash(worker)
            try await context.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(errors.lines == ["put: true", "take: true"])
        #expect(queue.count == 1)
    }

    @Test("A wait that ended at the moment of the crash ends as stopped: the dead one does not see what came")
    func wakeAndCrashAtOnce() {
        let simulation = Simulation(seed: 1)
        let waiter = Box<WaiterID?>(nil)
        let notes = Notes()
        let worker = simulation.addProcess("worker") { context in
            waiter.value = simulation.makeWaiter(context, WaitReason("the driver"))
            do { notes.add("\(try await simulation.wait(waiter.value!))") } catch {
                notes.add("\(error is ProcessStopped)-stopped")
            }
        }
        let report = simulation.run { context in
            try await context.sleep(for: .seconds(1))
            simulation.wake(waiter.value!)
            simulation.crash(worker)
            try await context.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(notes.lines == ["true-stopped"])
    }
}
