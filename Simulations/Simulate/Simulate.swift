import Foundation

/// The `simulate` command: the testbed from the command line.
@main
enum Simulate {
    static let commands: [any (Command & Sendable).Type] = [
        RunCommand.self, ReplayCommand.self, MergeCommand.self, BugsCommand.self, BenchCommand.self,
        HistoryCommand.self, ScenariosCommand.self, FaultsCommand.self, FidelityCommand.self,
    ]

    static func main() {
        exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    static func run(_ words: [String]) -> ExitCode {
        do {
            if ["--help", "-h", "help"].contains(words.first) {
                print(helpText)
                return .held
            }
            // Without a command it is `run`, in what it does and in its help.
            let words = words.first.map { !$0.hasPrefix("-") } ?? false ? words : [RunCommand.name] + words
            let name = words[0]
            guard let command = commands.first(where: { $0.name == name }) else {
                throw UsageError(
                    "unknown command '\(name)'; expected one of \(commands.map { $0.name }.joined(separator: ", "))")
            }
            if words.contains("--help") || words.contains("-h") {
                print(command.help)
                return .held
            }
            return try command.run(Arguments(Array(words.dropFirst())))
        } catch {
            StandardError.print("\(error)")
            return .wrongUsage
        }
    }

    static var helpText: String {
        let lines = commands.map { "  \($0.name.padding(toLength: 11, withPad: " ", startingAt: 0))\($0.summary)" }
        return """
            simulate: runs distributed systems under every fault that they are known for, deterministically.

            Usage: simulate [COMMAND] [OPTIONS]
            Without a command: a campaign with faults on (the same as `simulate run`).

            \(lines.joined(separator: "\n"))

            Every command has --help. Commands that report take --json: one object a line.

            Exit codes: 0 held, 1 a property was violated, 2 wrong usage, 3 not deterministic,
            4 a fault never took effect, 5 a liveness bound was missed.
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
}
