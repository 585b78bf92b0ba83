import SimCore

/// `simulate scenarios`: what can be run.
enum ScenariosCommand: Command {
    static let name = "scenarios"
    static let summary = "list the scenarios"
    static let help = """
        simulate scenarios [--json]: lists every scenario with its options, what each takes, and what holds without it. They
        are given with --option NAME=VALUE, `orders` and `workload` also with --orders and --workload.
        """

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let isJSON = arguments.takeFlag("--json")
        try arguments.finish()
        var shown: (name: String, options: [ScenarioOption])?
        for entry in ScenarioCatalogue.entries {
            if isJSON {
                JSONLine.print([
                    "name": entry.name, "summary": entry.summary, "options": JSONLine.object(entry.options),
                ])
                continue
            }
            StandardOutput.print("\(entry.name): \(entry.summary)")
            // The shop's scenarios have the same ones, with a long list among them.
            if let shown, shown.options == entry.options {
                StandardOutput.print("    the options of \(shown.name)")
            } else {
                entry.options.forEach(printText)
                shown = (entry.name, entry.options)
            }
        }
        return .held
    }

    private static func printText(_ option: ScenarioOption) {
        StandardOutput.print("    \(option.name) = \(option.default): \(option.summary)")
        let values = option.choices.map { "one of \($0.joined(separator: ", "))" } ?? option.takes ?? ""
        for line in values.wrapped(to: 110) { StandardOutput.print("        \(line)") }
    }
}

/// `simulate faults`: the catalogue.
enum FaultsCommand: Command {
    static let name = "faults"
    static let summary = "list the fault kinds with their parameters"
    static let help = """
        simulate faults [--scenario NAME] [--json]: lists the fault kinds that a scenario knows, with parameters, units,
        defaults and ranges.
        """

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let isJSON = arguments.takeFlag("--json")
        let scenarioName = try arguments.takeValue("--scenario") ?? RunOptions.defaultScenario
        try arguments.finish()
        let simulation = Simulation(seed: 0)
        _ = try ScenarioCatalogue.make(scenarioName, ScenarioOptions()).setUp(simulation)
        for kind in simulation.faults.kinds {
            if isJSON {
                var object: [String: Any] = [
                    "name": kind.name, "summary": kind.summary,
                    "parameters": kind.parameters.map {
                        [
                            "name": $0.name, "unit": $0.unit, "default": $0.defaultValue,
                            "minimum": $0.range.lowerBound, "maximum": $0.range.upperBound,
                        ] as [String: Any]
                    },
                ]
                if let range = kind.durationRange {
                    object["lasts"] = ["\(range.lowerBound)", "\(range.upperBound)"]
                }
                JSONLine.print(object)
                continue
            }
            let lasts = kind.durationRange.map { " (lasts \($0.lowerBound) to \($0.upperBound))" } ?? ""
            StandardOutput.print("\(kind.name): \(kind.summary)\(lasts)")
            for parameter in kind.parameters {
                StandardOutput.print(
                    "    \(parameter.name) = \(parameter.defaultValue) \(parameter.unit) (\(parameter.range.lowerBound) to \(parameter.range.upperBound))"
                )
            }
        }
        return .held
    }
}
