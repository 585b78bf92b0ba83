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
