import Foundation
import SimCore
import Testing

@testable import simulate

@Suite("Help, and what a command exits with")
struct HelpTests {
    @Test("Wherever --help stands among the words, help is printed and nothing is run", arguments: ["--help", "-h"])
    func helpAnywhere(word: String) throws {
        let run = try SimulateCommand.run(["run", word]).output
        #expect(run.hasPrefix("simulate run [OPTIONS]: "))
        for words in [["--seeds", "1..2", word], ["run", word, "--seeds", "9..1"], ["--json", word]] {
            let outcome = try SimulateCommand.run(words)
            #expect(outcome.status == 0 && outcome.errors.isEmpty)
            #expect(outcome.output == run)
        }
        #expect(try SimulateCommand.run(["replay", "--seed", "1", word]).output.hasPrefix("simulate replay FILE"))
        #expect(try SimulateCommand.run([word]).output.contains("Usage: simulate [COMMAND] [OPTIONS]\n"))
        let unknown = try SimulateCommand.run(["fly", word])
        #expect(unknown.status == 2)
        #expect(unknown.errors.hasPrefix("simulate: unknown command 'fly'; "))
    }

    @Test("Every command has its help")
    func everyCommand() throws {
        for command in Simulate.commands {
            let outcome = try SimulateCommand.run([command.name, "--help"])
            #expect(outcome.status == 0)
            #expect(outcome.output.hasPrefix("simulate \(command.name)"))
        }
    }

    @Test("Wherever --version stands among the words, the version is printed and nothing is run")
    func version() throws {
        for words in [["--version"]] + Simulate.commands.map({ [$0.name, "--json", "--version"] }) {
            let outcome = try SimulateCommand.run(words)
            #expect(outcome.status == 0 && outcome.errors.isEmpty)
            #expect(outcome.output == "simulate 0.1.0\n")
        }
        #expect(try SimulateCommand.run(["--help"]).output.contains("--version"))
        for command in Simulate.commands {
            #expect(try SimulateCommand.run([command.name, "--help"]).output.contains("--version"))
        }
    }

    @Test("Every exit code that the command has is in its help")
    func exitCodes() throws {
        let help = try SimulateCommand.run(["--help"]).output
        let text = try #require(help.range(of: "Exit codes:")).upperBound
        let codes: [ExitCode] = [
            .held, .violated, .wrongUsage, .notDeterministic, .faultWithoutEffect, .livenessMissed, .outputLost,
            .interrupted,
        ]
        let named = help[text...].split { " ,\n".contains($0) }
        for code in codes { #expect(named.contains("\(code.rawValue)"), "\(code)") }
    }

    @Test("The scenarios are listed with their options, what each takes, and what holds without it")
    func scenarioOptions() throws {
        let text = try SimulateCommand.run(["scenarios"]).output
        #expect(
            text.contains("\n    orders = 100: how many orders are placed\n        a whole number, 1 to 100000000\n"))
        #expect(text.contains("\n    cdc = relay: what publishes the outboxes\n        one of relay, debezium\n"))
        #expect(text.contains("\n    careful = no: "))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
        struct Listed: Decodable {
            struct Option: Decodable {
                let name: String
                let summary: String
                let `default`: String
                let choices: [String]?
                let takes: String?
            }
            let name: String
            let options: [Option]
        }
        for line in try SimulateCommand.run(["scenarios", "--json"]).output.split(separator: "\n") {
            let scenario = try JSONDecoder().decode(Listed.self, from: Data(line.utf8))
            for option in scenario.options {
                #expect((option.choices == nil) != (option.takes == nil) && !option.summary.isEmpty)
                // The first choice is taken, and what is none is refused with the list.
                guard let choice = option.choices?.first else { continue }
                _ = try ScenarioCatalogue.make(scenario.name, ScenarioOptions(values: [option.name: choice]))
                #expect(throws: (any Error).self) {
                    try ScenarioCatalogue.make(scenario.name, ScenarioOptions(values: [option.name: "nonsense"]))
                }
            }
        }
    }

    @Test("A benchmark whose run does not hold is a violation, not wrong usage")
    func failedBenchmark() throws {
        let broken = Benchmark(name: "broken", operationCount: 1) {
            let simulation = Simulation(seed: 1)
            simulation.properties.always("never") { .violated("it is what it is") }
            return simulation.run { _ in }
        }
        #expect(try BenchCommand.measure([broken], repeats: 1, isJSON: true) == .violated)
    }

    @Test("A word that is printed for a shell is read back as it was")
    func quoting() throws {
        #expect(shellQuoted("--option=a/b.c,d_e") == "--option=a/b.c,d_e")
        for word in ["", "two words", "it's", "$HOME", "a;b", "`c`", "*", "\"q\"", "back\\slash", "ü", "a\nb", "'"] {
            let outcome = try SimulateCommand.run(["-c", "printf %s \(shellQuoted(word))"], program: "/bin/sh")
            #expect(outcome.output == word)
        }
    }
}
