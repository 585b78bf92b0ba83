import Foundation
import Testing

/// What a command has to say arrives, or the command says that it did not.
@Suite("Output that cannot be written")
struct OutputTests {
    private static let line = "simulate: the output could not be written: No space left on device\n"

    @Test(
        "On a full disk every command says so in one line, and ends with exit code 6",
        .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")),
        arguments: [
            "--help", "--version", "scenarios", "faults --json --scenario retrying-counter",
            "run --scenario retrying-counter --option remembers=yes --seeds 1..3",
            "run --scenario retrying-counter --option remembers=no --seeds 1..3 --json",
            "replay --scenario retrying-counter --seed 1", "replay --scenario retrying-counter --seed 1 --json",
            "history --isolation serializable --transactions 2000", "fidelity --file t.json",
            "bench --only timers-1 --repeat 1",
        ])
    func fullDisk(words: String) throws {
        try withEmptyFolder { folder in
            try #"{"cases": [], "limits": []}"#
                .write(to: folder.appendingPathComponent("t.json"), atomically: true, encoding: .utf8)
            let outcome = try SimulateCommand.run(
                ["-c", "simulate \(words) > /dev/full"], program: "/bin/sh", in: folder)
            #expect(outcome.status == 6)
            #expect(outcome.errors == Self.line)
        }
    }

    @Test("An output that is closed is told, and errors that nobody can read do no harm")
    func closed() throws {
        let outcome = try SimulateCommand.run(["-c", "simulate scenarios >&-"], program: "/bin/sh")
        #expect(outcome.status == 6)
        #expect(outcome.errors == "simulate: the output could not be written: Bad file descriptor\n")
        #expect(try SimulateCommand.run(["-c", "simulate fly 2> /dev/full"], program: "/bin/sh").status == 2)
        #expect(try SimulateCommand.run(["-c", "simulate scenarios >&- 2>&-"], program: "/bin/sh").status == 6)
    }

    @Test("All output of the command goes where it is known whether it arrived")
    func oneWay() throws {
        let folder = "Simulations/Simulate"
        let files = try #require(FileManager.default.enumerator(atPath: Documents.absolute(folder)))
            .compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") && !$0.hasSuffix("StandardStreams.swift") }
        #expect(files.count > 20)
        for file in files {
            for (index, line) in Documents.lines(of: try Documents.read("\(folder)/\(file)")).enumerated() {
                #expect(
                    !line.contains(#/(^|[^.\w])print\(|Swift\.print\(|FileHandle\.standard|\bfputs\(/#)
                        || line.contains("static func print("),
                    "\(file):\(index + 1) writes past StandardOutput and StandardError")
            }
        }
    }
}
