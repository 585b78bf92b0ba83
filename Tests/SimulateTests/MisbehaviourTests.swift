import Foundation
import Testing

/// Code that does what it must not is reported with its seed, and never hangs the tool.
@Suite("Misbehaving code under the command")
struct MisbehaviourTests {
    private static func run(_ mistake: String) throws -> SimulateCommand.Outcome {
        try withEmptyFolder { folder in
            try SimulateCommand.run(
                [
                    "run", "--scenario", "misbehaviour", "--option", "mistake=\(mistake)", "--seeds", "7..7",
                    "--scheduling", "in-order", "--stuck-after", "1",
                ], in: folder)
        }
    }

    private static let command = "--scenario misbehaviour --option mistake="

    @Test(
        "A violation says the seed, the kind of mistake, whose it is, and how to see it again",
        arguments: [
            ("property-throws", "propertyError the worker is at work at 1s, event #", "its check threw WorkerError()"),
            ("task-throws", "processError worker at 1s, event #", "WorkerError()"),
            ("spin", "livelock worker at 1s, event #", "worker spins"),
            ("deadlock", "deadlock standstill at 2s, event #", "driver for an answer of the worker"),
            ("outlive-crash", "calledAfterStop worker at 2s, event #", "after its end"),
        ])
    func violation(mistake: String, violation: String, detail: String) throws {
        let outcome = try Self.run(mistake)
        #expect(outcome.status == 1)
        let line = try #require(outcome.output.split(separator: "\n").first { $0.hasPrefix("FAILED seed 7: ") })
        #expect(line.contains(violation) && line.contains(detail), "\(line)")
        #expect(
            outcome.output.contains(
                "  replay: simulate replay --seed 7 \(Self.command)\(mistake) --scheduling in-order\n"))
        #expect(outcome.errors.isEmpty)
    }

    @Test("A trap ends the tool with the seed and the process")
    func trap() throws {
        let outcome = try Self.run("trap")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("simulate: seed 7: process 'worker' trapped"), "\(outcome.errors)")
        #expect(
            outcome.errors.contains(
                "  replay: simulate replay \(Self.command)trap --scheduling in-order --seed 7"))
    }

    @Test("A process that never gives the thread back is named with its seed, after the time that was asked for")
    func block() throws {
        let outcome = try Self.run("block")
        #expect(outcome.status == 1)
        #expect(
            outcome.errors
                == "simulate: seed 7: process 'worker' has not given the thread back for 1 s; it loops or waits without awaiting anything\n  replay: simulate replay \(Self.command)block --scheduling in-order --seed 7\n"
        )
    }
}
