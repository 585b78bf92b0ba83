import AdapterSystem
import Foundation
import Synchronization

/// The report that `CONTRACT_RESULTS` names, brought up to date after each case.
final class ResultsFile: Sendable {
    static let shared = ContractEnvironment.variable("CONTRACT_RESULTS").map { ResultsFile(path: $0) }

    private let path: String
    private let report: Mutex<FidelityReport>

    private init(path: String) {
        self.path = path
        let bytes = FileManager.default.contents(atPath: path).map { Array($0) }
        report = Mutex(FidelityReport(reading: bytes))
    }

    /// Runs a case that needs no waiting for and records what became of it, when a report is wanted.
    static func recording(
        _ contractCase: ContractCase, world: String, versions: String?, _ body: () throws -> Void
    ) throws {
        let result = Result { try body() }
        try shared?.record(contractCase, result, world: world, versions: versions)
        try result.get()
    }

    /// Runs a case and records what became of it, when a report is wanted.
    static func recording(
        _ contractCase: ContractCase, world: String, versions: String?, _ body: () async throws -> Void
    ) async throws {
        let result: Result<Void, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        try shared?.record(contractCase, result, world: world, versions: versions)
        try result.get()
    }

    private func record(
        _ contractCase: ContractCase, _ result: Result<Void, any Error>, world: String, versions: String?
    ) throws {
        var failure: String?
        if case .failure(let error) = result { failure = "\(error)" }
        try record(.init(contractCase: contractCase, failure: failure), world: world, versions: versions)
    }

    private func record(_ outcome: FidelityReport.Outcome, world: String, versions: String?) throws {
        let date = String(RFC3339.text(SystemClock().now).prefix(10))
        try report.withLock { report in
            report.record(outcome, world: world, versions: versions, date: date)
            try Data(report.bytes).write(to: URL(fileURLWithPath: path))
        }
    }
}
