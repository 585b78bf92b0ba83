import Examples
import Foundation
import SimCore
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
        try withEmptyFolder { try Self.compare(document, in: $0) }
    }

    private static func compare(_ document: String, in directory: URL) throws {
        var text = try Documents.read(document)
        for block in Documents.blocks where block.document == document && isTranscript(block) {
            var printed: [String] = []
            for line in block.lines where line.hasPrefix("$ ") {
                printed.append(line)
                printed += try run(String(line.dropFirst(2)), in: directory)
            }
            let isSame = printed.map(withoutWallTime) == block.lines.map(withoutWallTime)
            if isWriting, !isSame {
                text = text.replacingOccurrences(
                    of: block.lines.joined(separator: "\n"), with: printed.joined(separator: "\n"))
            } else {
                #expect(
                    isSame,
                    "\(document):\(block.line) is printed otherwise; \(remedy)\n\(printed.joined(separator: "\n"))"
                )
            }
        }
        if isWriting { try text.write(toFile: Documents.absolute(document), atomically: true, encoding: .utf8) }
    }

    @Test("The tables of faults list every kind that the command knows, with its parameters")
    func faultTablesAreComplete() throws {
        let article = "Sources/SimCore/SimCore.docc/FaultCatalogue.md"
        var text = try Documents.read(article)
        let tables = try Self.faultTables()
        #expect(tables.map(\.name) == ["every system", "simulated servers", "shop"])
        for (name, rows) in tables {
            #expect(rows.count > 2)
            let start = try #require(text.range(of: "<!-- table: \(name) begin -->\n")).upperBound
            let end = try #require(text.range(of: "<!-- table: \(name) end -->")).lowerBound
            if Self.isWriting {
                text.replaceSubrange(start..<end, with: rows.joined(separator: "\n") + "\n")
            } else {
                #expect(
                    Documents.lines(of: String(text[start..<end])) == rows + [""], "\(article), \(name): \(Self.remedy)"
                )
            }
        }
        if Self.isWriting { try text.write(toFile: Documents.absolute(article), atomically: true, encoding: .utf8) }
    }

    @Test(
        "The failing test that a document shows is what the example's report says",
        arguments: ["README.md", "Sources/SimCore/SimCore.docc/GettingStarted.md"])
    func failingTestIsShown(document: String) throws {
        let reports = try (1...64).map {
            try retryingCounter(remembersRequests: false).run(SimulationSettings(seed: $0))
        }
        let report = "\(try #require(reports.first { !$0.run.held }))"
        let text = try Documents.read(document)
        let block = try #require(
            Documents.blocks.first { block in
                block.document == document && block.language == "text" && block.lines[0].hasPrefix("retrying-counter, ")
            })
        if Self.isWriting {
            try text.replacingOccurrences(of: block.lines.joined(separator: "\n"), with: report)
                .write(toFile: Documents.absolute(document), atomically: true, encoding: .utf8)
        } else {
            #expect(block.lines.joined(separator: "\n") == report, "\(document):\(block.line); \(Self.remedy)")
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

        /// As a row of a table in Markdown.
        var row: String {
            let parameters = parameters.map { parameter in
                let unit = parameter.unit.isEmpty ? "" : " \(parameter.unit)"
                return "`\(parameter.name)`: \(parameter.default)\(unit) (\(parameter.minimum), \(parameter.maximum))"
            }
            let lasts = lasts?.joined(separator: " to ") ?? ""
            return "| `\(name)` | \(summary) | \(lasts) | \(parameters.joined(separator: "; ")) |"
        }
    }

    /// Every kind that any scenario knows, in the order in which they are first met: those that every simulation has, those
    /// of simulated servers, and the rest, which are the shop's.
    private static func faultTables() throws -> [(name: String, rows: [String])] {
        struct Scenario: Decodable { let name: String }
        let simulation = Simulation(seed: 1)
        let general = Set(simulation.faults.kinds.map(\.name))
        KafkaFaults.register(with: simulation.faults, cluster: SimulatedKafkaCluster(simulation))
        PostgresFaults.register(
            with: simulation.faults, servers: [SimulatedPostgres(simulation, name: "postgres")])
        let servers = Set(simulation.faults.kinds.map(\.name))
        var known: Set<String> = []
        let head = ["| kind | what happens | lasts | parameters: default (from, to) |", "|-|-|-|-|"]
        var tables = ["every system", "simulated servers", "shop"].map { (name: $0, rows: head) }
        for line in try run("simulate scenarios --json") {
            let scenario = try JSONDecoder().decode(Scenario.self, from: Data(line.utf8))
            for line in try run("simulate faults --json --scenario \(scenario.name)") {
                let kind = try JSONDecoder().decode(Kind.self, from: Data(line.utf8))
                guard known.insert(kind.name).inserted else { continue }
                let table = general.contains(kind.name) ? 0 : servers.contains(kind.name) ? 1 : 2
                tables[table].rows.append(kind.row)
            }
        }
        return tables
    }

    /// Runs a command line of a shell with the `simulate` that was built beside these tests; what it prints, by line.
    private static func run(_ command: String, in directory: URL = Documents.root) throws -> [String] {
        let outcome = try SimulateCommand.run(["-c", "\(command) 2>&1"], program: "/bin/sh", in: directory)
        var lines = Documents.lines(of: outcome.output)
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    /// The line without how long something took, which differs from run to run.
    private static func withoutWallTime(_ line: String) -> String {
        line.replacing(#/ in [0-9.]+ s \([0-9]+ events/s\)/#, with: "")
            .replacing(#/( times,| times in about) [0-9.]+ (ms|us)$/#, with: "")
    }
}
