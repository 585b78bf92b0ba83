import Ports
import SimCore
import Testing

@Suite("The disk of a process")
struct SimulatedDiskTests {
    /// A simulation with one process whose disk takes 10 us to write, 100 us to read and 1 ms to sync.
    private static func world(
        seed: UInt64 = 1, crashModel: CrashModel? = .dropUnsynced, capacityBytes: Int? = nil,
        _ main: @escaping @Sendable (ProcessContext, SimulatedDisk) async throws -> Void
    ) -> (simulation: Simulation, disk: SimulatedDisk, process: ProcessID) {
        let simulation = Simulation(seed: seed)
        let process = simulation.addProcess("db") { context in try await main(context, context.disk!) }
        var settings = DiskSettings()
        settings.writeLatency = .constant(.microseconds(10))
        settings.readLatency = .constant(.microseconds(100))
        settings.syncLatency = .constant(.milliseconds(1))
        settings.crashModel = crashModel
        settings.capacityBytes = capacityBytes
        return (simulation, SimulatedDisk(simulation, process: process, settings: settings), process)
    }

    @Test("Operations take their latencies of virtual time")
    func latencies() {
        let times = Notes()
        let (simulation, _, _) = Self.world { context, disk in
            try await disk.write(context, "f", at: 0, [1, 2, 3])
            times.add("written", context)
            try await disk.sync(context, "f")
            times.add("synced", context)
            let read = try await disk.read(context, "f", at: 1, count: 9)
            times.add("read \(read)", context)
        }
        #expect(simulation.run { try await $0.clock.sleep(for: .seconds(1)) }.held)
        #expect(times.lines == ["10us written", "1.010ms synced", "1.110ms read [2, 3]"])
    }

    @Test("Appending returns where the bytes went, one after another")
    func append() {
        let offsets = Box<[Int]>([])
        let (simulation, disk, _) = Self.world { context, disk in
            for _ in 0..<3 { offsets.value.append(try await disk.append(context, "f", [1, 2, 3, 4])) }
        }
        #expect(simulation.run { try await $0.clock.sleep(for: .seconds(1)) }.held)
        #expect(offsets.value == [0, 4, 8])
        #expect(disk.length(of: "f") == 12)
    }

    @Test("The disk outlives its process: what was synced is there for the next incarnation, what was not is gone")
    func survivesCrash() {
        let found = Notes()
        let (simulation, _, process) = Self.world { context, disk in
            if context.incarnation == 2 {
                return found.add("\(try await disk.read(context, "f", at: 0, count: 10)) \(disk.fileNames)")
            }
            try await disk.write(context, "f", at: 0, [1, 2])
            try await disk.sync(context, "f")
            try await disk.write(context, "f", at: 2, [3, 4])
            try await context.clock.sleep(for: .hours(1))
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            simulation.crash(process)
            simulation.start(process)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(found.lines == [#"[1, 2] ["f"]"#])
    }

    @Test("A sync that a crash interrupts has not happened")
    func interruptedSync() {
        let (simulation, disk, process) = Self.world { context, disk in
            try await disk.write(context, "f", at: 0, [1, 2])
            try await disk.sync(context, "f")
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .microseconds(500))
            simulation.crash(process)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(disk.contents(of: "f") == [])
    }

    @Test("A sync covers what was written when it began, and not what was written while it ran")
    func writeDuringSync() {
        let (simulation, disk, process) = Self.world { context, disk in
            try await disk.write(context, "f", at: 0, [1])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await disk.sync(context, "f") }
                group.addTask {
                    try await context.clock.sleep(for: .microseconds(500))
                    try await disk.write(context, "f", at: 1, [2])
                }
                try await group.waitForAll()
            }
            try await context.clock.sleep(for: .hours(1))
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            #expect(disk.contents(of: "f") == [1, 2])
            simulation.crash(process)
            try await context.clock.sleep(for: .seconds(1))
        }
        #expect(report.held)
        #expect(disk.contents(of: "f") == [1])
    }

    @Test("Without a crash model of its own, each crash draws one: all of them come up, and equal seeds draw equally")
    func drawnCrashModel() {
        func remains(seed: UInt64) -> [UInt8] {
            let (simulation, disk, process) = Self.world(seed: seed, crashModel: nil) { context, disk in
                for index in 0..<4 {
                    try await disk.write(context, "f", at: index * 4, [UInt8](repeating: 1, count: 4))
                }
                try await context.clock.sleep(for: .hours(1))
            }
            let report = simulation.run { context in
                try await context.clock.sleep(for: .seconds(1))
                simulation.crash(process)
            }
            #expect(report.held)
            return disk.contents(of: "f")
        }
        let outcomes = (1...60).map { remains(seed: $0) }
        #expect(outcomes == (1...60).map { remains(seed: $0) })
        #expect(outcomes.contains([]))
        #expect(outcomes.contains { $0.count == 16 && !$0.contains(0) })
        #expect(outcomes.contains { $0.contains(0) })
        #expect(outcomes.contains { $0.count % 4 != 0 })
    }

    @Test("A write beyond the capacity fails and names what is free, and the process goes on")
    func capacity() {
        let errors = Notes()
        let (simulation, disk, _) = Self.world(capacityBytes: 4) { context, disk in
            try await disk.write(context, "f", at: 0, [1, 2, 3])
            do { try await disk.write(context, "f", at: 3, [4, 5]) } catch { errors.add("\(error)") }
            try disk.truncate(context, "f", to: 1)
            try await disk.write(context, "f", at: 1, [6, 7, 8])
            try disk.remove(context, "f")
        }
        #expect(simulation.run { try await $0.clock.sleep(for: .seconds(1)) }.held)
        #expect(errors.lines == ["disk full: writing f needs 2 more bytes and 1 are free"])
        #expect(!disk.exists("f"))
    }

    @Test("A dead incarnation writes nothing")
    func deadIncarnation() {
        let kept = Box<ProcessContext?>(nil)
        let (simulation, disk, process) = Self.world { context, _ in
            kept.value = kept.value ?? context
            try await context.clock.sleep(for: .hours(1))
        }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            simulation.crash(process)
            simulation.start(process)
            await #expect(throws: ProcessStopped.self) { try await disk.write(kept.value!, "f", at: 0, [1]) }
            await #expect(throws: ProcessStopped.self) { try await disk.sync(kept.value!, "f") }
            #expect(throws: ProcessStopped.self) { try disk.remove(kept.value!, "f") }
        }
        #expect(report.held)
        #expect(!disk.exists("f"))
    }

    @Test("Waiting for the disk is named in a deadlock, and in a trace as something that happened")
    func waitsInWords() throws {
        var settings = SimulationSettings(seed: 1)
        settings.recordsTrace = true
        let simulation = Simulation(settings)
        let process = simulation.addProcess("db") { context in try await context.disk!.write(context, "f", at: 0, [1]) }
        _ = SimulatedDisk(simulation, process: process)
        let report = simulation.run { try await $0.clock.sleep(for: .seconds(1)) }
        let words = try #require(report.trace).entries.map { "\($0.subject) \($0.what)" }
        #expect(words.contains("db goes on after its disk"))
    }

    @Test("A state machine that keeps its data itself draws how much of what it did not sync survives a crash")
    func survivors() {
        func drawn(_ model: CrashModel) -> [Int] {
            let (simulation, disk, _) = Self.world(crashModel: model) { _, _ in }
            let survivors = (0..<50).map { _ in disk.drawSurvivors(of: 10) }
            #expect(disk.drawSurvivors(of: 0) == 0)
            #expect(simulation.run { _ in }.held)
            return survivors
        }
        #expect(Set(drawn(.dropUnsynced)) == [0])
        #expect(Set(drawn(.keepUnsynced)) == [10])
        #expect(Set(drawn(.tear)).isSuperset(of: [0, 10]))
    }
}
