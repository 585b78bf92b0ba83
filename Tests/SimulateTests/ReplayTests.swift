import Foundation
import Testing

/// "The run repeated exactly" is said of a run that is what its file says in every part.
@Suite("Replaying a failure file")
struct ReplayTests {
    /// Replays the first failure file of the example after a change to it.
    private static func replay(
        _ more: [String] = [], _ change: (inout [String: Any]) throws -> Void
    ) throws -> SimulateCommand.Outcome {
        try withEmptyFolder { folder in
            _ = try SimulateCommand.run(
                [
                    "run", "--scenario", "retrying-counter", "--option", "remembers=no", "--seeds", "1..64",
                    "--until-failure",
                ],
                in: folder)
            let failures = folder.appendingPathComponent("failures")
            let name = try #require(try contents(of: failures).first { $0.hasSuffix(".json") })
            let file = failures.appendingPathComponent(name)
            var object = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
            try change(&object)
            try JSONSerialization.data(withJSONObject: object).write(to: file)
            return try SimulateCommand.run(["replay", "failures/\(name)"] + more, in: folder)
        }
    }

    @Test("Other violations than the file has are told, even when the hash is the same")
    func otherViolations() throws {
        #expect(try Self.replay { _ in }.output.hasSuffix("the run repeated exactly\n"))
        let none = try Self.replay { $0["violations"] = [Any]() }
        #expect(none.status == 3)
        #expect(
            none.output.hasSuffix("the run did NOT repeat: recorded 0 violations, and it has 1\n"), "\(none.output)")
        let other = try Self.replay {
            var violations = try #require($0["violations"] as? [[String: Any]])
            violations[0]["message"] = "all is well"
            $0["violations"] = violations
        }
        #expect(other.status == 3)
        #expect(other.output.contains("the run did NOT repeat: recorded violation 1 is: "))
        #expect(other.output.hasSuffix(": all is well\n"))
        let longer = try Self.replay { $0["eventCount"] = 7 }
        #expect(longer.status == 3)
        #expect(longer.output.hasSuffix("the run did NOT repeat: recorded 7 events\n"))
    }

    @Test("Limits of the file hold for its run")
    func limits() throws {
        let outcome = try Self.replay { $0["timeLimit"] = ["rawValue": 1_000_000] }
        #expect(outcome.status == 3)
        #expect(outcome.output.contains("VIOLATED timeLimit "), "\(outcome.output)")
    }

    @Test("--stuck-after goes with a file; what a file says itself does not")
    func optionsBesideFile() throws {
        #expect(try Self.replay(["--stuck-after", "30"]) { _ in }.status == 0)
        for words in [["--faults", "none"], ["--scheduling", "random"], ["--option", "remembers=yes"]] {
            let outcome = try Self.replay(words) { _ in }
            #expect(outcome.status == 2)
            #expect(outcome.errors == "simulate: unknown option or word '\(words[0])'; see --help\n")
        }
    }
}
