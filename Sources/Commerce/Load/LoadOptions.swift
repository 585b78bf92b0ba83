import Workloads

/// What `commerce load` is asked for.
struct LoadOptions: Hashable, Sendable {
    var orderCount = 2_000
    /// Customers that order and pay at once; each begins the next order when the last one is paid.
    var customerCount = 32
    /// A purchase log; the bundled one when it is `nil`.
    var workload: String?
    var isJSON = false

    /// - Throws: ``CommandLineInterface/UsageError``.
    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            switch option {
            case "--json": isJSON = true
            case "--orders": orderCount = try Self.number(option, rest.popFirst(), in: 1...10_000_000)
            case "--customers": customerCount = try Self.number(option, rest.popFirst(), in: 1...10_000)
            case "--workload":
                guard let path = rest.popFirst() else {
                    throw Self.wrong(option, "nothing", "the path of a purchase log")
                }
                workload = path
            default:
                throw CommandLineInterface.UsageError(
                    description:
                        "load has no option '\(option)'; expected --orders, --customers, --workload or --json")
            }
        }
    }

    func purchases() throws -> [Purchase] {
        guard let workload else { return try PurchaseLog.bundled().purchases }
        do {
            return try PurchaseLog(contentsOf: workload).purchases
        } catch let error as PurchaseLogError {
            throw CommandLineInterface.UsageError(description: "\(workload): \(error)")
        } catch {
            throw CommandLineInterface.UsageError(description: "\(workload) cannot be read; expected a purchase log")
        }
    }

    private static func number(_ option: String, _ text: String?, in range: ClosedRange<Int>) throws -> Int {
        guard let text, let number = Int(text), range.contains(number) else {
            throw wrong(
                option, text.map { "'\($0)'" } ?? "nothing",
                "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func wrong(_ option: String, _ found: String, _ expected: String) -> CommandLineInterface.UsageError
    {
        CommandLineInterface.UsageError(description: "\(option): found \(found); expected \(expected)")
    }
}
