/// What a case is about; one area is one kind of server.
enum ContractArea: String, Sendable, CaseIterable {
    case postgres, kafka, debezium, http
}

/// One rule of a real system, and the script that shows it. It runs on any ``ContractWorld`` and knows nothing of which:
/// no wall clock, no Foundation, no names of servers.
struct ContractCase: Sendable {
    /// Unique, for example `postgres/isolation/g0-read-committed`. Never reused for another rule.
    let id: String
    /// The rule as a sentence, for tables and test names.
    let rule: String
    let area: ContractArea
    let body: @Sendable (any ContractWorld) async throws -> Void

    init(
        _ id: String, _ rule: String, area: ContractArea,
        _ body: @escaping @Sendable (any ContractWorld) async throws -> Void
    ) {
        self.id = id
        self.rule = rule
        self.area = area
        self.body = body
    }
}

extension ContractCase {
    static let all = PostgresCases.all + KafkaCases.all + DebeziumCases.all + HTTPCases.all
}

extension ContractCase: CustomStringConvertible {
    var description: String { "\(id): \(rule)" }
}

/// A rule did not hold: what was expected, what was found, and where the case says so.
struct ContractFailure: Error, CustomStringConvertible {
    let message: String
    let line: UInt
    let file: String

    init(_ message: String, file: String = #fileID, line: UInt = #line) {
        self.message = message
        self.file = file
        self.line = line
    }

    var description: String { "\(message) (\(file):\(line))" }
}

/// - Throws: ``ContractFailure`` unless both are equal.
func expect<T: Equatable>(
    _ found: T, equals wanted: T, _ what: String, file: String = #fileID, line: UInt = #line
) throws {
    guard found == wanted else {
        throw ContractFailure("\(what): found \(found), expected \(wanted)", file: file, line: line)
    }
}

/// - Throws: ``ContractFailure`` unless the condition holds.
func expect(_ condition: Bool, _ what: String, file: String = #fileID, line: UInt = #line) throws {
    guard condition else { throw ContractFailure("does not hold: \(what)", file: file, line: line) }
}
