import Foundation
import Ports
import SimCore
import Testing

@Suite("Code that does what it must not")
struct MisuseTests {
    struct Broken: Error {}

    @Test("A property whose check throws is a failure of its own kind, with the error")
    func propertyThatThrows() {
        let simulation = Simulation(seed: 1)
        simulation.properties.always("checkable") { throw Broken() }
        let report = simulation.run { context in try await context.clock.sleep(for: .seconds(1)) }
        #expect(report.kinds == [.propertyError])
        #expect(report.violations.first?.name == "checkable")
        #expect(report.violations.first?.message.contains("Broken()") == true)
    }

    @Test("A main function that throws fails the run, naming process and error")
    func mainThatThrows() {
        let simulation = Simulation(seed: 1)
        simulation.addProcess("worker") { context in
            try await context.clock.sleep(for: .seconds(2))
            throw Broken()
        }
        let report = simulation.run { context in try await context.clock.sleep(for: .seconds(10)) }
        #expect(report.kinds == [.processError])
        #expect(report.violations.first?.name == "worker")
        #expect(report.violations.first?.message.contains("Broken()") == true)
        #expect(report.violations.first?.at == .seconds(2))
    }

    @Test("A driver that throws fails the run")
    func driverThatThrows() {
        let report = simulate { _ in throw Broken() }
        #expect(report.kinds == [.processError])
        #expect(report.violations.first?.name == "driver")
    }

    // MARK: After the end of an incarnation

    @Test("A crashed process that goes on sleeping in spite of ProcessStopped is reported, and does not hang the run")
    func sleepingOnAfterCrash() {
        let simulation = Simulation(seed: 1)
        let worker = simulation.addProcess("worker") { context in
            while true { try? await context.clock.sleep(for: .seconds(1)) }
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .milliseconds(2_500))
            context.simulation.crash(worker)
            try await context.clock.sleep(for: .seconds(5))
        }
        #expect(report.kinds == [.calledAfterStop])
        #expect(report.violations.first?.name == "worker")
    }

    @Test("A process that goes on receiving in spite of the end of the run does not hang it")
    func receivingOnAfterEnd() {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        simulation.addProcess("sleeper") { context in
            while true { try? await context.clock.sleep(for: .seconds(1)) }
        }
        simulation.addProcess("receiver") { context in while true { _ = try? await bus.receive(context) } }
        simulation.addProcess("patient") { context in
            while true { _ = try? await bus.receive(context, timeout: .seconds(1)) }
        }
        simulation.addProcess("yielder") { context in
            while true {
                try? await context.clock.sleep(for: .seconds(1))
                try? await context.yield()
            }
        }
        #expect(simulation.run { context in try await context.clock.sleep(for: .seconds(5)) }.held)
    }

    @Test("A few port calls after the crash are fair: what closes things in a defer")
    func fewCallsAfterCrash() {
        let simulation = Simulation(seed: 1)
        let errors = Notes()
        let worker = simulation.addProcess("worker") { context in
            do { try await context.clock.sleep(for: .hours(1)) } catch { errors.add("\(error)") }
            do { try await context.clock.sleep(for: .hours(1)) } catch { errors.add("\(error)") }
            do { try context.checkAlive() } catch { errors.add("\(error)") }
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            context.simulation.crash(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(errors.lines == Array(repeating: ProcessStopped(process: "worker").description, count: 3))
    }

    @Test("A main function that awaits a continuation that nobody resumes outlives its crash, and that is reported")
    func workThatOutlivesCrash() {
        let simulation = Simulation(seed: 1)
        let worker = simulation.addProcess("worker") { _ in
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            context.simulation.crash(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.kinds == [.outlivedCrash])
        #expect(report.violations.first?.name == "worker")
    }

    @Test("Work that outlives its crash is found before anything else happens, whatever is observed")
    func workThatOutlivesCrashIsFoundAtOnce() {
        let simulation = Simulation(seed: 1)
        let worker = simulation.addProcess("worker") { _ in
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            context.simulation.crash(worker)
            // A new life must not hide what is left of the old one, and no property asks for a look.
            context.simulation.start(worker)
            try await context.clock.sleep(for: .seconds(1))
            try await context.clock.sleep(for: .hours(1))
        }
        #expect(report.kinds == [.outlivedCrash])
        #expect(report.violations.first?.at == .seconds(1))
    }

    @Test("Work that outlives its crash is found although other tasks are ready when the driver returns")
    func workThatOutlivesCrashInBusyWorld() {
        let simulation = Simulation(seed: 1)
        let worker = simulation.addProcess("worker") { _ in
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
        }
        let waiter = Box<WaiterID?>(nil)
        simulation.addProcess("other") { context in
            waiter.value = context.simulation.makeWaiter(context, WaitReason("the driver"))
            try await context.simulation.wait(waiter.value!)
        }
        let report = simulation.run { context in
            context.simulation.crash(worker)
            try await context.clock.sleep(for: .seconds(1))
            context.simulation.wake(waiter.value!)
        }
        #expect(report.kinds == [.outlivedCrash])
    }

    @Test("A process that unwinds at its crash through several waits of its own does not count as outliving it")
    func unwindingAtCrash() {
        let simulation = Simulation(seed: 1)
        let worker = simulation.addProcess("worker") { context in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 { group.addTask { try await context.clock.sleep(for: .hours(1)) } }
                try await group.waitForAll()
            }
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            context.simulation.crash(worker)
        }
        #expect(report.held, "\(report.violations)")
    }

    @Test("An id drawn by a dead incarnation does not shift the ids of the next one")
    func idsOfDeadIncarnation() {
        func idOfSecondLife(drawsAfterCrash count: Int) -> UniqueID? {
            let simulation = Simulation(seed: 1)
            let drawn = Box<UniqueID?>(nil)
            let worker = simulation.addProcess("worker") { context in
                if context.incarnation == 2 { return drawn.value = context.identifiers.next() }
                defer { for _ in 0..<count { _ = context.identifiers.next() } }
                try await context.clock.sleep(for: .hours(1))
            }
            _ = simulation.run { context in
                try await context.clock.sleep(for: .seconds(1))
                context.simulation.crash(worker)
                try await context.clock.sleep(for: .seconds(1))
                context.simulation.start(worker)
                try await context.clock.sleep(for: .seconds(1))
            }
            return drawn.value
        }
        #expect(idOfSecondLife(drawsAfterCrash: 0) != nil)
        #expect(idOfSecondLife(drawsAfterCrash: 0) == idOfSecondLife(drawsAfterCrash: 3))
    }

    // MARK: Other threads

    /// Runs a simulation on a thread of its own, so that waiting in it for another thread does not take one of the pool's.
    private static func runOnOwnThread(
        _ driver: @escaping @Sendable (ProcessContext) async throws -> Void
    ) async -> RunReport {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: Simulation(seed: 1).run(driver: driver)) }
        }
    }

    @Test("Detached work that calls a port is refused and reported as misuse")
    func detachedPortCall() async {
        let refused = Box<(any Error)?>(nil)
        let report = await Self.runOnOwnThread { context in
            let isDone = DispatchSemaphore(value: 0)
            Task.detached {
                do { try await context.clock.sleep(for: .seconds(1)) } catch { refused.value = error }
                isDone.signal()
            }
            waitOnThisThread(isDone)
        }
        #expect(refused.value is ProcessStopped)
        #expect(report.kinds == [.misuse])
        #expect(report.violations.first?.message.contains("another thread") == true)
    }

    @Test("Detached work that draws an id or reads the clock is reported as misuse, and draws nothing")
    func detachedReads() async {
        let ids = Box<[UniqueID]>([])
        let report = await Self.runOnOwnThread { context in
            let isDone = DispatchSemaphore(value: 0)
            Task.detached {
                _ = context.identifiers.next()
                _ = context.clock.now
                isDone.signal()
            }
            waitOnThisThread(isDone)
            ids.value.append(context.identifiers.next())
        }
        let plain = await Self.runOnOwnThread { context in ids.value.append(context.identifiers.next()) }
        #expect(report.kinds == [.misuse])
        #expect(plain.held)
        #expect(ids.value.count == 2 && ids.value[0] == ids.value[1])
    }

    @Test("Misuse is reported beside what else went wrong")
    func misuseBesideOtherFailure() async {
        let report = await Self.runOnOwnThread { context in
            let isDone = DispatchSemaphore(value: 0)
            Task.detached {
                try? context.checkAlive()
                isDone.signal()
            }
            waitOnThisThread(isDone)
            throw Broken()
        }
        #expect(report.kinds == [.processError, .misuse])
    }

    @Test("A task that awaits detached work is not resumed from the other thread; the run ends as a failure")
    func awaitingDetachedWork() async {
        let report = await Self.runOnOwnThread { _ in
            await Task.detached { _ = usleep(50_000) }.value
        }
        #expect(report.kinds.first == .deadlock)
    }
}

/// Waits where an async function would not: the wait must not leave the simulation's thread.
private func waitOnThisThread(_ semaphore: DispatchSemaphore) { semaphore.wait() }
