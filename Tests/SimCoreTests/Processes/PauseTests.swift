import Ports
import SimCore
import Testing

@Suite("Pause and resume")
struct PauseTests {
    @Test("A paused process does nothing while time goes on, and goes on when it is resumed")
    func pausedProcess() {
        let simulation = Simulation(seed: 1)
        let ticks = Notes()
        let worker = simulation.addProcess("worker") { context in
            while true {
                try await context.clock.sleep(for: .seconds(1))
                ticks.add("tick", context)
            }
        }
        let states = Box<[ProcessState]>([])
        let report = simulation.run { context in
            try await context.clock.sleep(for: .milliseconds(1_500))
            simulation.pause(worker)
            states.value.append(simulation.state(of: worker))
            try await context.clock.sleep(for: .seconds(10))
            simulation.resume(worker)
            try await context.clock.sleep(for: .milliseconds(1_500))
            states.value.append(simulation.state(of: worker))
        }
        #expect(report.held)
        #expect(ticks.lines == ["1s tick", "11.500s tick", "12.500s tick"])
        #expect(states.value == [.paused, .running])
    }

    @Test("Messages that came during a pause are received after it, in the order in which they came")
    func messagesInOrder() {
        let simulation = Simulation(seed: 1)
        simulation.network.state.defaultQuality = LinkQuality(latency: .constant(.milliseconds(1)))
        let bus = MessageBus<Int>(simulation, name: "bus")
        let received = Notes()
        let worker = simulation.addProcess("worker") { context in
            while true { received.add("\(try await bus.receive(context).message)", context) }
        }
        let report = simulation.run { context in
            simulation.pause(worker)
            for message in 0..<5 {
                try bus.send(message, from: context, to: worker)
                try await context.clock.sleep(for: .seconds(1))
            }
            simulation.resume(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(received.lines == (0..<5).map { "5s \($0)" })
    }

    @Test("Timers that came due during a pause end after it in the order in which they came due")
    func timersInOrder() {
        let simulation = Simulation(seed: 1)
        let woken = Notes()
        let worker = simulation.addProcess("worker") { context in
            await withTaskGroup(of: Void.self) { group in
                for seconds in [3, 1, 2] as [Int64] {
                    group.addTask {
                        try? await context.clock.sleep(for: .seconds(seconds))
                        woken.add("\(seconds)", context)
                    }
                }
            }
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .milliseconds(500))
            simulation.pause(worker)
            try await context.clock.sleep(for: .seconds(10))
            simulation.resume(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(woken.lines == ["10.500s 1", "10.500s 2", "10.500s 3"])
    }

    @Test(
        "Events of handlers and wake-ups of tasks come after a pause in the order in which they came, not sorted by kind"
    )
    func eventsAndWakesInOrder() {
        let simulation = Simulation(seed: 1)
        let notes = Notes()
        let worker = simulation.addProcess("worker") { context in
            await withTaskGroup(of: Void.self) { group in
                for seconds in [2, 4] as [Int64] {
                    group.addTask {
                        try? await context.clock.sleep(for: .seconds(seconds))
                        notes.add("task \(seconds)")
                    }
                }
            }
        }
        let handler = TellingHandler(notes)
        let id = simulation.register(handler, process: worker)
        let report = simulation.run { context in
            for seconds in [1, 3, 5] as [Int64] {
                simulation.schedule(at: .epoch + .seconds(seconds), id, code: UInt16(seconds))
            }
            try await context.clock.sleep(for: .milliseconds(500))
            simulation.pause(worker)
            try await context.clock.sleep(for: .seconds(10))
            simulation.resume(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(notes.lines == ["event 1", "task 2", "event 3", "task 4", "event 5"])
    }

    @Test("A message that came before the timeout ran out is received after the pause, although both were over by then")
    func messageBeforeTimeout() {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let received = Box<Int?>(nil)
        let worker = simulation.addProcess("worker") { context in
            received.value = try await bus.receive(context, timeout: .seconds(5))?.message
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            simulation.pause(worker)
            try bus.send(7, from: context, to: worker)
            try await context.clock.sleep(for: .seconds(10))
            simulation.resume(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(received.value == 7)
    }

    @Test("A timer that its process cancels first thing after the pause does not come, although it came due during it")
    func timerCancelledAfterPause() {
        let simulation = Simulation(seed: 1)
        let notes = Notes()
        let worker = simulation.addProcess("worker")
        let handler = CancellingHandler(simulation, notes)
        let id = simulation.register(handler, process: worker)
        let report = simulation.run { context in
            simulation.schedule(at: .epoch + .seconds(1), id, code: CancellingHandler.message)
            handler.timer = simulation.schedule(at: .epoch + .seconds(2), id, code: CancellingHandler.timeout)
            simulation.pause(worker)
            try await context.clock.sleep(for: .seconds(10))
            simulation.resume(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(notes.lines == ["message"])
    }

    @Test("A process that is crashed while it is paused loses what had piled up, and its tasks end")
    func crashWhilePaused() {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let notes = Notes()
        let worker = simulation.addProcess("worker") { context in
            do {
                while true { notes.add("\(context.incarnation) got \(try await bus.receive(context).message)") }
            } catch {
                notes.add("\(context.incarnation) \(error is ProcessStopped)", context)
                throw error
            }
        }
        let report = simulation.run { context in
            simulation.pause(worker)
            try bus.send(1, from: context, to: worker)
            try await context.clock.sleep(for: .seconds(1))
            simulation.crash(worker)
            try await context.clock.sleep(for: .seconds(1))
            simulation.resume(worker)
            simulation.start(worker)
            try bus.send(2, from: context, to: worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(notes.lines.prefix(2) == ["1s 1 true", "2 got 2"])
    }

    @Test("A process that is started while it is paused begins its main function when it is resumed")
    func startWhilePaused() {
        let simulation = Simulation(seed: 1)
        let notes = Notes()
        let worker = simulation.addProcess("worker") { context in
            notes.add("\(context.incarnation) begins", context)
            try await context.clock.sleep(for: .hours(1))
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            simulation.pause(worker)
            simulation.crash(worker)
            simulation.start(worker)
            try await context.clock.sleep(for: .seconds(5))
            simulation.resume(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(notes.lines == ["0ns 1 begins", "6s 2 begins"])
    }

    @Test("A pause in the middle of catching up keeps the rest for later, still in order")
    func pauseWhileCatchingUp() {
        let simulation = Simulation(seed: 1)
        let notes = Notes()
        let worker = simulation.addProcess("worker")
        let handler = TellingHandler(notes) { code in if code == 2 { simulation.pause(worker) } }
        let id = simulation.register(handler, process: worker)
        let report = simulation.run { context in
            for code in 1...4 as ClosedRange<UInt16> {
                simulation.schedule(at: .epoch + .seconds(Int64(code)), id, code: code)
            }
            simulation.pause(worker)
            try await context.clock.sleep(for: .seconds(10))
            simulation.resume(worker)
            try await context.clock.sleep(for: .seconds(1))
            notes.add("still")
            simulation.resume(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(notes.lines == ["event 1", "event 2", "still", "event 3", "event 4"])
    }

    @Test("Pausing what is paused says so, and resuming what is not does nothing")
    func pauseTwice() {
        let simulation = Simulation(seed: 1)
        let worker = simulation.addProcess("worker") { context in try await context.clock.sleep(for: .hours(1)) }
        let answers = Box<[Bool]>([])
        let report = simulation.run { context in
            simulation.resume(worker)
            answers.value = [simulation.pause(worker), simulation.pause(worker)]
            simulation.resume(worker)
            #expect(simulation.state(of: worker) == .running)
        }
        #expect(report.held)
        #expect(answers.value == [true, false])
    }
}

private final class TellingHandler: EventHandler, @unchecked Sendable {
    private let notes: Notes
    private let afterwards: (UInt16) -> Void

    init(_ notes: Notes, afterwards: @escaping (UInt16) -> Void = { _ in }) {
        self.notes = notes
        self.afterwards = afterwards
    }

    func handle(_ event: KernelEvent) {
        notes.add("event \(event.code)")
        afterwards(event.code)
    }
    func describe(_ event: KernelEvent) -> String { "tell" }
}

/// Cancels its timer when a message comes.
private final class CancellingHandler: EventHandler, @unchecked Sendable {
    static let message: UInt16 = 1
    static let timeout: UInt16 = 2

    private let simulation: Simulation
    private let notes: Notes
    var timer: ScheduledEvent?

    init(_ simulation: Simulation, _ notes: Notes) {
        self.simulation = simulation
        self.notes = notes
    }

    func handle(_ event: KernelEvent) {
        notes.add(event.code == Self.message ? "message" : "timeout")
        if let timer { simulation.cancel(timer) }
    }
    func describe(_ event: KernelEvent) -> String { "cancel" }
}
