import Foundation
import Testing

/// What the documentation says that the `simulate` command prints is what it prints.
///
/// A block `console` whose first line begins with `$ ` is a transcript: its commands are run, those of one document one after the other in one
/// empty directory, and what they print is compared. With `WRITE_DOCS=1` in the environment the documents are brought up to date
/// instead.
@Suite(.serialized)
struct QuotedOutputTests {
    static let transcripts = Documents.paths.filter { path in
        Documents.blocks.contains { $0.document == path && isTranscript($0) }
    }
    private static let isWriting = ProcessInfo.processInfo.environment["WRITE_DOCS"] == "1"
    private static let remedy = "bring it up to date: WRITE_DOCS=1 swift test --filter QuotedOutputTests"

    private static func isTranscript(_ block: FencedBlock) -> Bool {
        block.language == "console" && block.lines.first?.hasPrefix("$ ") == true
    }

    @Test("A transcript in a document is what its commands print", arguments: transcripts)
    func transcriptIsPrinted(document: String) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("transcript-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        var text = try Documents.read(document)
        for block in Documents.blocks where block.document == document && Self.isTranscript(block) {
            var printed: [String] = []
            for line in block.lines where line.hasPrefix("$ ") {
                printed.append(line)
                printed += try Self.run(String(line.dropFirst(2)), in: directory)
            }
            let isSame = printed.map(Self.withoutWallTime) == block.lines.map(Self.withoutWallTime)
            if Self.isWriting, !isSame {
                text = text.replacingOccurrences(
                    of: block.lines.joined(separator: "\n"), with: printed.joined(separator: "\n"))
            } else {
                #expect(
                    isSame,
                    "\(document):\(block.line) is printed otherwise; \(Self.remedy)\n\(printed.joined(separator: "\n"))"
                )
            }
        }
        if Self.isWriting { try text.write(toFile: Documents.absolute(document), atomically: true, encoding: .utf8) }
    }

    @Test("The table of faults lists every kind that the command knows, with its parameters")
    func faultTableIsComplete() throws {
        let article = "Sources/SimCore/SimCore.docc/FaultCatalogue.md"
        let text = try Documents.read(article)
        let table = try Self.faultTable()
        #expect(table.count > 22)
        let begin = "<!-- table: begin -->\n"
        let start = try #require(text.range(of: begin)).upperBound
        let end = try #require(text.range(of: "<!-- table: end -->")).lowerBound
        if Self.isWriting {
            try text.replacingCharacters(in: start..<end, with: table.joined(separator: "\n") + "\n")
                .write(toFile: Documents.absolute(article), atomically: true, encoding: .utf8)
        } else {
            #expect(Documents.lines(of: String(text[start..<end])) == table + [""], "\(article): \(Self.remedy)")
        }
    }

    // MARK: Parts

    private struct Kind: Decodable {
        struct Parameter: Decodable {
            let name: String
            let unit: String
            let `default`: Int64
            let minimum: Int64
            let maximum: Int64
        }

        let name: String
        let summary: String
        let parameters: [Parameter]
        /// The shortest and the longest; absent for a kind that happens at a point in time.
        let lasts: [String]?
    }

    /// Every kind that any scenario knows, in the order in which they are first met.
    private static func faultTable() throws -> [String] {
        struct Scenario: Decodable { let name: String }
        var known: Set<String> = []
        var rows = ["| kind | what happens | lasts | parameters: default (from, to) |", "|-|-|-|-|"]
        for line in try run("simulate scenarios --json") {
            let scenario = try JSONDecoder().decode(Scenario.self, from: Data(line.utf8))
            for line in try run("simulate faults --json --scenario \(scenario.name)") {
                let kind = try JSONDecoder().decode(Kind.self, from: Data(line.utf8))
                guard known.insert(kind.name).inserted else { continue }
                let parameters = kind.parameters.map { parameter in
                    let unit = parameter.unit.isEmpty ? "" : " \(parameter.unit)"
                    return
                        "`\(parameter.name)`: \(parameter.default)\(unit) (\(parameter.minimum), \(parameter.maximum))"
                }
                let lasts = kind.lasts?.joined(separator: " to ") ?? ""
                rows.append(
                    "| `\(kind.name)` | \(kind.summary) | \(lasts) | \(parameters.joined(separator: "; ")) |")
            }
        }
        return rows
    }

    /// Runs a command line with the `simulate` that was built beside these tests; what it prints, by line.
    private static func run(_ command: String, in directory: URL = Documents.root) throws -> [String] {
        let products = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
        try #require(
            FileManager.default.isExecutableFile(atPath: "\(products)/simulate"),
            "there is no simulate beside the tests in \(products)")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.currentDirectoryURL = directory
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = "\(products):\(environment["PATH"] ?? "/usr/bin:/bin")"
        process.environment = environment
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        var lines = Documents.lines(of: String(decoding: data, as: UTF8.self))
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    /// The line without how long it took, which differs from run to run.
    private static func withoutWallTime(_ line: String) -> String {
        line.replacing(#/ in [0-9.]+ s \([0-9]+ events/s\)/#, with: "")
    }
}
