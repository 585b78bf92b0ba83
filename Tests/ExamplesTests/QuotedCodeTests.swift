import Foundation
import Testing

/// Code in the documentation is code that is compiled: each Swift block names the file that it is from and stands there line by
/// line.
struct QuotedCodeTests {
    /// A fenced block of a document, and what the comment before it says.
    struct Block: Sendable, CustomTestStringConvertible {
        let document: String
        /// Of its first fence, from one.
        let line: Int
        let language: String
        /// `<!-- quoted: PATH -->` before the block.
        let source: String?
        let lines: [String]

        var testDescription: String { "\(document):\(line)" }
    }

    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Every Markdown file of the package, by its path from the root, in order.
    static let documents: [String] = {
        let kept = ["README.md", "CONTRIBUTING.md"].filter { FileManager.default.fileExists(atPath: path($0)) }
        let found = ["docs", "Sources"].flatMap { folder in
            (FileManager.default.enumerator(atPath: path(folder))?.compactMap { $0 as? String } ?? [])
                .filter { $0.hasSuffix(".md") }.map { "\(folder)/\($0)" }
        }
        return kept + found.sorted()
    }()

    static let swiftBlocks = documents.flatMap { blocks(of: $0) }.filter { $0.language == "swift" }

    @Test("There is code in the README and in every article that teaches by example")
    func documentsQuoteCode() {
        let quoting = Set(Self.swiftBlocks.map { $0.document.split(separator: "/").last.map(String.init) ?? "" })
        #expect(quoting.isSuperset(of: ["README.md", "GettingStarted.md", "WritingAScenario.md"]))
    }

    @Test("A Swift block of a document is a run of lines of the source that it names", arguments: swiftBlocks)
    func blockIsCompiled(block: Block) throws {
        let source = try #require(
            block.source, "write <!-- quoted: PATH --> before the block, with the file that it is taken from")
        let text = try String(contentsOfFile: Self.path(source), encoding: .utf8)
        let compiled = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(
            Self.contains(compiled, block.lines),
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

    private static func path(_ relative: String) -> String { root.appendingPathComponent(relative).path }

    /// The fenced blocks of a document.
    private static func blocks(of document: String) -> [Block] {
        guard let text = try? String(contentsOfFile: path(document), encoding: .utf8) else { return [] }
        var blocks: [Block] = []
        var source: String?
        var open: (line: Int, language: String, lines: [String])?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("```") {
                if let block = open {
                    blocks.append(
                        Block(
                            document: document, line: block.line, language: block.language, source: source,
                            lines: block.lines))
                    (open, source) = (nil, nil)
                } else {
                    open = (index + 1, String(line.dropFirst(3)), [])
                }
            } else if open != nil {
                open?.lines.append(String(line))
            } else if line.hasPrefix("<!-- quoted: "), line.hasSuffix(" -->") {
                source = String(line.dropFirst("<!-- quoted: ".count).dropLast(" -->".count))
            } else if !line.isEmpty {
                source = nil
            }
        }
        return blocks
    }
}
