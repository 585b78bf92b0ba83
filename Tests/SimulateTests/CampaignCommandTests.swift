import Foundation
import SimCore
import Testing

@testable import simulate

@Suite("Campaigns of the command")
struct CampaignCommandTests {
    @Test("SIGINT ends a campaign in a summary of what ran", arguments: [[], ["--json"], ["--until-failure"]])
    func interrupt(more: [String]) throws {
        try withEmptyFolder { folder in
            let running = try SimulateCommand.launch(
                SimulateCommand.path,
                [
                    "run", "--scenario", "retrying-counter", "--option", "remembers=yes", "--seeds", "1..1000000000",
                    "--jobs", "1",
                ] + more, in: folder)
            try running.waitForWork()
            running.process.interrupt()
            let outcome = try running.outcome()
            #expect(outcome.status == 130, "\(outcome.errors)")
            #expect(
                outcome.errors
                    == "simulate: interrupted: no further run begins, and the summary follows when those under way have ended; interrupt again to end at once\n"
            )
            if more == ["--json"] {
                let object = try outcome.lastObject()
                #expect(object["interrupted"] as? Bool == true)
                let count = try #require(object["seeds"] as? Int)
                #expect(count > 0 && count < 1_000_000_000)
            } else {
                #expect(outcome.output.contains("\ninterrupted: this is what had run\n"))
                let verdict = #/\ninterrupted after ([0-9]+) of 1000000000 seeds: every property held in those\n$/#
                let count = try #require(outcome.output.firstMatch(of: verdict), "\(outcome.output)").output.1
                #expect(outcome.output.hasPrefix("retrying-counter: \(count) seeds, "))
            }
        }
    }

    @Test("What an interrupted campaign has found before keeps its exit code")
    func interruptAfterFailure() throws {
        try withEmptyFolder { folder in
            let running = try SimulateCommand.launch(
                SimulateCommand.path,
                [
                    "run", "--scenario", "retrying-counter", "--option", "remembers=no", "--seeds", "1..1000000000",
                    "--jobs", "1",
                ], in: folder)
            try running.waitForWork()
            running.process.interrupt()
            let outcome = try running.outcome()
            #expect(outcome.status == 1)
            #expect(outcome.output.contains("\ninterrupted: this is what had run\n"))
            #expect(outcome.output.contains(#/\n[0-9]+ of [0-9]+ seeds violated a property\n$/#))
        }
    }

    @Test("A shard that holds no seed says so, and is a result that can be merged")
    func emptyShard() throws {
        try withEmptyFolder { folder in
            let arguments = ["run", "--scenario", "retrying-counter", "--option", "remembers=yes", "--seeds", "1..2"]
            let text = try SimulateCommand.run(arguments + ["--shard", "9/9"], in: folder)
            #expect(text.status == 0 && text.errors.isEmpty)
            #expect(text.output == "retrying-counter: nothing to run: shard 9/9 holds none of the seeds 1..2\n")
            let empty = try SimulateCommand.run(arguments + ["--shard", "9/9", "--json"], in: folder)
            #expect(empty.status == 0)
            #expect(try empty.lastObject()["seeds"] as? Int == 0)
            let other = try SimulateCommand.run(arguments + ["--shard", "2/9", "--json"], in: folder)
            for (name, outcome) in [("empty", empty), ("other", other)] {
                try outcome.output.write(
                    to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
            }
            let merged = try SimulateCommand.run(["merge", "--json", "empty", "other"], in: folder)
            #expect(merged.status == 0)
            #expect(try merged.lastObject()["trace_hash"] as? String == other.lastObject()["trace_hash"] as? String)
        }
    }

    @Test("Names of faults are never cut, and their counts stand in columns")
    func tableOfFaults() throws {
        var result = CampaignResult()
        result.merge(
            CampaignResult(
                seedCount: 1, eventCount: 1, combinedHash: 1, failures: [],
                faults: [
                    FaultEfficacy(kind: "a-kind-of-fault-with-a-name-of-its-own", scheduledCount: 7, effectCount: 0),
                    FaultEfficacy(kind: "loss", scheduledCount: 12_345, effectCount: 67),
                ], sometimes: [:], figures: [:], properties: []))
        #expect(
            CampaignSummary.rows(of: result.faults) == [
                "  a-kind-of-fault-with-a-name-of-its-own      7   0  never took effect",
                "  loss                                    12345  67",
            ])
    }

    @Test("The JSON of a campaign has one style of names, and says nothing twice")
    func namesInJSON() throws {
        try withEmptyFolder { folder in
            let outcome = try SimulateCommand.run(
                ["run", "--scenario", "primary-backup", "--seeds", "1..200", "--json"], in: folder)
            #expect(outcome.status == 1)
            let object = try outcome.lastObject()
            #expect(object["result"] == nil)
            let failure = try #require(
                try JSONSerialization.jsonObject(with: Data(outcome.output.split(separator: "\n")[0].utf8))
                    as? [String: Any])
            // Names that the scenario has given to things are its own.
            let given: Set = ["faults", "faults_scheduled", "figures", "sometimes"]
            func names(_ value: Any) -> [String] {
                if let list = value as? [Any] { return list.flatMap(names) }
                guard let object = value as? [String: Any] else { return [] }
                return object.keys.sorted() + object.filter { !given.contains($0.key) }.values.flatMap(names)
            }
            let all = names(object) + names(failure)
            #expect(all.count > 40)
            for name in all { #expect(name.wholeMatch(of: #/[a-z]+(_[a-z]+)*/#) != nil, "\(name)") }
        }
    }

    @Test("In a pipe nothing is printed but the summary: no bar, no control characters")
    func quietInPipe() throws {
        let outcome = try SimulateCommand.run([
            "run", "--scenario", "retrying-counter", "--option", "remembers=yes", "--seeds", "1..200",
        ])
        #expect(outcome.status == 0)
        #expect(outcome.errors.isEmpty)
        #expect(!outcome.output.contains("\r") && !outcome.output.contains("\u{1B}"))
    }

    /// util-linux's `script` runs a command on a terminal of its own.
    private static let script = "/usr/bin/script"

    @Test(
        "On a terminal a bar says how far the campaign is, and is taken away",
        .enabled(if: FileManager.default.isExecutableFile(atPath: script), "\(script) is not there to make a terminal"))
    func barOnTerminal() throws {
        let command =
            "\(SimulateCommand.path) run --scenario retrying-counter --option remembers=yes --seeds 1..2000 --jobs 1"
        let outcome = try SimulateCommand.run(["-qec", command, "/dev/null"], program: Self.script)
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("/2000 seeds, 0 failed"))
        #expect(outcome.output.contains("\r\u{1B}[K"))
    }

    @Test("What properties cost is shown, as text and as JSON")
    func costOfProperties() throws {
        let arguments = ["run", "--scenario", "primary-backup", "--option", "careful=yes", "--seeds", "1..30"]
        let text = try SimulateCommand.run(arguments).output
        #expect(text.contains("properties (times checked, time that took):\n"))
        #expect(text.contains(#/\n  a failover loses nothing that was acknowledged: 30 times, [0-9.]+ ms\n/#))
        let object = try SimulateCommand.run(arguments + ["--json"]).lastObject()
        let properties = try #require(object["properties"] as? [[String: Any]])
        let always = try #require(
            properties.first { $0["name"] as? String == "the backup is never ahead of the primary" })
        #expect(try #require(always["check_count"] as? Int) > 1_000)
        #expect(try #require(always["nanoseconds"] as? Int) > 1_000)
    }

    @Test("A campaign in which something that should happen sometimes never did says so")
    func neverHappened() throws {
        let arguments = ["run", "--scenario", "primary-backup", "--option", "careful=yes", "--seeds", "1..3"]
        let never = "never happened in any run: the primary asks the backup again"
        #expect(try SimulateCommand.run(arguments + ["--faults", "none"]).output.contains("\(never)\n"))
        #expect(try !SimulateCommand.run(arguments + ["--faults", "crash"]).output.contains(never))
    }

    @Test("From twenty seeds on, a campaign in which a fault never took effect ends with exit code 4 and names it")
    func faultWithoutEffect() throws {
        let arguments = ["run", "--scenario", "misbehaviour", "--option", "mistake=idle-fault", "--seeds"]
        let outcome = try SimulateCommand.run(arguments + ["1..20"])
        #expect(outcome.status == 4)
        #expect(outcome.output.contains("  0  never took effect\n"))
        #expect(outcome.output.hasSuffix("no violation, but these faults never took effect: crash\n"))
        #expect(try SimulateCommand.run(arguments + ["1..19"]).status == 0)
    }

    @Test("Failures are written, at most ten of them with their traces, and each replays")
    func failuresAreWritten() throws {
        try withEmptyFolder { folder in
            let outcome = try SimulateCommand.run(
                ["run", "--scenario", "retrying-counter", "--option", "remembers=no", "--seeds", "1..64"], in: folder)
            #expect(outcome.status == 1)
            let files = try contents(of: folder.appendingPathComponent("failures"))
            #expect(files.count == 20)
            for file in files where file.hasSuffix(".json") {
                let replay = try SimulateCommand.run(["replay", "failures/\(file)"], in: folder)
                #expect(replay.status == 0)
                #expect(replay.output.hasSuffix("the run repeated exactly\n"))
            }
        }
    }

    @Test(
        "Failures of one seed under other options have files of their own, and the same run again writes the same file")
    func failuresOfOtherOptions() throws {
        try withEmptyFolder { folder in
            let arguments = ["run", "--scenario", "retrying-counter", "--seeds", "1..1"]
            func names() throws -> [String] {
                try contents(of: folder.appendingPathComponent("failures")).filter { !$0.contains(".trace.") }
            }
            for more in [[], ["--scheduling", "random"], ["--option", "remembers=no"], []] {
                #expect(try SimulateCommand.run(arguments + more, in: folder).status == 1)
            }
            let three = try names()
            #expect(three.count == 3)
            #expect(three.contains("retrying-counter-1.json"))
            for name in three {
                #expect(name.wholeMatch(of: #/retrying-counter-1(-[0-9a-f]{8})?\.json/#) != nil, "\(name)")
                let replay = try SimulateCommand.run(["replay", "failures/\(name)"], in: folder)
                #expect(replay.output.hasSuffix("the run repeated exactly\n"))
            }
        }
    }

    @Test("A file that another run has left under the name is kept: the next number is taken")
    func failuresAreKept() throws {
        try withEmptyFolder { folder in
            let arguments = ["run", "--scenario", "retrying-counter", "--seeds", "1..1"]
            _ = try SimulateCommand.run(arguments, in: folder)
            let failures = folder.appendingPathComponent("failures")
            let file = failures.appendingPathComponent("retrying-counter-1.json")
            // As a version of the code would have left it in which the run was another one.
            var text = try String(contentsOf: file, encoding: .utf8)
            let hash = try #require(text.firstMatch(of: #/"traceHash" : "([0-9a-f]+)"/#)).output.1
            text = text.replacingOccurrences(of: hash, with: "0123456789abcdef")
            try text.write(to: file, atomically: true, encoding: .utf8)
            let outcome = try SimulateCommand.run(arguments, in: folder)
            #expect(outcome.output.contains("\n  written: failures/retrying-counter-1-2.json\n"))
            #expect(try String(contentsOf: file, encoding: .utf8) == text)
            #expect(
                try SimulateCommand.run(["replay", "failures/retrying-counter-1-2.json"], in: folder).status == 0)
        }
    }

    @Test("Failures that cannot be written are told after the summary, which is not lost")
    func failuresCannotBeWritten() throws {
        try withEmptyFolder { folder in
            let arguments = ["run", "--scenario", "retrying-counter", "--option", "remembers=no", "--seeds", "1..64"]
            let earlier = try SimulateCommand.run(arguments, in: folder).output
            let seed = try #require(earlier.firstMatch(of: #/FAILED seed ([0-9]+):/#)).output.1
            let written = try #require(earlier.firstMatch(of: #/written: (failures/retrying-counter-.+)\.json\n/#))
                .output
            #expect(written.1.hasPrefix("failures/retrying-counter-\(seed)-"))
            // A folder stands where the trace is to go.
            let taken = "\(written.1).trace.jsonl"
            try FileManager.default.removeItem(at: folder.appendingPathComponent("failures"))
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent(taken), withIntermediateDirectories: true)
            let outcome = try SimulateCommand.run(arguments, in: folder)
            #expect(outcome.status == 1)
            #expect(outcome.output.hasSuffix("of 64 seeds violated a property\n"), "\(outcome.output)")
            #expect(
                outcome.errors == "simulate: cannot write '\(taken)'; expected a place that can be written to\n")
        }
    }
}
