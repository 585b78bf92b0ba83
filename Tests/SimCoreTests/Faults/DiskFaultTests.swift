import Ports
import SimCore
import Testing

@Suite("Faults of disks: each kind bites, counts that it did, and ends")
struct DiskFaultTests {
    /// One process with a disk that writes in 10 us, reads in 100 us and syncs in 1 ms, and that keeps what a crash finds
    /// unsynced unless a fault says otherwise.
    private static func world(
        _ main: @escaping @Sendable (ProcessContext, SimulatedDisk) async throws -> Void
    ) -> (simulation: Simulation, disk: SimulatedDisk) {
        let simulation = Simulation(seed: 1)
        let process = simulation.addProcess("db") { context in try await main(context, context.disk!) }
        var settings = DiskSettings()
        settings.writeLatency = .constant(.microseconds(10))
        settings.readLatency = .constant(.microseconds(100))
        settings.syncLatency = .constant(.milliseconds(1))
        settings.crashModel = .keepUnsynced
        return (simulation, SimulatedDisk(simulation, process: process, settings: settings))
    }

    @Test("slow-disk: every operation takes the given factor longer, and each is counted")
    func slowDisk() throws {
        let spans = Box<[Nanoseconds]>([])
        let (simulation, _) = Self.world { context, disk in
            for _ in 0..<3 {
                let start = context.simulation.now
                try await disk.write(context, "f", at: 0, [1])
                try await disk.sync(context, "f")
                _ = try await disk.read(context, "f", at: 0, count: 1)
                spans.value.append(context.simulation.now - start)
                try await context.clock.sleep(for: .seconds(10) - (context.simulation.now - start))
            }
        }
        try simulation.faults.schedule([
            ScheduledFault(
                "slow-disk", at: .seconds(5), duration: .seconds(10), targets: ["db"], parameters: ["factor": 100])
        ])
        let report = simulation.run { try await $0.clock.sleep(for: .seconds(30)) }
        #expect(report.held)
        #expect(spans.value == [.microseconds(1_110), .microseconds(111_000), .microseconds(1_110)])
        #expect(report.effectCount(of: "slow-disk") == 3)
    }

    /// Writes `[1]`, `[2]` and `[3]` to a file of its own each, ten seconds apart, and syncs each; notes what was refused. The
    /// fault is there for the second.
    private static func threeWrites(under kind: String) throws -> (
        report: RunReport, errors: [String], disk: SimulatedDisk
    ) {
        let errors = Notes()
        let (simulation, disk) = world { context, disk in
            for number in 1...3 as ClosedRange<UInt8> {
                do {
                    try await disk.write(context, "f\(number)", at: 0, [number])
                    try await disk.sync(context, "f\(number)")
                } catch let error as DiskError {
                    errors.add("\(number): \(error)")
                }
                try await context.clock.sleep(for: .seconds(10))
            }
        }
        try simulation.faults.schedule([
            ScheduledFault(kind, at: .seconds(5), duration: .seconds(10), targets: ["db"])
        ])
        let report = simulation.run { try await $0.clock.sleep(for: .seconds(29)) }
        return (report, errors.lines, disk)
    }

    @Test("full-disk: a write is refused while the disk is full, and not afterwards")
    func fullDisk() throws {
        let (report, errors, disk) = try Self.threeWrites(under: "full-disk")
        #expect(report.held)
        #expect(errors == ["2: \(DiskError.full(file: "f2", wanted: 1, free: 0))"])
        #expect(disk.fileNames == ["f1", "f3"])
        #expect(report.effectCount(of: "full-disk") == 1)
    }

    @Test("failed-fsync: the sync fails, and not afterwards")
    func failedSync() throws {
        let (report, errors, disk) = try Self.threeWrites(under: "failed-fsync")
        #expect(report.held)
        #expect(errors == ["2: \(DiskError.syncFailed(file: "f2"))"])
        #expect(disk.fileNames == ["f1", "f2", "f3"])
        #expect(report.effectCount(of: "failed-fsync") == 1)
    }

    @Test("failed-fsync: what was written before a failed sync can be read until a crash, and no later sync saves it")
    func failedSyncIsForGood() throws {
        let read = Box<[UInt8]>([])
        let (simulation, disk) = Self.world { context, disk in
            guard context.incarnation == 1 else { return }
            try await disk.write(context, "f", at: 0, [1])
            try await disk.sync(context, "f")
            try await context.clock.sleep(for: .seconds(10))
            try await disk.write(context, "f", at: 1, [2])
            await #expect(throws: DiskError.self) { try await disk.sync(context, "f") }
            try await context.clock.sleep(for: .seconds(10))
            try await disk.sync(context, "f")
            read.value = try await disk.read(context, "f", at: 0, count: 9)
            try await context.clock.sleep(for: .hours(1))
        }
        try simulation.faults.schedule([
            ScheduledFault("failed-fsync", at: .seconds(5), duration: .seconds(10), targets: ["db"])
        ])
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(25))
            simulation.crash(simulation.process(named: "db")!)
        }
        #expect(report.held)
        #expect(read.value == [1, 2])
        #expect(disk.contents(of: "f") == [1])
    }

    /// Four bytes that are synced, eight that are not, and a crash, with or without a fault that says what it does.
    private static func contentsAfterCrash(under kind: String?) throws -> (report: RunReport, contents: [UInt8]) {
        let (simulation, disk) = world { context, disk in
            guard context.incarnation == 1 else { return }
            try await disk.write(context, "f", at: 0, [1, 1, 1, 1])
            try await disk.sync(context, "f")
            try await disk.write(context, "f", at: 4, [2, 2, 2, 2, 2, 2, 2, 2])
            try await context.clock.sleep(for: .hours(1))
        }
        if let kind { try simulation.faults.schedule([ScheduledFault(kind, at: .zero, targets: ["db"])]) }
        let report = simulation.run { context in
            try await context.clock.sleep(for: .seconds(1))
            simulation.crash(simulation.process(named: "db")!)
        }
        return (report, disk.contents(of: "f"))
    }

    @Test("unsynced-loss: a crash meanwhile loses all that was not synced, and nothing else")
    func unsyncedLoss() throws {
        #expect(try Self.contentsAfterCrash(under: nil).contents.count == 12)
        let (report, contents) = try Self.contentsAfterCrash(under: "unsynced-loss")
        #expect(contents == [1, 1, 1, 1])
        #expect(report.effectCount(of: "unsynced-loss") == 1)
    }

    @Test("torn-write: a crash meanwhile leaves the write half done")
    func tornWrite() throws {
        let (report, contents) = try Self.contentsAfterCrash(under: "torn-write")
        #expect((4..<12).contains(contents.count))
        #expect(contents.prefix(4) == [1, 1, 1, 1] && contents.dropFirst(4).allSatisfy { $0 == 2 })
        #expect(report.effectCount(of: "torn-write") == 1)
    }

    @Test(
        "Without a crash, faults that say what a crash does take no effect", arguments: ["unsynced-loss", "torn-write"])
    func crashModelWithoutCrash(kind: String) throws {
        let (report, errors, disk) = try Self.threeWrites(under: kind)
        #expect(errors.isEmpty && disk.fileNames == ["f1", "f2", "f3"])
        #expect(report.effectCount(of: kind) == 0)
    }

    @Test("bit-rot: one bit of one file is another; of an empty disk none is, and nothing is counted")
    func bitRot() throws {
        let (simulation, disk) = Self.world { context, disk in
            try await context.clock.sleep(for: .seconds(2))
            try await disk.write(context, "f", at: 0, Array(repeating: 0, count: 16))
        }
        try simulation.faults.schedule([
            ScheduledFault("bit-rot", at: .seconds(1), targets: ["db"]),
            ScheduledFault("bit-rot", at: .seconds(3), targets: ["db"]),
        ])
        let report = simulation.run { try await $0.clock.sleep(for: .seconds(4)) }
        #expect(disk.contents(of: "f").reduce(0) { $0 + $1.nonzeroBitCount } == 1)
        #expect(report.faults.map(\.scheduledCount) == [2])
        #expect(report.effectCount(of: "bit-rot") == 1)
    }
}
