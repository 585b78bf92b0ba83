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

/// One option of a scenario, for whoever wants to know what there is.
struct ScenarioOption: Encodable, Hashable, Sendable {
    let name: String
    let summary: String
    /// What it takes, in words; `nil` where there are ``choices``.
    var takes: String?
    /// The names that it takes.
    var choices: [String]?
    /// What holds when it is not given.
    let `default`: String

    /// One that is `yes` or `no`.
    static func flag(_ name: String, default: Bool, _ summary: String) -> ScenarioOption {
        ScenarioOption(name: name, summary: summary, choices: ["yes", "no"], default: `default` ? "yes" : "no")
    }

    /// One that is a name of an enumeration.
    static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, default: Choice, _ summary: String
    ) -> ScenarioOption {
        ScenarioOption(
            name: name, summary: summary, choices: Choice.allCases.map(\.rawValue),
            default: `default`.rawValue)
    }
}

/// Every scenario that the tool knows.
enum ScenarioCatalogue {
    struct Entry: Sendable {
        let name: String
        let summary: String
        /// Options that it understands.
        let options: [ScenarioOption]
        let make: @Sendable (ScenarioOptions) throws -> Scenario
    }

    static let entries: [Entry] =
        ShopScenarios.entries.map { entry in
            Entry(
                name: entry.name, summary: entry.summary, options: shopOptions,
                make: { ShopScenarios.make(entry, try makeShopOptions($0)) })
        } + [
            Entry(
                name: "primary-backup",
                summary: "replication of a log to a backup that acknowledges too early (the example)",
                options: [
                    .flag("careful", default: false, "whether the backup syncs what it was told before it answers")
                ],
                make: { PrimaryBackup(isBackupCareless: !(try $0.flag("careful", default: false))).scenario }),
            Entry(
                name: "retrying-counter",
                summary: "a counter whose client asks again when no answer comes (the smallest example)",
                options: [
                    .flag("remembers", default: false, "whether the server knows a request that it has carried out")
                ],
                make: { retryingCounter(remembersRequests: try $0.flag("remembers", default: false)) }),
            Entry(
                name: "misbehaviour",
                summary: "code that does what simulated code must not, to see how it is reported",
                options: [
                    .choice("mistake", default: Misbehaviour.propertyThrows, "what the code does that it must not")
                ],
                make: { try $0.choice("mistake", default: Misbehaviour.propertyThrows).scenario }),
        ]

    private static let orderCounts = 1...100_000_000
    private static let arrivalRates = 1...1_000_000
    /// Longer than the slowest customer comes back to an order, which is to be there still.
    private static let archiveSpans = 90...1_000_000

    private static func wholeNumber(_ range: ClosedRange<Int>) -> String {
        "a whole number, \(range.lowerBound) to \(range.upperBound)"
    }

    private static var shopOptions: [ScenarioOption] {
        [
            ScenarioOption(
                name: "orders", summary: "how many orders are placed",
                takes: wholeNumber(orderCounts),
                default: "\(ShopOptions.usualOrderCount)"),
            ScenarioOption(
                name: "workload", summary: "where the orders come from", takes: "a purchase log in a file",
                default: "the bundled log"),
            ScenarioOption(
                name: "bug", summary: "a mistake to plant in the shop; `simulate bugs` looks for each",
                choices: ShopBugs.all.map(\.name), default: "none"),
            .choice("cdc", default: ShopOptions.usualPublisher, "what publishes the outboxes"),
            ScenarioOption(
                name: "arrivals-per-second", summary: "how many orders arrive in a virtual second",
                takes: wholeNumber(arrivalRates), default: "as many as spread them over the time of faults"),
            ScenarioOption(
                name: "archive-after-seconds",
                summary: "after how many virtual seconds a finished order is judged and forgotten",
                takes: wholeNumber(archiveSpans), default: "as the shop has it"),
        ]
    }

    private static func makeShopOptions(_ options: ScenarioOptions) throws -> ShopOptions {
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
        shop.orderCount = try options.integer("orders", default: shop.orderCount, in: orderCounts)
        shop.publisher = try options.choice("cdc", default: shop.publisher)
        if options.values["arrivals-per-second"] != nil {
            shop.arrivalsPerSecond = try options.integer("arrivals-per-second", default: 10, in: arrivalRates)
        }
        if options.values["archive-after-seconds"] != nil {
            shop.archiveRetention = .seconds(
                Int64(try options.integer("archive-after-seconds", default: 90, in: archiveSpans)))
        }
        if let bug = options.values["bug"] { try ShopBugs.plant(bug, into: &shop) }
        return shop
    }

    private static let bundledLog = Result { try PurchaseLog.bundled() }

    static func make(_ name: String, _ options: ScenarioOptions) throws -> Scenario {
        guard let entry = entries.first(where: { $0.name == name }) else {
            throw UsageError("unknown scenario '\(name)'; there are \(entries.map(\.name).joined(separator: ", "))")
        }
        for option in options.values.keys.sorted() where !entry.options.contains(where: { $0.name == option }) {
            throw UsageError(
                "scenario '\(name)' has no option '\(option)'; it has \(entry.options.map(\.name).joined(separator: ", "))"
            )
        }
        return try entry.make(options).knownToSimulate
    }
}
