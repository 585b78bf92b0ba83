import Foundation
import Testing

enum RepositoryTable {
    static let exists = FileManager.default.fileExists(
        atPath: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../docs/fidelity.json").standardized.path)
}

/// `simulate fidelity`: the table of rules that were compared with real servers.
@Suite("simulate fidelity")
struct FidelityCommandTests {
    private static let table = """
        {"cases": [
        {"id":"kafka/a","area":"kafka","rule":"A holds","simulated":{"holds":true,"date":"2026-01-01"},"real":{"holds":true,"versions":"Kafka 4.3.0","date":"2026-01-02"}},
        {"id":"kafka/b","area":"kafka","rule":"B holds","simulated":{"holds":false,"found":"found 1, expected 2","date":"2026-01-01"},"real":{"holds":true,"versions":"Kafka 4.3.0","date":"2026-01-02"}},
        {"id":"postgres/c","area":"postgres","rule":"C holds","simulated":{"holds":true,"date":"2026-01-01"}}
        ],
        "limits": [
        {"area":"kafka","rule":"D","isModelled":false,"why":"nobody asks"}
        ]}
        """

    private static func run(_ arguments: String..., table: String = table) throws -> SimulateCommand.Outcome {
        try withEmptyFolder { folder in
            try table.write(to: folder.appendingPathComponent("t.json"), atomically: true, encoding: .utf8)
            return try SimulateCommand.run(["fidelity", "--file", "t.json"] + arguments, in: folder)
        }
    }

    @Test(
        "Without a file it finds the repository's table from any folder",
        .enabled(if: RepositoryTable.exists, "skipped: docs/fidelity.json is not there yet"))
    func findsTable() throws {
        try withEmptyFolder { folder in
            let outcome = try SimulateCommand.run(["fidelity", "--json"], in: folder)
            let summary = try outcome.lastObject()
            #expect((summary["rules"] as? Int ?? 0) > 150)
            #expect(summary["different"] as? Int == 0)
            #expect(outcome.status == 0)
        }
    }

    @Test("A rule that differs is named with what was found, and the exit code is 1")
    func differs() throws {
        let outcome = try Self.run()
        #expect(outcome.status == 1)
        #expect(outcome.output.contains("NO    FAILS      holds    2026-01-02  Kafka 4.3.0       B holds [kafka/b]"))
        #expect(outcome.output.contains("simulated: found 1, expected 2"))
        #expect(outcome.output.contains("kafka, not modelled: D (nobody asks)"))
        #expect(outcome.output.contains("all: 3 rules, 1 the same, 1 different, 1 not run in both worlds"))
    }

    @Test("An area alone, and only what differs")
    func selection() throws {
        let area = try Self.run("--area", "postgres")
        #expect(area.status == 0)
        #expect(!area.output.contains("kafka"))
        let differences = try Self.run("--differences", "--json").output.split(separator: "\n")
        #expect(differences.count == 4, "B, C, the limit and the summary")
    }

    @Test("What is no table, no area or no file is named in one line, and the exit code is 2")
    func badInput() throws {
        let cases: [(SimulateCommand.Outcome, String)] = [
            (try Self.run("--area", "mysql"), "--area is 'mysql'; expected one of debezium, http, kafka, postgres"),
            (try Self.run(table: "{}"), "'t.json' is not a fidelity table: the document has no 'cases'"),
            (try Self.run(table: "id,rule"), "'t.json' is not a fidelity table: it is not JSON"),
            (
                try SimulateCommand.run(["fidelity", "--file", "/nowhere"]),
                "cannot read '/nowhere'; expected the table that the contract suite writes, docs/fidelity.json"
            ),
            (try Self.run("--fast"), "unknown option or word '--fast'; see --help"),
        ]
        for (outcome, line) in cases {
            #expect(outcome.status == 2)
            #expect(outcome.errors == "simulate: \(line)\n")
            #expect(outcome.output.isEmpty)
        }
    }
}
