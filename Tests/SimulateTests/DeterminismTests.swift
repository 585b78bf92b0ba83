import Foundation
import Testing

/// The same seeds have to give the same hash wherever and however they are run.
///
/// With `REHEARSAL_OTHER_BUILD` in the environment, a path of another build of the command (release beside debug), that one
/// has to agree too; `.ci/run` does so.
@Suite("One seed, one hash")
struct DeterminismTests {
    /// A campaign that is short in a debug build.
    struct Work: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let arguments: [String]

        init(_ scenario: String, _ more: [String]) {
            testDescription = scenario
            arguments = ["run", "--json", "--scenario", scenario] + more
        }
    }

    static let works = [
        Work("primary-backup", ["--seeds", "1..24"]), Work("retrying-counter", ["--seeds", "1..24"]),
        Work("default", ["--seeds", "1..2", "--orders", "2"]),
    ]

    /// What a campaign found: everything in its result that is not a figure of the machine.
    private static func found(
        _ work: Work, _ more: [String] = [], program: String = SimulateCommand.path, in folder: URL
    ) throws -> [String: String] {
        let outcome = try SimulateCommand.run(work.arguments + more, program: program, in: folder)
        try #require([0, 1, 4, 5].contains(outcome.status), "status \(outcome.status): \(outcome.errors)")
        return try found(outcome)
    }

    private static func found(_ outcome: SimulateCommand.Outcome) throws -> [String: String] {
        let object = try outcome.lastObject()
        var found: [String: String] = [:]
        for name in ["scenario", "seeds", "events", "violations", "trace_hash"] { found[name] = "\(object[name]!)" }
        for name in ["faults", "figures", "sometimes"] {
            let data = try JSONSerialization.data(withJSONObject: object[name]!, options: .sortedKeys)
            found[name] = String(decoding: data, as: UTF8.self)
        }
        return found
    }

    @Test("Two processes, one job and two, and the sum of shards find the same", arguments: works)
    func sameEverywhere(work: Work) throws {
        try withEmptyFolder { folder in
            let first = try Self.found(work, ["--jobs", "1"], in: folder)
            #expect(try Self.found(work, ["--jobs", "1"], in: folder) == first, "another process")
            #expect(try Self.found(work, ["--jobs", "2"], in: folder) == first, "two jobs")
            let shards = try (1...2).map { index in
                let shard = try SimulateCommand.run(work.arguments + ["--shard", "\(index)/2"], in: folder)
                try #require([0, 1, 4, 5].contains(shard.status), "status \(shard.status): \(shard.errors)")
                let file = folder.appendingPathComponent("shard-\(index).json")
                try shard.output.write(to: file, atomically: true, encoding: .utf8)
                return file.path
            }
            #expect(try Self.found(SimulateCommand.run(["merge", "--json"] + shards.reversed())) == first, "shards")
        }
    }

    @Test(
        "Another build, release beside debug, finds the same",
        .enabled(
            if: ProcessInfo.processInfo.environment["REHEARSAL_OTHER_BUILD"] != nil,
            "REHEARSAL_OTHER_BUILD names no other build; .ci/run sets it"), arguments: works)
    func sameInOtherBuild(work: Work) throws {
        let other = try #require(ProcessInfo.processInfo.environment["REHEARSAL_OTHER_BUILD"])
        try withEmptyFolder { folder in
            let (there, here) = (try Self.found(work, program: other, in: folder), try Self.found(work, in: folder))
            #expect(there == here)
        }
    }

    @Test("Other seeds have another hash")
    func otherSeedsDiffer() throws {
        try withEmptyFolder { folder in
            let hashes = try ["1..24", "2..25", "24..24"].map {
                try Self.found(Work("primary-backup", ["--seeds", $0]), in: folder)["trace_hash"]
            }
            #expect(Set(hashes).count == 3)
        }
    }

    @Test("--check-determinism passes code that repeats itself")
    func checkPasses() throws {
        let arguments = ["run", "--scenario", "retrying-counter", "--option", "remembers=yes", "--seeds", "1..11"]
        let outcome = try SimulateCommand.run(arguments + ["--check-determinism"])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(
            outcome.output.hasSuffix(
                "\ndeterminism: 2 of 11 seeds run again in a process of their own, every hash the same\nevery property held\n"
            ),
            "\(outcome.output)")
        let object = try SimulateCommand.run(arguments + ["--check-determinism", "--json"]).lastObject()
        #expect(object["seeds_run_twice"] as? Int == 2)
        let unchecked = try SimulateCommand.run(arguments)
        #expect(!unchecked.output.contains("determinism"))
    }

    @Test("--check-determinism finds code that lets the order of a set decide, and names the first event that differs")
    func checkFindsSetOrder() throws {
        // A set of twenty: two processes give it the same order once in 20! pairs.
        let outcome = try SimulateCommand.run([
            "run", "--scenario", "misbehaviour", "--option", "mistake=set-order", "--seeds", "1..1",
            "--check-determinism",
        ])
        #expect(outcome.status == 3)
        #expect(outcome.output.contains("NOT DETERMINISTIC: seed 1: first difference at event #"), "\(outcome.output)")
        #expect(outcome.output.contains("worker: goes on after its clock"))
        #expect(outcome.output.hasSuffix("the same seed gave two different runs\n"))
    }
}
