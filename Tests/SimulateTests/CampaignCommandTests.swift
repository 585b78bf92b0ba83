import Foundation
import Testing

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
            #expect(outcome.status == 0, "\(outcome.errors)")
            if more == ["--json"] {
                let object = try outcome.lastObject()
                #expect(object["interrupted"] as? Bool == true)
                let count = try #require(object["seeds"] as? Int)
                #expect(count > 0 && count < 1_000_000_000)
            } else {
                #expect(outcome.output.contains("\ninterrupted: this is what had run\n"))
                #expect(outcome.output.hasSuffix("every property held\n"))
            }
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
        #expect(try #require(always["checkCount"] as? Int) > 1_000)
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

    @Test("Failures that cannot be written are told after the summary, which is not lost")
    func failuresCannotBeWritten() throws {
        try withEmptyFolder { folder in
            let arguments = ["run", "--scenario", "retrying-counter", "--option", "remembers=no", "--seeds", "1..64"]
            let earlier = try SimulateCommand.run(arguments, in: folder).output
            let seed = try #require(earlier.firstMatch(of: #/FAILED seed ([0-9]+):/#)).output.1
            // A folder stands where the file is to go.
            let taken = "failures/retrying-counter-\(seed).json"
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
