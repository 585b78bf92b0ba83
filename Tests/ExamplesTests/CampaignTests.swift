import Examples
import Foundation
import SimCore
import Testing

/// A campaign from Swift, as a package of one's own would run it.
struct CampaignTests {
    @Test("Two shards add up to the campaign, and each failure is written to a file")
    func shardsAddUp() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("campaign-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }

        let scenario = PrimaryBackup(isBackupCareless: true).scenario
        let shards = [Shard(index: 1, count: 2)!, Shard(index: 2, count: 2)!]
        let results = try shards.map { shard in
            try Campaign(seeds: 1...200, shard: shard, jobCount: 2).run { seed in
                let settings = SimulationSettings(seed: seed)
                let report = try scenario.run(settings)
                if !report.run.held {
                    let file = FailureFile(
                        toolVersion: "1", commit: "unknown", options: scenario.options, settings: settings,
                        report: report, traceFile: nil)
                    try JSONEncoder().encode(file).write(to: folder.appendingPathComponent("failure-\(seed).json"))
                }
                return report
            }
        }
        var sum = results[0]
        sum.merge(results[1])

        #expect(sum.seedCount == 200)
        #expect(!sum.failures.isEmpty)
        #expect(sum.faultsWithoutEffect.isEmpty)
        let whole = try Campaign(seeds: 1...200).run { try scenario.run(SimulationSettings(seed: $0)) }
        #expect(sum.combinedHash == whole.combinedHash)
        let written = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(written.sorted() == sum.failures.map { "failure-\($0.seed).json" }.sorted())
    }
}
