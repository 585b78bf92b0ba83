import Examples
import Foundation
import SimCore
import Testing

/// What cannot be understood is answered by one line that names it and what was expected, exit code 2, and nothing written.
@Suite("Bad input of the command")
struct BadInputTests {
    /// Runs in a folder of its own and expects a refusal.
    private static func expectRefusal(
        _ arguments: [String], _ line: String, files: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try withEmptyFolder { folder in
            for (name, text) in files {
                try text.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
            }
            let outcome = try SimulateCommand.run(arguments, in: folder)
            #expect(outcome.status == 2, sourceLocation: sourceLocation)
            #expect(outcome.errors == "simulate: \(line)\n", sourceLocation: sourceLocation)
            #expect(outcome.output.isEmpty, sourceLocation: sourceLocation)
            #expect(
                try contents(of: folder) == files.keys.sorted(), "nothing is written", sourceLocation: sourceLocation)
        }
    }

    @Test("Unknown commands, scenarios, faults, options and benchmarks are named, with what there is")
    func unknownNames() throws {
        let commands = "run, replay, merge, bugs, bench, history, scenarios, faults, fidelity"
        try Self.expectRefusal(["fly"], "unknown command 'fly'; expected one of \(commands)")
        let scenarios = try SimulateCommand.run(["scenarios"]).output.split(separator: "\n")
            .filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != ":" } }.joined(separator: ", ")
        try Self.expectRefusal(
            ["run", "--scenario", "nowhere"], "unknown scenario 'nowhere'; there are \(scenarios)")
        let faults = try SimulateCommand.run(["faults", "--scenario", "primary-backup"]).output.split(separator: "\n")
            .filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != ":" } }.joined(separator: ", ")
        for command in [["run"], ["replay", "--seed", "1"]] {
            try Self.expectRefusal(
                command + ["--scenario", "primary-backup", "--faults", "crash,crush"],
                "unknown fault 'crush'; known are \(faults)")
        }
        for command in [["run"], ["replay", "--seed", "1"]] {
            let command = command + ["--scenario", "primary-backup", "--faults"]
            try Self.expectRefusal(
                command + ["crash,bit-rot"],
                "fault 'bit-rot' is not in the scenario's plan; it has crash, loss, slow-disk")
            try Self.expectRefusal(
                command + [""], "--faults is ''; expected all, none, or kinds separated by commas")
            try Self.expectRefusal(
                command + [","], "--faults is ','; expected all, none, or kinds separated by commas")
        }
        try Self.expectRefusal(
            ["run", "--scenario", "misbehaviour", "--faults", "crash"],
            "fault 'crash' is not in the scenario's plan; it has none")
        try Self.expectRefusal(
            ["run", "--scenario", "primary-backup", "--option", "colour=red"],
            "scenario 'primary-backup' has no option 'colour'; it has careful")
        try Self.expectRefusal(
            ["run", "--scenario", "primary-backup", "--option", "careful=maybe"],
            "option careful is 'maybe'; expected yes or no")
        try Self.expectRefusal(
            ["run", "--scenario", "primary-backup", "--option", "careful"],
            "--option is 'careful'; expected NAME=VALUE")
        try Self.expectRefusal(["run", "--fast"], "unknown option or word '--fast'; see --help")
        try Self.expectRefusal(
            ["bench", "--only", "nothing"],
            "unknown benchmark 'nothing'; there are timers-1, timers-1000, events-1, events-1000, pingpong-100, explore-random-100, explore-pct-100, kafka, shop"
        )
    }

    @Test("Numbers and ranges that make no sense are named, with what was expected")
    func badNumbers() throws {
        try Self.expectRefusal(
            ["run", "--seeds", "9..3"], "--seeds is '9..3', which is backwards; expected A..B with A at most B")
        for text in ["a..b", "1..", "..", "-1..3", "1..2..3", ""] {
            try Self.expectRefusal(
                ["run", "--seeds=\(text)"],
                "--seeds is '\(text)'; expected A..B with whole numbers, for example 1..1000")
        }
        try Self.expectRefusal(
            ["run", "--seeds", "0..18446744073709551615"],
            "--seeds is '0..18446744073709551615'; expected at most 2147483647 seeds, for example 1..1000")
        try Self.expectRefusal(["run", "--seeds"], "--seeds needs a value")
        for text in ["4/3", "0/3", "1", "1/0", "x/y"] {
            try Self.expectRefusal(
                ["run", "--shard", text],
                "--shard is '\(text)'; expected I/N with I from 1 to N, for example 2/8")
        }
        try Self.expectRefusal(["run", "--jobs", "0"], "--jobs is '0'; expected a whole number from 1 to 1024")
        try Self.expectRefusal(
            ["run", "--scheduling", "best"], "--scheduling is 'best'; expected in-order, random, pct or pct=DEPTH,STEPS"
        )
        for text in ["pct=", "pct=3", "pct=0,1", "pct=1001,1", "pct=1,0", "pct=1,1000000001", "pct=1,2,3", "pct=a,b"] {
            try Self.expectRefusal(
                ["run", "--scheduling", text],
                "--scheduling is '\(text)'; expected in-order, random, pct or pct=DEPTH,STEPS")
        }
        for text in ["size", "size=", "size=big", "=1"] {
            try Self.expectRefusal(
                ["run", "--knob", text], "--knob is '\(text)'; expected NAME=VALUE with a whole number")
        }
        try Self.expectRefusal(
            ["replay", "--seed", "1", "--scenario", "primary-backup", "--knob", "size=1"],
            "knob 'size' is never asked for; the run asks for none")
        try Self.expectRefusal(
            ["replay", "--seed", "1..2"],
            "--seed is '1..2'; expected one seed, a whole number; for a range see simulate run --seeds")
        try Self.expectRefusal(["replay", "--seed", "x"], "--seed is 'x'; expected one seed, a whole number")
        try Self.expectRefusal(["replay"], "replay needs a failure file or --seed N")
    }

    @Test("What contradicts itself is refused, and not taken in part")
    func contradictions() throws {
        try Self.expectRefusal(
            ["run", "--orders", "6", "--option", "orders=5"], "option orders is given twice; expected it once")
        try Self.expectRefusal(
            ["run", "--option", "bug=none", "--option", "bug=no-inbox"],
            "option bug is given twice; expected it once")
        try Self.expectRefusal(
            ["run", "--knob", "standby=0", "--knob", "standby=1"], "knob standby is given twice; expected it once")
        try Self.expectRefusal(
            ["bugs", "--json", "--markdown"], "--json and --markdown are both given; expected one of them")
        try Self.expectRefusal(["bugs", "--only", ","], "--only is ','; expected NAME[,..]")
        try Self.expectRefusal(
            ["replay", "a.json", "--seed", "1"],
            "'a.json' and --seed are both given; expected a failure file or a seed")
        try Self.expectRefusal(
            ["replay", "a.json", "--orders", "5"],
            "'--orders' does not go with a failure file, which says how its run is made; see --help")
    }

    // MARK: Failure files

    /// A failure file of the example, as its object.
    private static func failureFile() throws -> [String: Any] {
        try withEmptyFolder { folder in
            let outcome = try SimulateCommand.run(
                ["run", "--scenario", "primary-backup", "--seeds", "1..400", "--until-failure"], in: folder)
            try #require(outcome.status == 1, "\(outcome.output)\(outcome.errors)")
            let failures = folder.appendingPathComponent("failures")
            let name = try #require(try contents(of: failures).first { $0.hasSuffix(".json") })
            let data = try Data(contentsOf: failures.appendingPathComponent(name))
            return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        }
    }

    private static func text(_ object: [String: Any]) throws -> String {
        String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
    }

    @Test("A file that is none is named, with what is wrong with it")
    func malformedFiles() throws {
        try Self.expectRefusal(
            ["replay", "none.json"], "cannot read 'none.json'; expected a failure file written by simulate run")
        let file = ["f.json": "{\"format\": 1"]
        try withEmptyFolder { folder in
            try file["f.json"]!.write(to: folder.appendingPathComponent("f.json"), atomically: true, encoding: .utf8)
            let outcome = try SimulateCommand.run(["replay", "f.json"], in: folder)
            #expect(outcome.status == 2)
            #expect(outcome.errors.hasPrefix("simulate: 'f.json' is not a failure file: the document: "))
            #expect(outcome.errors.split(separator: "\n").count == 1)
        }
        try Self.expectRefusal(
            ["replay", "f.json"], "'f.json' is not a failure file: the document has no member 'format'",
            files: ["f.json": "{}"])
        try Self.expectRefusal(
            ["merge", "f.json"], "'f.json' has no campaign result; expected the output of simulate run --json",
            files: ["f.json": "{}"])
        try Self.expectRefusal(["merge"], "merge needs the result files of shards")
        try Self.expectRefusal(
            ["merge", "f.json"], "'f.json' has format 1; this version reads format 2",
            files: ["f.json": "{\"seeds\": 3, \"trace_hash\": \"0\"}"])
        try Self.expectRefusal(
            ["merge", "f.json"],
            "'f.json' is of version 9.0, and runs repeat within one version only; expected 0.1.0",
            files: ["f.json": "{\"seeds\": 3, \"trace_hash\": \"0\", \"format\": 2, \"tool_version\": \"9.0\"}"])
    }

    @Test("A failure file that names what does not exist, or comes from elsewhere, is refused and says why")
    func wrongFiles() throws {
        let good = try Self.failureFile()
        func expectRefusal(_ line: String, _ change: (inout [String: Any]) throws -> Void) throws {
            var changed = good
            try change(&changed)
            try Self.expectRefusal(["replay", "f.json"], line, files: ["f.json": try Self.text(changed)])
        }
        func withFault(_ change: (inout [String: Any]) -> Void) throws -> [[String: Any]] {
            var schedule = try #require(good["schedule"] as? [[String: Any]])
            change(&schedule[0])
            return schedule
        }
        try expectRefusal("'f.json' has format 7; this version reads format 3") { $0["format"] = 7 }
        try expectRefusal(
            "'f.json' was written by version 9.0, and runs repeat within one version only; expected 0.1.0"
        ) { $0["toolVersion"] = "9.0" }
        try expectRefusal("'f.json' is not a failure file: the document has no member 'seed'") { $0["seed"] = nil }
        try expectRefusal(
            "'f.json': fault 'crash' names process 'nobody', which does not exist; there are backup, primary"
        ) {
            $0["schedule"] = try withFault {
                $0["kind"] = "crash"
                $0["targets"] = ["nobody"]
            }
        }
        let unknown = try Self.unknownFaultLine()
        try expectRefusal("'f.json': \(unknown)") { $0["schedule"] = try withFault { $0["kind"] = "crush" } }
        try expectRefusal("'f.json': fault 'crash' has no parameter 'force'; it has restart_after") {
            $0["schedule"] = try withFault {
                $0["kind"] = "crash"
                $0["targets"] = ["backup"]
                $0["parameters"] = ["force": 1]
            }
        }
        let scenarios = try SimulateCommand.run(["scenarios"]).output.split(separator: "\n")
            .filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != ":" } }.joined(separator: ", ")
        try expectRefusal("unknown scenario 'nowhere'; there are \(scenarios)") { $0["scenario"] = "nowhere" }
    }

    @Test("A failure file with numbers that no run has is refused, and names them")
    func extremeNumbers() throws {
        let good = try Self.failureFile()
        func expectRefusal(_ line: String, _ change: (inout [String: Any]) throws -> Void) throws {
            var changed = good
            try change(&changed)
            try Self.expectRefusal(["replay", "f.json"], "'f.json'\(line)", files: ["f.json": try Self.text(changed)])
        }
        let schedule = try #require(good["schedule"] as? [[String: Any]])
        let kind = try #require(schedule[0]["kind"] as? String)
        let most = Int64.max
        for (at, duration) in [(0, most), (most, 0), (most, most), (1, 100 * 365 * 86_400_000_000_000)]
            as [(Int64, Int64)]
        {
            try expectRefusal(": fault '\(kind)' begins or ends after 3153600000s; expected an earlier end") {
                var schedule = schedule
                schedule[0]["at"] = ["rawValue": at]
                schedule[0]["duration"] = ["rawValue": duration]
                $0["schedule"] = schedule
            }
        }
        func priorities(_ depth: Int, _ stepCount: Int) -> [String: Any] {
            ["priorities": ["depth": depth, "stepCount": stepCount]]
        }
        for depth in [0, 1_001, .max] {
            try expectRefusal(" has scheduling priorities of depth \(depth); expected 1 to 1000") {
                $0["scheduling"] = priorities(depth, 10)
            }
        }
        for stepCount in [-1, 0, .max] {
            try expectRefusal(" has scheduling priorities among \(stepCount) steps; expected 1 to 1000000000") {
                $0["scheduling"] = priorities(3, stepCount)
            }
        }
        try expectRefusal(" has a time limit of -1ns; expected more than none and at most 3153600000s") {
            $0["timeLimit"] = ["rawValue": -1]
        }
        try expectRefusal(" has a limit of steps at one instant of 0; expected 1 or more") {
            $0["instantStepLimit"] = 0
        }
        try expectRefusal(" has a start at -1ns; expected one from 0ns to 3153600000s") {
            $0["start"] = ["nanosecondsSinceEpoch": -1]
        }
    }

    @Test("A failure file that says what the run never asks for is refused")
    func unaskedSettings() throws {
        let good = try Self.failureFile()
        func expectRefusal(_ line: String, _ change: (inout [String: Any]) throws -> Void) throws {
            var changed = good
            try change(&changed)
            try Self.expectRefusal(["replay", "f.json"], "'f.json'\(line)", files: ["f.json": try Self.text(changed)])
        }
        func override(_ stream: String, _ index: Int, _ value: Int) -> [[String: Any]] {
            [["stream": stream, "index": index, "value": value]]
        }
        try expectRefusal(": knob 'size' is never asked for; the run asks for none") { $0["knobs"] = ["size": 3] }
        try expectRefusal(" overrides decision 0 of 'nothing/nobody', which the run never takes") {
            $0["overrides"] = override("nothing/nobody", 0, 1)
        }
        let first = try #require(try Self.firstDecision(good))
        let bound = Int(first.bound)
        try expectRefusal(
            " overrides decision 0 of '\(first.address.stream)' with \(bound); expected 0 to \(bound - 1)"
        ) {
            $0["overrides"] = override(first.address.stream, 0, bound)
        }
    }

    /// A decision that the file's run takes, the first of its stream.
    private static func firstDecision(_ file: [String: Any]) throws -> RecordedDecision? {
        let data = try JSONSerialization.data(withJSONObject: file)
        var settings = try JSONDecoder().decode(FailureFile.self, from: data).settings
        settings.recordsDecisions = true
        let schedule = try JSONDecoder().decode(FailureFile.self, from: data).schedule
        let report = try PrimaryBackup(isBackupCareless: true).scenario.run(settings, schedule: schedule)
        return report.run.decisions.first { $0.address.index == 0 && $0.bound > 1 && $0.bound < 1 << 40 }
    }

    private static func unknownFaultLine() throws -> String {
        let outcome = try SimulateCommand.run(
            ["replay", "--seed", "1", "--scenario", "primary-backup", "--faults", "crush"])
        return String(outcome.errors.dropFirst("simulate: ".count).dropLast())
    }

    @Test("A place that cannot be written to is named")
    func unwritablePlaces() throws {
        try withEmptyFolder { folder in
            // So many seeds that it must be told before any of them is run.
            let outcome = try SimulateCommand.run(
                [
                    "run", "--scenario", "retrying-counter", "--option", "remembers=yes", "--seeds", "1..1000000000",
                    "--failures", "/dev/null/here",
                ], in: folder)
            #expect(outcome.status == 2)
            #expect(outcome.output.isEmpty)
            #expect(
                outcome.errors
                    == "simulate: cannot write failure files into '/dev/null/here'; expected a directory that can be written to\n"
            )
            let trace = try SimulateCommand.run(
                ["replay", "--seed", "1", "--scenario", "primary-backup", "--trace", "/dev/null/trace"], in: folder)
            #expect(trace.status == 2)
            #expect(
                trace.errors
                    == "simulate: cannot write '/dev/null/trace'; expected a place that can be written to\n")
        }
    }
}
