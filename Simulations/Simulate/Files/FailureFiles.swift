import Foundation
import Ports
import SimCore

/// Reads and writes failure files and the traces beside them.
enum FailureFiles {
    static let toolVersion = "0.1.0"
    /// Entries of a trace that are written; a longer run's tail can still be told apart by its hash.
    private static let traceEntryLimit = 500_000

    /// - Throws: ``UsageError`` that names what is wrong with the file.
    static func read(_ path: String) throws -> FailureFile {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw UsageError("cannot read '\(path)'; expected a failure file written by simulate run")
        }
        struct Header: Decodable {
            let format: Int
            let toolVersion: String
        }
        do {
            let header = try JSONDecoder().decode(Header.self, from: data)
            guard header.format == FailureFile.currentFormat else {
                throw UsageError(
                    "'\(path)' has format \(header.format); this version reads format \(FailureFile.currentFormat)")
            }
            guard header.toolVersion == toolVersion else {
                throw UsageError(
                    "'\(path)' was written by version \(header.toolVersion), and runs repeat within one version only; expected \(toolVersion)"
                )
            }
            let file = try JSONDecoder().decode(FailureFile.self, from: data)
            try check(file, at: path)
            return file
        } catch let error as UsageError {
            throw error
        } catch let error as DecodingError {
            throw UsageError("'\(path)' is not a failure file: \(describe(error))")
        }
    }

    /// Refuses numbers that no run has.
    private static func check(_ file: FailureFile, at path: String) throws {
        func refuse(_ what: String, _ value: some CustomStringConvertible, _ expected: String) -> UsageError {
            UsageError("'\(path)' has \(what) \(value); expected \(expected)")
        }
        let latest = FaultController.latestTime
        if case .priorities(let depth, let stepCount) = file.scheduling {
            let (depths, stepCounts) = (Scheduling.depthRange, Scheduling.stepCountRange)
            guard depths.contains(depth) else {
                throw refuse("scheduling priorities of depth", depth, "\(depths.lowerBound) to \(depths.upperBound)")
            }
            guard stepCounts.contains(stepCount) else {
                throw refuse(
                    "scheduling priorities among", "\(stepCount) steps",
                    "\(stepCounts.lowerBound) to \(stepCounts.upperBound)")
            }
        }
        guard file.timeLimit > .zero, file.timeLimit <= latest else {
            throw refuse("a time limit of", file.timeLimit, "more than none and at most \(latest)")
        }
        guard file.instantStepLimit > 0 else {
            throw refuse("a limit of steps at one instant of", file.instantStepLimit, "1 or more")
        }
        guard (.epoch)...(.epoch + latest) ~= file.start else {
            throw refuse("a start at", file.start, "one from \(Instant.epoch) to \(Instant.epoch + latest)")
        }
    }

    private static func describe(_ error: DecodingError) -> String {
        func path(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? "the document" : "'\(path)'"
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(path(context)) has no member '\(key.stringValue)'"
        case .typeMismatch(let type, let context): return "\(path(context)) is not of type \(type)"
        case .valueNotFound(let type, let context): return "\(path(context)) is null; expected \(type)"
        case .dataCorrupted(let context): return "\(path(context)): \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }

    /// Whether failure files can be written there, before there are any: a campaign of an hour is not to end in that line.
    static func checkDirectory(_ directory: String) throws {
        var url = URL(fileURLWithPath: directory).standardizedFileURL
        while !FileManager.default.fileExists(atPath: url.path), url.path != "/" { url.deleteLastPathComponent() }
        var isDirectory: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory)
        guard isDirectory.boolValue, FileManager.default.isWritableFile(atPath: url.path) else {
            throw unwritable(directory)
        }
    }

    private static func unwritable(_ directory: String) -> UsageError {
        UsageError("cannot write failure files into '\(directory)'; expected a directory that can be written to")
    }

    /// Writes a failure, and its trace beside it. Returns the failure file's path.
    static func write(
        _ file: FailureFile, trace: Trace?, directory: String
    ) throws -> String {
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw unwritable(directory)
        }
        let name = "\(file.scenario)-\(file.seed)"
        var file = file
        if let trace {
            file.traceFile = "\(name).trace.jsonl"
            try writeTrace(trace, to: "\(directory)/\(name).trace.jsonl")
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let path = "\(directory)/\(name).json"
        try write(try encoder.encode(file), to: path)
        return path
    }

    private static func write(_ data: Data, to path: String) throws {
        do {
            try data.write(to: URL(fileURLWithPath: path))
        } catch {
            throw UsageError("cannot write '\(path)'; expected a place that can be written to")
        }
    }

    static func writeTrace(_ trace: Trace, to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var data = Data()
        for entry in trace.entries.prefix(traceEntryLimit) {
            data.append(try encoder.encode(entry))
            data.append(UInt8(ascii: "\n"))
        }
        try write(data, to: path)
    }

    static func readTrace(_ path: String) throws -> Trace {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw UsageError("cannot read trace '\(path)', which its failure file names")
        }
        let decoder = JSONDecoder()
        let entries = try data.split(separator: UInt8(ascii: "\n")).enumerated().map { index, line in
            do {
                return try decoder.decode(TraceEntry.self, from: line)
            } catch {
                throw UsageError("line \(index + 1) of trace '\(path)' is not a trace entry")
            }
        }
        return Trace(entries: entries)
    }

    /// The commit that the working directory is at, for failure files; `unknown` outside a checkout.
    static var commit: String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "rev-parse", "--short", "HEAD"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return "unknown" }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return text.isEmpty ? "unknown" : text
    }
}
