import Testing

/// Code in the documentation is code that is compiled: each Swift block names the file that it is from and stands there line by
/// line.
struct QuotedCodeTests {
    static let swiftBlocks = Documents.blocks.filter { $0.language == "swift" }

    @Test("There is code in the README and in every article that teaches by example")
    func documentsQuoteCode() {
        let quoting = Set(Self.swiftBlocks.map { $0.document.split(separator: "/").last.map(String.init) ?? "" })
        #expect(quoting.isSuperset(of: ["README.md", "GettingStarted.md", "WritingAScenario.md"]))
    }

    @Test("A Swift block of a document is a run of lines of the source that it names", arguments: swiftBlocks)
    func blockIsCompiled(block: FencedBlock) throws {
        let source = try #require(
            block.source, "write <!-- quoted: PATH --> before the block, with the file that it is taken from")
        #expect(
            Self.contains(Documents.lines(of: try Documents.read(source)), block.lines),
            "\(source) does not say this:\n\(block.lines.joined(separator: "\n"))")
    }

    @Test("A quotation that differs in one character is told apart")
    func alteredQuotationIsFound() {
        let compiled = ["    let one = 1", "", "    let two = 2"]
        #expect(Self.contains(compiled, ["let one = 1", "", "let two = 2"]))
        #expect(!Self.contains(compiled, ["let one = 1", "", "let two = 3"]))
        #expect(!Self.contains(compiled, ["let one = 1", "let two = 2"]))
        #expect(!Self.contains(compiled, ["let one = 1", "", "  let two = 2"]))
        #expect(!Self.contains(compiled, []))
    }

    /// Whether the lines stand in the source one after the other, all indented by the same amount.
    private static func contains(_ source: [String], _ lines: [String]) -> Bool {
        guard let first = lines.first, lines.count <= source.count else { return false }
        return (0...(source.count - lines.count)).contains { start in
            guard source[start].hasSuffix(first) else { return false }
            let indentation = String(source[start].dropLast(first.count))
            guard indentation.allSatisfy({ $0 == " " }) else { return false }
            return zip(source[start...], lines).allSatisfy { found, quoted in
                found == (quoted.isEmpty ? "" : indentation + quoted)
            }
        }
    }
}
