import Foundation
import Ports
import SimCore

/// `simulate history`: what clients of the simulated PostgreSQL saw, for checkers of isolation.
enum HistoryCommand: Command {
    static let name = "history"
    static let summary = "print what clients of the simulated PostgreSQL saw, as Jepsen's JSON"
    static let help = """
        simulate history --isolation LEVEL [--seed N] [--transactions M] [--sessions P] [--check]: runs random transactions
        that append to lists and read them against the simulated PostgreSQL, and prints their history in Jepsen's form,
        which Elle and its like read: one JSON object a line.

          --isolation LEVEL    \(levelNames)
          --seed N             draws transactions and timing; the same seed gives the same history (default 1)
          --transactions M     how many transactions, 1 to 1000000 (default 1000)
          --sessions P         how many at once, 1 to 90 (default 8)
          --check              look for anomalies too: the verdict goes to standard error, and the exit code is 1 when
                               PostgreSQL forbids what was found
        """

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let level = try takeLevel(&arguments)
        let seed = try takeSeed(&arguments)
        var workload = ListAppendWorkload(
            isolation: level, transactionCount: try arguments.takeInteger("--transactions", in: 1...1_000_000) ?? 1_000)
        if let sessionCount = try arguments.takeInteger("--sessions", in: 1...90) {
            workload.sessionCount = sessionCount
        }
        let isChecked = arguments.takeFlag("--check")
        try arguments.finish()
        let history = try workload.historyOnSimulatedPostgres(seed: seed)
        write(history)
        guard isChecked else { return .held }
        let verdict = try IsolationVerdict(history, at: level)
        StandardError.write("\(verdict)\n")
        return verdict.held ? .held : .violated
    }

    private static let levelNames = IsolationLevel.allCases.map(name).joined(separator: ", ")

    /// The level as one word of a command line: `read-committed`.
    private static func name(_ level: IsolationLevel) -> String {
        level.rawValue.replacingOccurrences(of: " ", with: "-")
    }

    private static func takeLevel(_ arguments: inout Arguments) throws -> IsolationLevel {
        guard let text = try arguments.takeValue("--isolation") else {
            throw UsageError("--isolation is missing; expected one of \(levelNames)")
        }
        guard let level = IsolationLevel.allCases.first(where: { name($0) == text || $0.rawValue == text }) else {
            throw UsageError("--isolation is '\(text)'; expected one of \(levelNames)")
        }
        return level
    }

    private static func takeSeed(_ arguments: inout Arguments) throws -> UInt64 {
        guard let text = try arguments.takeValue("--seed") else { return 1 }
        guard let seed = UInt64(text) else {
            throw UsageError("--seed is '\(text)'; expected a whole number from 0 to \(UInt64.max)")
        }
        return seed
    }

    /// In pieces, since a line each would be a system call each.
    private static func write(_ history: History) {
        var text = ""
        for operation in history.operations {
            text += operation.jsonLine
            text += "\n"
            if text.utf8.count > 1 << 16 {
                StandardOutput.write(text)
                text.removeAll(keepingCapacity: true)
            }
        }
        StandardOutput.write(text)
    }
}
