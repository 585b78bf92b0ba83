import Foundation
import Ports
import SimCore

/// Reads and writes failure files.
enum FailureFiles {
    static let toolVersion = rehearsalVersion
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

    /// Writes a failure, and its trace beside it, under a name of its own: what another run has left there stays.
    ///
    /// - Parameter words: what the run was asked for beside scenario and seed.
    /// - Returns: the failure file's path.
    static func write(
        _ file: FailureFile, words: [String], trace: Trace?, directory: String
    ) throws -> String {
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw unwritable(directory)
        }
        let name = freeName(for: file, words: words, in: directory)
        var file = file
        if let trace {
            file.traceFile = "\(name).trace.jsonl"
            try TraceFiles.write(trace, to: "\(directory)/\(name).trace.jsonl")
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let path = "\(directory)/\(name).json"
        try write(try encoder.encode(file), to: path)
        return path
    }

    /// The first name that no other run has: scenario and seed, then eight digits that stand for the other words where there
    /// are any, then a number.
    private static func freeName(for file: FailureFile, words: [String], in directory: String) -> String {
        var base = "\(file.scenario)-\(file.seed)"
        if !words.isEmpty { base += "-\(hexadecimal(stableHash(words.joined(separator: "\0"))).prefix(8))" }
        var name = base
        var number = 1
        while !isFree("\(directory)/\(name).json", for: file) {
            number += 1
            name = "\(base)-\(number)"
        }
        return name
    }

    /// Whether nothing is there, or the same run, which may have been of another commit.
    private static func isFree(_ path: String, for file: FailureFile) -> Bool {
        guard FileManager.default.fileExists(atPath: path) else { return true }
        guard let data = FileManager.default.contents(atPath: path),
            var there = try? JSONDecoder().decode(FailureFile.self, from: data)
        else { return false }
        there.commit = file.commit
        there.traceFile = file.traceFile
        return there == file
    }

    static func write(_ data: Data, to path: String) throws {
        do {
            try data.write(to: URL(fileURLWithPath: path))
        } catch {
            throw UsageError("cannot write '\(path)'; expected a place that can be written to")
        }
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
