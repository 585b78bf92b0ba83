import SimCore

/// `simulate scenarios`: what can be run.
enum ScenariosCommand: Command {
    static let name = "scenarios"
    static let summary = "list the scenarios"
    static let help = "simulate scenarios [--json]: lists every scenario with its options."

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let isJSON = arguments.takeFlag("--json")
        try arguments.finish()
        for entry in ScenarioCatalogue.entries {
            if isJSON {
                JSONLine.print(["name": entry.name, "summary": entry.summary, "options": entry.options])
            } else {
                print("\(entry.name): \(entry.summary)")
                if !entry.options.isEmpty { print("  options: \(entry.options.joined(separator: ", "))") }
            }
        }
        return .held
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
            print("\(kind.name): \(kind.summary)\(lasts)")
            for parameter in kind.parameters {
                print(
                    "    \(parameter.name) = \(parameter.defaultValue) \(parameter.unit) (\(parameter.range.lowerBound) to \(parameter.range.upperBound))"
                )
            }
        }
        return .held
    }
}
