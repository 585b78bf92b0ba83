import Foundation
import Testing

/// "The run repeated exactly" is said of a run that is what its file says in every part.
@Suite("Replaying a failure file")
struct ReplayTests {
    /// Replays the first failure file of the example after a change to it.
    private static func replay(
        _ more: [String] = [], changingTrace changeTrace: (URL) throws -> Void = { _ in },
        _ change: (inout [String: Any]) throws -> Void
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
            try changeTrace(failures.appendingPathComponent(try #require(object["traceFile"] as? String)))
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

    /// What may have become of the trace beside a file.
    enum TraceDamage: String, CaseIterable, Sendable {
        case gone = "the recorded trace 'failures/NAME' cannot be read"
        case empty = "the recorded trace 'failures/NAME' is empty"
        case garbled = "line 3 of the recorded trace 'failures/NAME' is not a trace entry"
        case gap = "line 3 of the recorded trace 'failures/NAME' is event #4, and not #3"
        case cut = "the recorded events are the same; it lies beyond them, or the file's hash was changed"

        func apply(_ file: URL) throws {
            var lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
            switch self {
            case .gone: return try FileManager.default.removeItem(at: file)
            case .empty: lines = []
            case .garbled: lines[2] = String(lines[2].dropLast(5))
            case .gap: lines.remove(at: 2)
            case .cut: lines.removeLast(lines.count - 2)
            }
            try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
        }
    }

    @Test(
        "A run that does not repeat is told so whatever has become of its trace, and why its first difference is not named",
        arguments: TraceDamage.allCases)
    func damagedTrace(damage: TraceDamage) throws {
        for more in [[], ["--json"]] {
            var name = ""
            let outcome = try Self.replay(
                more,
                changingTrace: {
                    name = $0.lastPathComponent
                    try damage.apply($0)
                }, { $0["traceHash"] = "0123456789abcdef" })
            let why = damage.rawValue.replacingOccurrences(of: "NAME", with: name)
            #expect(outcome.status == 3)
            #expect(outcome.errors.isEmpty)
            if more.isEmpty {
                #expect(
                    outcome.output.hasSuffix(
                        "the run did NOT repeat: recorded hash 0123456789abcdef\nthe first difference cannot be named: \(why)\n"
                    ),
                    "\(outcome.output)")
            } else {
                let object = try outcome.lastObject()
                #expect(object["repeated"] as? Bool == false)
                #expect(object["divergence_unknown"] as? String == why)
            }
        }
    }

    @Test("A run that repeats is told so although its trace is gone")
    func traceNotNeeded() throws {
        let outcome = try Self.replay(changingTrace: TraceDamage.gone.apply, { _ in })
        #expect(outcome.status == 0)
        #expect(outcome.output.hasSuffix("the run repeated exactly\n"))
    }

    @Test("The event that a violation names stands in the trace, at the violation's time")
    func violationStandsInTrace() throws {
        try withEmptyFolder { folder in
            let outcome = try SimulateCommand.run(
                ["replay", "--seed", "1", "--scenario", "retrying-counter", "--trace", "t.jsonl", "--json"], in: folder)
            #expect(outcome.status == 1)
            let violations = try #require(try outcome.lastObject()["violations"] as? [[String: Any]])
            let event = try #require(violations[0]["event"] as? Int)
            let lines = try String(contentsOf: folder.appendingPathComponent("t.jsonl"), encoding: .utf8).split(
                separator: "\n")
            #expect(lines.count == event)
            let line = try #require(lines.first { $0.contains("\"step\":\(event),") })
            #expect(line.hasPrefix("{\"at\":{\"rawValue\":\(try #require(violations[0]["at_ns"] as? Int))},"))
        }
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
            let refusal = "'\(words[0])' does not go with a failure file, which says how its run is made; see --help"
            #expect(outcome.errors == "simulate: \(refusal)\n")
        }
    }
}
