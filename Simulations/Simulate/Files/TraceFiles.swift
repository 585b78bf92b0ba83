import Foundation
import SimCore

/// Reads and writes traces: one event a line.
enum TraceFiles {
    /// Entries of a trace that are written; a longer run's tail can still be told apart by its hash.
    private static let entryLimit = 500_000

    /// - Throws: ``UsageError`` when it cannot be written there.
    static func write(_ trace: Trace, to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var data = Data()
        for entry in trace.entries.prefix(entryLimit) {
            data.append(try encoder.encode(entry))
            data.append(UInt8(ascii: "\n"))
        }
        try FailureFiles.write(data, to: path)
    }

    /// - Throws: ``UsageError`` that says what is wrong with the file, and where.
    static func read(_ path: String) throws -> Trace {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw UsageError("the recorded trace '\(path)' cannot be read")
        }
        let decoder = JSONDecoder()
        var entries: [TraceEntry] = []
        for (index, line) in data.split(separator: UInt8(ascii: "\n")).enumerated() {
            guard let entry = try? decoder.decode(TraceEntry.self, from: line) else {
                throw UsageError("line \(index + 1) of the recorded trace '\(path)' is not a trace entry")
            }
            guard entry.step == UInt64(index + 1) else {
                throw UsageError(
                    "line \(index + 1) of the recorded trace '\(path)' is event #\(entry.step), and not #\(index + 1)")
            }
            entries.append(entry)
        }
        guard !entries.isEmpty else { throw UsageError("the recorded trace '\(path)' is empty") }
        return Trace(entries: entries)
    }
}
