import Foundation
import Ports
import SimCore

/// The `simulate` command: the testbed from the command line.
@main
enum Simulate {
    static let commands: [any (Command & Sendable).Type] = [
        RunCommand.self, ReplayCommand.self, MergeCommand.self, BugsCommand.self, BenchCommand.self,
        HistoryCommand.self, ScenariosCommand.self, FaultsCommand.self, FidelityCommand.self,
    ]

    static func main() {
        let code = run(Array(CommandLine.arguments.dropFirst()))
        guard let failure = StandardOutput.failure else { exit(code.rawValue) }
        StandardError.print("the output could not be written: \(failure)")
        exit(ExitCode.outputLost.rawValue)
    }

    static func run(_ words: [String]) -> ExitCode {
        do {
            switch words.first {
            case "--help", "-h", "help":
                StandardOutput.print(helpText)
                return .held
            case "--version":
                StandardOutput.print(version)
                return .held
            default: break
            }
            // Without a command it is `run`, in what it does and in its help.
            let words = words.first.map { !$0.hasPrefix("-") } ?? false ? words : [RunCommand.name] + words
            let name = words[0]
            guard let command = commands.first(where: { $0.name == name }) else {
                throw UsageError(
                    "unknown command '\(name)'; expected one of \(commands.map { $0.name }.joined(separator: ", "))")
            }
            if words.contains("--help") || words.contains("-h") {
                StandardOutput.print("\(command.help)\n\n\(everyCommand)")
                return .held
            }
            if words.contains("--version") {
                StandardOutput.print(version)
                return .held
            }
            return try command.run(Arguments(Array(words.dropFirst())))
        } catch {
            StandardError.print("\(error)")
            return .wrongUsage
        }
    }

    static let version = "simulate \(rehearsalVersion)"

    /// What stands below the help of every command.
    private static let everyCommand = """
        Every command takes --help and --version, and ends with exit code 6 when its output could not be written.
        """

    static var helpText: String {
        let lines = commands.map { "  \($0.name.padded(to: 11))\($0.summary)" }
        return """
            simulate: runs distributed systems under every fault that they are known for, deterministically.

            Usage: simulate [COMMAND] [OPTIONS]
            Without a command: a campaign with faults on (the same as `simulate run`).

            \(lines.joined(separator: "\n"))

            Every command has --help; --version says which version this is. Commands that report take --json: one object a
            line.

            Exit codes: 0 held, 1 a property was violated, 2 wrong usage, 3 not deterministic,
            4 a fault never took effect, 5 a liveness bound was missed, 6 the output could not be written (whatever it
            would have said), 130 interrupted before the end, and nothing had failed until then.
            """
    }
}

/// A subcommand.
protocol Command {
    static var name: String { get }
    static var summary: String { get }
    static var help: String { get }
    static func run(_ arguments: Arguments) throws -> ExitCode
}

/// What the process exits with.
enum ExitCode: Int32 {
    case held = 0
    case violated = 1
    case wrongUsage = 2
    case notDeterministic = 3
    case faultWithoutEffect = 4
    case livenessMissed = 5
    /// Standard output is full or closed: nobody has seen what else there was to say.
    case outputLost = 6
    /// As a shell has it for a command that SIGINT has ended.
    case interrupted = 130

    /// What a run's violations come to: a liveness bound was missed only when nothing worse happened in any of them.
    init(_ violations: [SimCore.Violation]) {
        let isSafe = violations.allSatisfy { $0.kind == .liveness || $0.kind == .timeLimit }
        self = violations.isEmpty ? .held : isSafe ? .livenessMissed : .violated
    }
}
