import Ports
import SimCore
import Testing

@Suite("Lives of a process")
struct ProcessLifeTests {
    @Test("A machine is down from its crash to its own start, whatever other processes do")
    func machinesThatAreDown() {
        let simulation = Simulation(seed: 1)
        let names = ["first", "second"]
        let processes = names.map { simulation.addProcess($0) { try await $0.sleep(for: .hours(1)) } }
        @Sendable func isDown() -> [Bool] { processes.map { simulation.isHostDown($0) } }
        let report = simulation.run { context in
            try await context.sleep(for: .seconds(1))
            simulation.crash(processes[0], hostDown: true)
            simulation.crash(processes[1])
            #expect(isDown() == [true, false])
            simulation.start(processes[1])
            #expect(isDown() == [true, false])
            simulation.crash(processes[1], hostDown: true)
            simulation.start(processes[0])
            #expect(isDown() == [false, true])
            simulation.start(processes[1])
            #expect(isDown() == [false, false])
            simulation.crash(processes[0], hostDown: true)
            #expect(isDown() == [true, false])
        }
        #expect(report.held)
    }

    @Test("Each start is a new incarnation, and its main function runs anew")
    func incarnations() {
        let simulation = Simulation(seed: 1)
        let lives = Notes()
        let worker = simulation.addProcess("worker") { context in
            lives.add("\(context.incarnation)", context)
            try await context.clock.sleep(for: .hours(1))
        }
        let states = Box<[ProcessState]>([])
        let report = simulation.run { context in
            for _ in 0..<2 {
                try await context.clock.sleep(for: .seconds(1))
                simulation.crash(worker)
                states.value.append(simulation.state(of: worker))
                try await context.clock.sleep(for: .seconds(1))
                simulation.start(worker)
                states.value.append(simulation.state(of: worker))
            }
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(lives.lines == ["0ns 1", "2s 2", "4s 3"])
        #expect(states.value == [.crashed, .running, .crashed, .running])
    }

    @Test("A process that does not start with the run is idle until it is started")
    func lateStart() {
        let simulation = Simulation(seed: 1)
        let lives = Notes()
        let worker = simulation.addProcess("worker", startsWithRun: false) { lives.add("started", $0) }
        simulation.scheduleStart(of: worker, at: .epoch + .seconds(3))
        let idle = Box<ProcessState?>(nil)
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            idle.value = simulation.state(of: worker)
            try await context.clock.sleep(for: .seconds(9))
        }
        #expect(report.held)
        #expect(idle.value == .idle)
        #expect(lives.lines == ["3s started"])
    }

    @Test("A process whose main function has returned is finished, cannot be crashed, and can be started again")
    func finished() {
        let simulation = Simulation(seed: 1)
        let lives = Box(0)
        let worker = simulation.addProcess("worker") { _ in lives.value += 1 }
        let seen = Notes()
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            seen.add("\(simulation.state(of: worker)) \(simulation.crash(worker))")
            simulation.start(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(seen.lines == ["finished false"])
        #expect(lives.value == 2)
    }

    @Test("Starting a process that is alive does nothing")
    func startWhileAlive() {
        let simulation = Simulation(seed: 1)
        let lives = Box(0)
        let worker = simulation.addProcess("worker") { context in
            lives.value += 1
            try await context.clock.sleep(for: .hours(1))
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            simulation.start(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(lives.value == 1)
        #expect(simulation.incarnation(of: worker) == 1)
    }

    @Test("A crash ends every wait of the process at once with ProcessStopped, in the main task and in its children")
    func crashEndsWaits() {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<Int>(simulation, name: "bus")
        let errors = Notes()
        let worker = simulation.addProcess("worker") { context in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    do { try await context.clock.sleep(for: .hours(1)) } catch {
                        errors.add("sleep \(error is ProcessStopped)", context)
                    }
                }
                group.addTask {
                    do { _ = try await bus.receive(context) } catch {
                        errors.add("receive \(error is ProcessStopped)", context)
                    }
                }
            }
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            simulation.crash(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(errors.lines.sorted() == ["1s receive true", "1s sleep true"])
    }

    @Test("No code of a dead incarnation has an effect: its port calls throw, while the new incarnation's work")
    func noEffectOfDeadIncarnation() {
        let simulation = Simulation(seed: 1)
        let bus = MessageBus<UInt32>(simulation, name: "bus")
        let received = Box<[UInt32]>([])
        let kept = Box<ProcessContext?>(nil)
        let worker = simulation.addProcess("worker") { context in
            if context.incarnation == 1 { kept.value = context }
            do { try await context.clock.sleep(for: .seconds(10)) } catch {
                try? bus.send(context.incarnation, from: context, to: "driver")
                throw error
            }
            try bus.send(context.incarnation, from: context, to: "driver")
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            simulation.crash(worker)
            simulation.start(worker)
            #expect(throws: ProcessStopped(process: "worker")) { try bus.send(77, from: kept.value!, to: "driver") }
            #expect(kept.value?.isAlive == false)
            while let delivery = try await bus.receive(context, timeout: .minutes(1)) {
                received.value.append(delivery.message)
            }
        }
        #expect(report.held)
        #expect(received.value == [2])
    }

    @Test("An event for a handler of a crashed process is dropped, also when the process lives again by then")
    func eventsOfDeadIncarnation() {
        let simulation = Simulation(seed: 1)
        let worker = simulation.addProcess("worker")
        let handler = NotingHandler(simulation)
        let id = simulation.register(handler, process: worker)
        let report = simulation.run { context in
            simulation.schedule(at: .epoch + .seconds(2), id, code: 1)
            simulation.schedule(at: .epoch + .seconds(4), id, code: 2)
            try await context.clock.sleep(for: .seconds(1))
            simulation.crash(worker)
            try await context.clock.sleep(for: .seconds(2))
            simulation.start(worker)
            simulation.schedule(at: .epoch + .seconds(5), id, code: 3)
            try await context.clock.sleep(for: .seconds(10))
        }
        #expect(report.held)
        #expect(handler.notes.lines == ["5s 3"])
    }

    @Test("An event scheduled before the run for a handler of a process reaches its first incarnation")
    func eventsBeforeFirstStart() {
        let simulation = Simulation(seed: 1)
        let worker = simulation.addProcess("worker")
        let handler = NotingHandler(simulation)
        let id = simulation.register(handler, process: worker)
        simulation.schedule(at: .epoch + .seconds(1), id, code: 1)
        let report = simulation.run { context in try await context.clock.sleep(for: .seconds(10)) }
        #expect(report.held)
        #expect(handler.notes.lines == ["1s 1"])
    }

    @Test(
        "Observers hear of starts before the main function runs and of crashes when they happen, in order of observing")
    func observers() {
        let simulation = Simulation(seed: 1)
        let notes = Notes()
        let worker = simulation.addProcess("worker") { context in
            notes.add("main \(context.incarnation)")
            try await context.clock.sleep(for: .hours(1))
        }
        let observers = [Observer("a", notes), Observer("b", notes)]
        for observer in observers { simulation.observe(worker, by: observer) }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            simulation.crash(worker)
            simulation.start(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        // The last two: what still runs when the driver returns is stopped with the simulation.
        #expect(
            notes.lines.prefix(8) == [
                "a starts 1", "b starts 1", "main 1", "a crashes", "b crashes", "a starts 2", "b starts 2", "main 2",
            ])
    }

    @Test(
        "With a restart policy, an error of the main function is a crash, and a new incarnation follows after the delay"
    )
    func restartPolicy() {
        struct Broken: Error {}
        let simulation = Simulation(seed: 1)
        let notes = Notes()
        let worker = simulation.addProcess("worker", onError: .restart(after: .seconds(5))) { context in
            notes.add("\(context.incarnation)", context)
            try await context.clock.sleep(for: .seconds(1))
            if context.incarnation < 3 { throw Broken() }
        }
        let observer = Observer("disk", notes)
        simulation.observe(worker, by: observer)
        let report = simulation.run { context in try await context.clock.sleep(for: .minutes(1)) }
        #expect(report.held)
        #expect(
            notes.lines == [
                "disk starts 1", "0ns 1", "disk crashes", "disk starts 2", "6s 2", "disk crashes", "disk starts 3",
                "12s 3",
            ])
    }

    @Test("Processes are found by name, in order of creation, and two of one name are refused")
    func names() async {
        let simulation = Simulation(seed: 1)
        let (a, b) = (simulation.addProcess("a"), simulation.addProcess("b"))
        #expect(simulation.process(named: "b") == b)
        #expect(simulation.process(named: "c") == nil)
        #expect(simulation.processNames == ["a", "b"])
        #expect(simulation.name(of: a) == "a")
        #expect(a < b)
        await #expect(processExitsWith: .failure) {
            let simulation = Simulation(seed: 1)
            simulation.addProcess("a")
            simulation.addProcess("a")
        }
    }

    @Test("Log lines at or above the minimum level reach the sink; those of an ended incarnation do not")
    func log() {
        var settings = SimulationSettings(seed: 1)
        settings.minimumLogLevel = .warning
        let simulation = Simulation(settings)
        let notes = Notes()
        simulation.logSink = { level, process, message, fields in
            notes.add("\(level) \(process) \(message) \(fields.map { "\($0.name)=\($0.value)" })")
        }
        let worker = simulation.addProcess("worker") { context in
            context.log.log(.info, "too quiet")
            context.log.log(.warning, "heard", [LogField("order", "1")])
            defer { context.log.log(.error, "from beyond") }
            try await context.clock.sleep(for: .hours(1))
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            simulation.crash(worker)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(notes.lines == [#"warning worker heard ["order=1"]"#])
    }
}

private final class Observer: ProcessObserver, @unchecked Sendable {
    private let name: String
    private let notes: Notes

    init(_ name: String, _ notes: Notes) {
        self.name = name
        self.notes = notes
    }

    func processStarted(_ process: ProcessID, incarnation: UInt32) { notes.add("\(name) starts \(incarnation)") }
    func processCrashed(_ process: ProcessID) { notes.add("\(name) crashes") }
}
