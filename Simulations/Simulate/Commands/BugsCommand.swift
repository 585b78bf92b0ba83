import Domain
import Foundation
import SimCore
import Testbed

/// `simulate bugs`: plants each known mistake and looks for it, as proof that the testbed finds something.
enum BugsCommand: Command {
    static let name = "bugs"
    static let summary = "plant known mistakes in the protocol and find each of them"
    static let help = """
        simulate bugs [OPTIONS]: plants one mistake after the other in the shop, and runs seeds from 1 on until a property
        fails.

          --only NAME[,..]     these mistakes only
          --cpu-seconds N      how long each is looked for (default 60)
          --json               print one JSON object a line
          --markdown           print two tables: what found each mistake, and what each property found

        Exit codes: 0 every mistake was found, 1 one was not, 2 wrong usage.
        """

    /// What the search for one mistake came to.
    private struct Finding {
        let bug: ShopBug
        /// The seed that found it; `nil` when none did.
        var seed: UInt64?
        var seedCount: UInt64 = 0
        var cpuSeconds = 0.0
        var violation: SimCore.Violation?
        /// Every property that failed in the run that found it, the first one first.
        var properties: [String] = []

        var replay: String? {
            seed.map {
                "simulate replay --scenario \(bug.scenario) --seed \($0) --orders \(bug.orderCount) --option bug=\(bug.name)"
            }
        }
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let isJSON = arguments.takeFlag("--json")
        let isMarkdown = arguments.takeFlag("--markdown")
        if isJSON && isMarkdown { throw UsageError("--json and --markdown are both given; expected one of them") }
        let limit = try arguments.takeInteger("--cpu-seconds", in: 1...86_400) ?? 60
        let bugs = try chosen(try arguments.takeValue("--only"))
        try arguments.finish()
        let isText = !isJSON && !isMarkdown
        if isText { StandardOutput.print("\(pad("mistake", 38))\(pad("found by", 18))\(pad("seeds", 7))CPU s") }
        var findings: [Finding] = []
        for bug in bugs {
            let finding = try search(bug, cpuSeconds: Double(limit))
            if isJSON { printJSON(finding) } else if isText { printText(finding) }
            findings.append(finding)
        }
        if isText { printProperties(findings) }
        if isMarkdown { printMarkdown(findings) }
        return findings.allSatisfy { $0.seed != nil } ? .held : .violated
    }

    private static func chosen(_ list: String?) throws -> [ShopBug] {
        guard let list else { return ShopBugs.all }
        guard list.contains(where: { $0 != "," }) else { throw UsageError("--only is '\(list)'; expected NAME[,..]") }
        return try list.split(separator: ",").map { name in
            guard let bug = ShopBugs.all.first(where: { $0.name == name }) else {
                throw UsageError("unknown bug '\(name)'; known are \(ShopBugs.all.map(\.name).joined(separator: ", "))")
            }
            return bug
        }
    }

    private static func search(_ bug: ShopBug, cpuSeconds limit: Double) throws -> Finding {
        var words: Arguments = Arguments([
            "--scenario", bug.scenario, "--orders", String(bug.orderCount), "--option", "bug=\(bug.name)",
        ])
        let options = try RunOptions(&words)
        let scenario = try ScenarioCatalogue.make(options.scenarioName, options.options)
        var finding = Finding(bug: bug)
        let start = Stopwatch.cpuSeconds()
        while finding.seed == nil, finding.cpuSeconds < limit {
            finding.seedCount += 1
            let report = try scenario.run(options.settings(seed: finding.seedCount))
            finding.cpuSeconds = Stopwatch.cpuSeconds() - start
            guard let violation = report.run.violations.first else { continue }
            finding.seed = finding.seedCount
            finding.violation = violation
            let first = ShopProperty(of: violation)?.rawValue ?? violation.kind.rawValue
            let others = ShopProperty.allCases.map(\.rawValue).filter { name in
                name != first && report.figures.contains { $0.name == "violations of \(name)" }
            }
            finding.properties = [first] + others
        }
        return finding
    }

    // MARK: Output

    private static func pad(_ text: String, _ width: Int) -> String {
        text.padded(to: max(width, text.count + 1))
    }

    private static func printText(_ finding: Finding) {
        let seconds = String(format: "%.1f", finding.cpuSeconds)
        let property = finding.properties.isEmpty ? "NOT FOUND" : finding.properties.joined(separator: ", ")
        StandardOutput.print(
            "\(pad(finding.bug.name, 38))\(pad(property, 18))\(pad(String(finding.seedCount), 7))\(seconds)")
        if let violation = finding.violation {
            let text = violation.message
            StandardOutput.print("    \(text.count > 200 ? text.prefix(200) + " ..." : text)")
        }
        if let replay = finding.replay { StandardOutput.print("    \(replay)") }
    }

    private static func printJSON(_ finding: Finding) {
        var object: [String: Any] = [
            "bug": finding.bug.name, "summary": finding.bug.summary, "scenario": finding.bug.scenario,
            "orders": finding.bug.orderCount, "seeds": finding.seedCount, "cpu_seconds": finding.cpuSeconds,
            "found": finding.seed != nil, "properties": finding.properties,
        ]
        if let seed = finding.seed { object["seed"] = seed }
        if let violation = finding.violation { object["violation"] = violation.message }
        if let replay = finding.replay { object["replay"] = replay }
        JSONLine.print(object)
    }

    private static func printMarkdown(_ findings: [Finding]) {
        StandardOutput.print("| mistake | scenario, orders | found by | seeds | CPU seconds |\n|-|-|-|-|-|")
        for finding in findings {
            let by = finding.properties.isEmpty ? "**not found**" : finding.properties.joined(separator: ", ")
            let place = "\(finding.bug.scenario), \(finding.bug.orderCount)"
            let seconds = String(format: "%.1f", finding.cpuSeconds)
            StandardOutput.print("| `\(finding.bug.name)` | \(place) | \(by) | \(finding.seedCount) | \(seconds) |")
        }
        StandardOutput.print("\n| property | failed on |\n|-|-|")
        for property in ShopProperty.allCases {
            let names = findings.filter { $0.properties.contains(property.rawValue) }.map { "`\($0.bug.name)`" }
            StandardOutput.print(
                "| \(property.rawValue) | \(names.isEmpty ? "none of these" : names.joined(separator: ", ")) |"
            )
        }
    }

    /// Which mistakes each property noticed; one that noticed none is not known to work.
    private static func printProperties(_ findings: [Finding]) {
        StandardOutput.print("")
        for property in ShopProperty.allCases {
            let names = findings.filter { $0.properties.contains(property.rawValue) }.map(\.bug.name)
            let text = names.isEmpty ? "failed on none of these" : names.joined(separator: ", ")
            StandardOutput.print("\(pad(property.rawValue, 18))\(text)")
        }
    }
}
