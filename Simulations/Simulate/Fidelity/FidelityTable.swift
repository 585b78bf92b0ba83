import Foundation

/// What the contract suite found on simulated and on real servers: docs/fidelity.json, which the suite itself writes.
struct FidelityTable: Decodable {
    struct Outcome: Decodable {
        let holds: Bool
        /// What was found instead, when the rule did not hold.
        let found: String?
        let versions: String?
        let date: String
    }

    struct Rule: Decodable {
        let id: String
        let area: String
        let rule: String
        let simulated: Outcome?
        let real: Outcome?

        /// Whether both worlds showed the same; `nil` while one of them was not asked.
        var isSame: Bool? {
            guard let simulated, let real else { return nil }
            return simulated.holds == real.holds
        }
    }

    /// A fact about the real system that the simulated one does not have, or that no case shows.
    struct Limit: Decodable {
        let area: String
        let rule: String
        let isModelled: Bool
        let why: String
    }

    var cases: [Rule]
    var limits: [Limit]

    /// - Throws: ``UsageError`` that names the file and what is wrong with it.
    init(contentsOf path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw UsageError(
                "cannot read '\(path)'; expected the table that the contract suite writes, docs/fidelity.json")
        }
        do {
            self = try JSONDecoder().decode(FidelityTable.self, from: data)
        } catch {
            throw UsageError("'\(path)' is not a fidelity table: \(Self.reason(error))")
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .keyNotFound(let key, let context):
            "\(place(context)) has no '\(key.stringValue)'"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\(place(context)): \(context.debugDescription)"
        default: "it is not JSON"
        }
    }

    private static func place(_ context: DecodingError.Context) -> String {
        let path = context.codingPath.map { $0.intValue.map { "\($0)" } ?? $0.stringValue }
        return path.isEmpty ? "the document" : path.joined(separator: "/")
    }

    /// Where the table is: in the repository that this program was built from, or in the one that it is called in.
    static func locate() throws -> String {
        let name = "docs/fidelity.json"
        var folders = [URL(fileURLWithPath: #filePath)]
        folders.append(URL(fileURLWithPath: FileManager.default.currentDirectoryPath).appendingPathComponent("."))
        for start in folders {
            var folder = start.deletingLastPathComponent()
            while true {
                let candidate = folder.appendingPathComponent(name).path
                if FileManager.default.fileExists(atPath: candidate) { return candidate }
                let parent = folder.deletingLastPathComponent()
                if parent.path == folder.path { break }
                folder = parent
            }
        }
        throw UsageError(
            "there is no \(name) in the repository that this was built from, nor here; name one with --file")
    }
}
