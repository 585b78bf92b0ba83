import Foundation
import SimCore
import Testing

@testable import simulate

/// `merge` adds up what belongs together, keeps what it has to say, and refuses the rest.
@Suite("Merging the results of shards")
struct MergeTests {
    private static let arguments = ["run", "--scenario", "retrying-counter", "--json", "--failures", "failures"]

    /// Writes what a campaign prints into a file of the folder.
    private static func write(_ name: String, _ more: [String], in folder: URL) throws {
        let outcome = try SimulateCommand.run(arguments + more, in: folder)
        try #require([0, 1, 4, 5].contains(outcome.status), "status \(outcome.status): \(outcome.errors)")
        try outcome.output.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
    }

    private static func expectRefusal(
        _ names: [String], in folder: URL, _ line: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let outcome = try SimulateCommand.run(["merge"] + names, in: folder)
        #expect(outcome.status == 2, sourceLocation: sourceLocation)
        #expect(outcome.errors == "simulate: \(line)\n", sourceLocation: sourceLocation)
        #expect(outcome.output.isEmpty, sourceLocation: sourceLocation)
    }

    @Test("The command that a merged result prints for a failing seed is the whole one, and repeats it")
    func replayOfMerged() throws {
        try withEmptyFolder { folder in
            let words = ["--option", "remembers=no", "--faults", "loss", "--scheduling", "pct=2,500"]
            for index in 1...2 {
                try Self.write("\(index)", words + ["--seeds", "1..40", "--shard", "\(index)/2"], in: folder)
            }
            let merged = try SimulateCommand.run(["merge", "2", "1"], in: folder)
            #expect(merged.status == 1)
            let line = try #require(merged.output.firstMatch(of: #/replay: simulate (replay --seed .+)\n/#)).output.1
            #expect(
                line.hasSuffix(
                    " --scenario retrying-counter --option remembers=no --faults loss --scheduling pct=2,500"))
            #expect(try SimulateCommand.run(line.split(separator: " ").map(String.init)).status == 1)
        }
    }

    @Test("The sum has the failures of all shards, whole, and a result whose failures are missing is refused")
    func failuresOfMerged() throws {
        try withEmptyFolder { folder in
            let words = ["--option", "remembers=no", "--seeds", "1..12"]
            for index in 1...2 { try Self.write("\(index)", words + ["--shard", "\(index)/2"], in: folder) }
            func lines(_ arguments: [String]) throws -> [String.SubSequence] {
                try SimulateCommand.run(arguments, in: folder).output.split(separator: "\n")
            }
            let whole = try lines(Self.arguments + words)
            let merged = try lines(["merge", "--json", "2", "1"])
            #expect(whole.count > 5)
            #expect(merged.dropLast() == whole.dropLast())
            // Both in one file are the same as one in each.
            let (first, second) = (try lines(["merge", "--json", "1"]), try lines(["merge", "--json", "2"]))
            try (first + second).joined(separator: "\n")
                .write(to: folder.appendingPathComponent("all"), atomically: true, encoding: .utf8)
            #expect(try lines(["merge", "--json", "all"]).dropLast() == whole.dropLast())
            try second.last!.write(to: folder.appendingPathComponent("bare"), atomically: true, encoding: .utf8)
            try Self.expectRefusal(
                ["1", "bare"], in: folder,
                "'bare' counts \(second.count - 1) failing seeds and lists 0; expected a line for each before the result, as simulate run --json prints them"
            )
        }
    }

    @Test("Results of other options are refused, with both")
    func otherOptions() throws {
        try withEmptyFolder { folder in
            try Self.write("a", ["--option", "remembers=yes", "--seeds", "1..4"], in: folder)
            try Self.write("b", ["--option", "remembers=yes", "--faults", "none", "--seeds", "5..8"], in: folder)
            try Self.expectRefusal(
                ["a", "b"], in: folder,
                "'b' is of '--scenario retrying-counter --option remembers=yes --faults none', 'a' of '--scenario retrying-counter --option remembers=yes'; expected the same"
            )
        }
    }

    @Test("A seed that two results have is refused; a merged result can be merged again")
    func seedsCountOnce() throws {
        try withEmptyFolder { folder in
            let words = ["--option", "remembers=yes", "--seeds"]
            try Self.write("1", words + ["1..9", "--shard", "1/2"], in: folder)
            try Self.write("2", words + ["1..9", "--shard", "2/2"], in: folder)
            try Self.write("more", words + ["10..12"], in: folder)
            try Self.expectRefusal(
                ["1", "2", "1"], in: folder,
                "'1' (seeds 1..9, shard 1/2) has seed 2, and so has '1' (seeds 1..9, shard 1/2); expected each seed once"
            )
            let both = try SimulateCommand.run(["merge", "--json", "1", "2"], in: folder)
            try both.output.write(to: folder.appendingPathComponent("both"), atomically: true, encoding: .utf8)
            #expect(
                try SimulateCommand.run(["merge", "--json", "both", "more"], in: folder).lastObject()["seeds"] as? Int
                    == 12)
            try Self.expectRefusal(
                ["both", "2"], in: folder,
                "'2' (seeds 1..9, shard 2/2) has seed 1, and so has 'both' (seeds 1..9, shard 2/2); expected each seed once"
            )
        }
    }

    @Test("A result that was interrupted or not deterministic makes the sum so")
    func flagsAreCarriedOn() throws {
        try withEmptyFolder { folder in
            let words = ["--option", "remembers=yes", "--seeds"]
            try Self.write("1", words + ["1..2"], in: folder)
            try Self.write("2", words + ["3..4"], in: folder)
            let text = try String(contentsOf: folder.appendingPathComponent("2"), encoding: .utf8)
            for (name, old, new) in [
                ("cut", "\"interrupted\":false", "\"interrupted\":true"),
                ("odd", "\"deterministic\":true", "\"deterministic\":false"),
            ] {
                try #require(text.contains(old))
                try text.replacingOccurrences(of: old, with: new)
                    .write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
            }
            let whole = try SimulateCommand.run(["merge", "1", "2"], in: folder)
            #expect(whole.status == 0 && !whole.output.contains("interrupted"))
            let cut = try SimulateCommand.run(["merge", "1", "cut"], in: folder)
            #expect(cut.status == 130)
            #expect(cut.output.contains("\ninterrupted: this is what had run\n"))
            let odd = try SimulateCommand.run(["merge", "odd", "1"], in: folder)
            #expect(odd.status == 3)
            #expect(odd.output.contains("\nNOT DETERMINISTIC: odd: "))
        }
    }

    @Test("The first seed that two parts have in common is the one that a search through all of them finds")
    func commonSeeds() throws {
        let shards = (1...6).flatMap { count in (1...count).map { Shard(index: $0, count: count)! } }
        for (first, second) in [(1...30, 20...50), (7...7, 1...90), (1...9, 10...20)]
            as [(ClosedRange<UInt64>, ClosedRange<UInt64>)]
        {
            for left in shards {
                for right in shards {
                    let expected = first.first { second.contains($0) && left.contains($0) && right.contains($0) }
                    let (one, other) = (
                        CampaignPart(Campaign(seeds: first, shard: left)),
                        CampaignPart(Campaign(seeds: second, shard: right))
                    )
                    #expect(one.firstCommonSeed(other) == expected)
                    #expect(other.firstCommonSeed(one) == expected)
                }
            }
        }
    }
}
