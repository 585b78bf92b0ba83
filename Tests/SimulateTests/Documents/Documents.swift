import Foundation
import Testing

/// A fenced block of a document, with what the comment before it says.
struct FencedBlock: Sendable, CustomTestStringConvertible {
    let document: String
    /// Of its first fence, from one.
    let line: Int
    let language: String
    /// `PATH` of a comment `<!-- quoted: PATH -->` before the block.
    let source: String?
    let lines: [String]

    var testDescription: String { "\(document):\(line)" }
}

/// The Markdown files of the package.
enum Documents {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Paths from the root, in order.
    static let paths: [String] = {
        let found = ["docs", "Sources"].flatMap { folder in
            (FileManager.default.enumerator(atPath: absolute(folder))?.compactMap { $0 as? String } ?? [])
                .filter { $0.hasSuffix(".md") }.map { "\(folder)/\($0)" }
        }
        return ["README.md", "CONTRIBUTING.md"] + found.sorted()
    }()

    static let blocks = paths.flatMap { blocks(of: $0) }

    static func absolute(_ relative: String) -> String { root.appendingPathComponent(relative).path }

    static func read(_ path: String) throws -> String {
        try String(contentsOfFile: absolute(path), encoding: .utf8)
    }

    static func lines(of text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private static func blocks(of document: String) -> [FencedBlock] {
        guard let text = try? read(document) else { return [] }
        var blocks: [FencedBlock] = []
        var source: String?
        var open: (line: Int, language: String, lines: [String])?
        for (index, line) in lines(of: text).enumerated() {
            if line.hasPrefix("```") {
                if let block = open {
                    blocks.append(
                        FencedBlock(
                            document: document, line: block.line, language: block.language, source: source,
                            lines: block.lines))
                    (open, source) = (nil, nil)
                } else {
                    open = (index + 1, String(line.dropFirst(3)), [])
                }
            } else if open != nil {
                open?.lines.append(line)
            } else if line.hasPrefix("<!-- quoted: "), line.hasSuffix(" -->") {
                source = String(line.dropFirst("<!-- quoted: ".count).dropLast(" -->".count))
            } else if !line.isEmpty {
                source = nil
            }
        }
        return blocks
    }
}
