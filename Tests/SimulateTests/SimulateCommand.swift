import Foundation
import Testing

/// The `simulate` command that was built beside these tests, run as a user runs it: in a process of its own.
enum SimulateCommand {
    struct Outcome: Sendable {
        let status: Int32
        let output: String
        let errors: String

        /// The last line of the output as an object: what a campaign or a replay ends with when asked for JSON.
        func lastObject() throws -> [String: Any] {
            let line = try #require(output.split(separator: "\n").last, "no output; on standard error: \(errors)")
            return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    /// The folder of the build's products.
    static let products = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    static let path = "\(products)/simulate"

    /// Runs the command and waits for its end.
    ///
    /// - Parameters:
    ///   - program: another build of the command; this one by default.
    ///   - directory: where it runs; the folder for temporary files by default.
    static func run(
        _ arguments: [String], program: String = path, in directory: URL = FileManager.default.temporaryDirectory
    ) throws -> Outcome {
        try launch(program, arguments, in: directory).outcome()
    }

    /// A process under way.
    struct Running {
        let process: Process
        fileprivate let outputFile: URL
        fileprivate let errorFile: URL

        /// Waits until the command is well at work: it takes care of SIGINT, and has had a second of processor time since.
        func waitForWork() throws {
            var seconds: Double?
            while process.isRunning {
                let now = try processorSeconds()
                if seconds == nil, try catchesInterrupt() { seconds = now }
                if let seconds, now > seconds + 1 { return }
                Thread.sleep(forTimeInterval: 0.01)
            }
            Issue.record("the command ended with status \(process.terminationStatus) before it was at work")
        }

        private func processorSeconds() throws -> Double {
            let text = try String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8)
            // After the name in parentheses: times in user and system mode are the 12th and 13th, in ticks.
            let fields = text.drop { $0 != ")" }.split(separator: " ")
            let ticks = try #require(Double(fields[12])) + #require(Double(fields[13]))
            return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        }

        private func catchesInterrupt() throws -> Bool {
            let text = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
            // Dispatch catches what it watches; before that the signal is at its default, or ignored.
            let mask = try #require(text.firstMatch(of: #/SigCgt:\s+([0-9a-f]+)/#)).output.1
            return try #require(UInt64(mask, radix: 16)) & (1 << UInt64(SIGINT - 1)) != 0
        }

        /// Waits for the end.
        func outcome() throws -> Outcome {
            process.waitUntilExit()
            defer { for file in [outputFile, errorFile] { try? FileManager.default.removeItem(at: file) } }
            return Outcome(
                status: process.terminationStatus, output: try String(contentsOf: outputFile, encoding: .utf8),
                errors: try String(contentsOf: errorFile, encoding: .utf8))
        }
    }

    static func launch(_ program: String, _ arguments: [String], in directory: URL) throws -> Running {
        try #require(FileManager.default.isExecutableFile(atPath: program), "there is no program \(program)")
        // Files and not pipes: two pipes that are read one after the other can fill up and hang both sides.
        let base = FileManager.default.temporaryDirectory.appendingPathComponent("simulate-\(UUID().uuidString)")
        let (outputFile, errorFile) = (base.appendingPathExtension("out"), base.appendingPathExtension("err"))
        for file in [outputFile, errorFile] { try Data().write(to: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.currentDirectoryURL = directory
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = "\(products):\(environment["PATH"] ?? "/usr/bin:/bin")"
        environment["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = environment
        try process.run()
        return Running(process: process, outputFile: outputFile, errorFile: errorFile)
    }
}

/// An empty folder that is there as long as the body runs.
func withEmptyFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("simulate-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

/// What lies in a folder, in order of name.
func contents(of folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
}
