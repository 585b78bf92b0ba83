import Examples
import Ports
import SimCore
import Testbed
import Workloads

/// Options of a scenario that are not the kernel's, by name, as they stand on the command line and in failure files.
struct ScenarioOptions: Sendable {
    var values: [String: String] = [:]

    /// Takes a whole number.
    func integer(_ name: String, default defaultValue: Int, in range: ClosedRange<Int>) throws -> Int {
        guard let text = values[name] else { return defaultValue }
        guard let value = Int(text), range.contains(value) else {
            throw UsageError("option \(name) is '\(text)'; expected \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// Takes `yes` or `no`.
    func flag(_ name: String, default defaultValue: Bool) throws -> Bool {
        switch values[name] {
        case nil: return defaultValue
        case "yes": return true
        case "no": return false
        case let text?: throw UsageError("option \(name) is '\(text)'; expected yes or no")
        }
    }

    /// Takes one of the names of an enumeration.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, default defaultValue: Choice
    ) throws -> Choice {
        guard let text = values[name] else { return defaultValue }
        guard let value = Choice(rawValue: text) else {
            let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw UsageError("option \(name) is '\(text)'; expected one of \(known)")
        }
        return value
    }
}

/// Every scenario that the tool knows.
enum ScenarioCatalogue {
    struct Entry: Sendable {
        let name: String
        let summary: String
        /// Options that it understands.
        let options: [String]
        let make: @Sendable (ScenarioOptions) throws -> Scenario
    }

    static let entries: [Entry] =
        ShopScenarios.entries.map { entry in
            Entry(
                name: entry.name, summary: entry.summary,
                options: ["orders", "workload", "bug", "cdc", "arrivals-per-second", "archive-after-seconds"],
                make: { ShopScenarios.make(entry, try shopOptions($0)) })
        } + [
            Entry(
                name: "primary-backup",
                summary: "replication of a log to a backup that acknowledges too early (the example)",
                options: ["careful"],
                make: { PrimaryBackup(isBackupCareless: !(try $0.flag("careful", default: false))).scenario }),
            Entry(
                name: "retrying-counter",
                summary: "a counter whose client asks again when no answer comes (the smallest example)",
                options: ["remembers"],
                make: { retryingCounter(remembersRequests: try $0.flag("remembers", default: false)) }),
            Entry(
                name: "misbehaviour",
                summary: "code that does what simulated code must not, to see how it is reported",
                options: ["mistake"],
                make: { try $0.choice("mistake", default: Misbehaviour.propertyThrows).scenario }),
        ]

    private static func shopOptions(_ options: ScenarioOptions) throws -> ShopOptions {
        var shop: ShopOptions
        if let path = options.values["workload"] {
            do {
                shop = ShopOptions(log: try PurchaseLog(contentsOf: path))
            } catch let error as PurchaseLogError {
                throw UsageError("workload '\(path)', \(error)")
            } catch {
                throw UsageError("cannot read workload '\(path)'; expected a purchase log")
            }
        } else {
            shop = ShopOptions(log: try bundledLog.get())
        }
        shop.orderCount = try options.integer("orders", default: shop.orderCount, in: 1...100_000_000)
        shop.publisher = try options.choice("cdc", default: shop.publisher)
        if options.values["arrivals-per-second"] != nil {
            shop.arrivalsPerSecond = try options.integer("arrivals-per-second", default: 10, in: 1...1_000_000)
        }
        if options.values["archive-after-seconds"] != nil {
            shop.archiveRetention = .seconds(
                Int64(try options.integer("archive-after-seconds", default: 60, in: 1...1_000_000)))
        }
        if let bug = options.values["bug"] { try ShopBugs.plant(bug, into: &shop) }
        return shop
    }

    private static let bundledLog = Result { try PurchaseLog.bundled() }

    static func make(_ name: String, _ options: ScenarioOptions) throws -> Scenario {
        guard let entry = entries.first(where: { $0.name == name }) else {
            throw UsageError("unknown scenario '\(name)'; there are \(entries.map(\.name).joined(separator: ", "))")
        }
        for option in options.values.keys.sorted() where !entry.options.contains(option) {
            throw UsageError(
                "scenario '\(name)' has no option '\(option)'; it has \(entry.options.joined(separator: ", "))")
        }
        return try entry.make(options)
    }
}
