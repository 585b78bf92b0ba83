import Examples
import Foundation
import Ports
import SimCore
import Testing

/// The example as its readers would test it: seeds in a loop, the bug found, replayed from its file, and a tampered replay.
struct PrimaryBackupTests {
    @Test("With a careful backup a failover loses nothing, whatever the seed", arguments: 1...64)
    func carefulBackupHolds(seed: Int) throws {
        let report = try PrimaryBackup(isBackupCareless: false).scenario.run(SimulationSettings(seed: UInt64(seed)))
        #expect(
            report.run.held,
            "\(report.run.violations) — replay: simulate replay --scenario primary-backup --seed \(seed)")
    }

    /// The first of the seeds under which the careless backup is found out.
    private func failingRun(recordingTrace: Bool = false) throws -> (SimulationSettings, ScenarioReport)? {
        for seed in 1...200 as ClosedRange<UInt64> {
            var settings = SimulationSettings(seed: seed)
            settings.recordsTrace = recordingTrace
            let report = try PrimaryBackup(isBackupCareless: true).scenario.run(settings)
            if !report.run.held { return (settings, report) }
        }
        return nil
    }

    @Test("A careless backup is found out within 200 seeds")
    func carelessBackupIsFound() throws {
        let (_, report) = try #require(try failingRun())
        #expect(report.run.violations[0].name == "a failover loses nothing that was acknowledged")
        #expect(report.run.faults.contains { $0.kind == "crash" && $0.effectCount > 0 })
    }

    @Test("A failure file replays to the same hash")
    func failureFileReplays() throws {
        let (settings, report) = try #require(try failingRun())
        let file = FailureFile(
            toolVersion: "test", commit: "none", options: [:], settings: settings, report: report, traceFile: nil)
        let read = try JSONDecoder().decode(FailureFile.self, from: try JSONEncoder().encode(file))
        let replay = try PrimaryBackup(isBackupCareless: true).scenario.run(read.settings, schedule: read.schedule)
        #expect(replay.run.traceHash.description == file.traceHash)
        #expect(replay.run.violations == file.violations)
    }

    @Test("A tampered replay names the first event that differs")
    func tamperedReplayNamesTheFirstDifference() throws {
        let (settings, report) = try #require(try failingRun(recordingTrace: true))
        var schedule = report.run.schedule
        let moved = try #require(schedule.indices.first { schedule[$0].kind == "crash" })
        schedule[moved].at = schedule[moved].at + .microseconds(1)
        let replay = try PrimaryBackup(isBackupCareless: true).scenario.run(settings, schedule: schedule)
        let (recorded, found) = (try #require(report.run.trace), try #require(replay.run.trace))
        let divergence = try #require(Divergence.first(between: recorded, and: found))
        #expect(divergence.expected?.what.contains("crash") == true || divergence.found?.what.contains("crash") == true)
        #expect(divergence.step > 0)
        #expect(!divergence.expectedNeighbours.isEmpty && !divergence.foundNeighbours.isEmpty)
    }
}
