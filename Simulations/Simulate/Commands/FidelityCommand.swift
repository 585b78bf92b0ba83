import Foundation

/// `simulate fidelity`: whether the simulated parts behave as the real ones do.
enum FidelityCommand: Command {
    static let name = "fidelity"
    static let summary = "list each rule of Kafka, PostgreSQL and Debezium with what both worlds showed"
    static let help = """
        simulate fidelity [--area NAME] [--differences] [--file PATH] [--json]: prints each rule of the real systems that the
        contract suite checks, with what the simulated and the real one showed, whether that is the same, and the date and
        versions of the real run; then what is not modelled, or has no case. Nothing is run: it is what the suite wrote to
        docs/fidelity.json.

          --area NAME      only this area: \(areas.joined(separator: ", "))
          --differences    only rules that are not the same, or not known to be
          --file PATH      another table

        Exit codes: 0 everything that both worlds were asked is the same, 1 something differs, 2 wrong usage.
        """

    private static let areas = ["debezium", "http", "kafka", "postgres"]

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let isJSON = arguments.takeFlag("--json")
        let showsDifferencesOnly = arguments.takeFlag("--differences")
        let area = try arguments.takeValue("--area")
        if let area, !areas.contains(area) {
            throw UsageError("--area is '\(area)'; expected one of \(areas.joined(separator: ", "))")
        }
        let file = try arguments.takeValue("--file")
        try arguments.finish()
        var table = try FidelityTable(contentsOf: try file ?? FidelityTable.locate())
        if let area {
            table.cases.removeAll { $0.area != area }
            table.limits.removeAll { $0.area != area }
        }
        let shown = showsDifferencesOnly ? table.cases.filter { $0.isSame != true } : table.cases
        if isJSON {
            shown.forEach(printJSON)
            table.limits.forEach(printJSON)
            printSummaryJSON(table)
        } else {
            printText(shown, table)
        }
        return table.cases.contains { $0.isSame == false } ? .violated : .held
    }

    // MARK: For people

    private static func printText(_ shown: [FidelityTable.Rule], _ table: FidelityTable) {
        if !shown.isEmpty {
            StandardOutput.print(row("same", "simulated", "real", "date", "versions", "rule"))
            for rule in shown {
                let same = rule.isSame.map { $0 ? "yes" : "NO" } ?? "?"
                StandardOutput.print(
                    row(
                        same, word(rule.simulated), word(rule.real), rule.real?.date ?? "-", rule.real?.versions ?? "-",
                        "\(rule.rule) [\(rule.id)]"))
                for (world, outcome) in [("simulated", rule.simulated), ("real", rule.real)] {
                    if let found = outcome?.found { StandardOutput.print("      \(world): \(found)") }
                }
            }
            StandardOutput.print("")
        }
        if !table.limits.isEmpty {
            StandardOutput.print("Not modelled, or without a case:")
            for limit in table.limits {
                let status = limit.isModelled ? "no case" : "not modelled"
                StandardOutput.print("  \(limit.area), \(status): \(limit.rule) (\(limit.why))")
            }
            StandardOutput.print("")
        }
        for area in areas where table.cases.contains(where: { $0.area == area }) {
            StandardOutput.print(count(area, table.cases.filter { $0.area == area }))
        }
        StandardOutput.print(count("all", table.cases))
    }

    private static func row(
        _ same: String, _ simulated: String, _ real: String, _ date: String, _ versions: String, _ rule: String
    ) -> String {
        [
            same.padded(to: 4), simulated.padded(to: 9), real.padded(to: 7), date.padded(to: 10),
            versions.padded(to: 16), rule,
        ].joined(separator: "  ")
    }

    private static func word(_ outcome: FidelityTable.Outcome?) -> String {
        outcome.map { $0.holds ? "holds" : "FAILS" } ?? "not run"
    }

    private static func count(_ name: String, _ rules: [FidelityTable.Rule]) -> String {
        let same = rules.count { $0.isSame == true }
        let different = rules.count { $0.isSame == false }
        return "\(name): \(rules.count) rules, \(same) the same, \(different) different, "
            + "\(rules.count - same - different) not run in both worlds"
    }

    // MARK: For machines

    private static func printJSON(_ rule: FidelityTable.Rule) {
        var object: [String: Any] = [
            "id": rule.id, "area": rule.area, "rule": rule.rule, "simulated": status(rule.simulated),
            "real": status(rule.real), "same": rule.isSame ?? NSNull() as Any,
        ]
        object["date"] = rule.real?.date
        object["versions"] = rule.real?.versions
        object["simulated_found"] = rule.simulated?.found
        object["real_found"] = rule.real?.found
        JSONLine.print(object)
    }

    private static func status(_ outcome: FidelityTable.Outcome?) -> String {
        outcome.map { $0.holds ? "holds" : "fails" } ?? "not run"
    }

    private static func printJSON(_ limit: FidelityTable.Limit) {
        JSONLine.print([
            "area": limit.area, "rule": limit.rule, "limit": limit.isModelled ? "no case" : "not modelled",
            "why": limit.why,
        ])
    }

    private static func printSummaryJSON(_ table: FidelityTable) {
        JSONLine.print([
            "rules": table.cases.count, "same": table.cases.count { $0.isSame == true },
            "different": table.cases.count { $0.isSame == false },
            "not_run": table.cases.count { $0.isSame == nil }, "limits": table.limits.count,
        ])
    }
}
