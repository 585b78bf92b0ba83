#if Production
    import AdapterSystem
    import Foundation
    import Synchronization

    /// The report that `CONTRACT_RESULTS` names, brought up to date after each case.
    final class ResultsFile: Sendable {
        static let shared = RealWorld.variable("CONTRACT_RESULTS").map { ResultsFile(path: $0) }

        private let path: String
        private let report: Mutex<FidelityReport>

        private init(path: String) {
            self.path = path
            let bytes = FileManager.default.contents(atPath: path).map { Array($0) }
            report = Mutex(FidelityReport(reading: bytes))
        }

        func record(_ outcome: FidelityReport.Outcome, versions: String) throws {
            let date = String(RFC3339.text(SystemClock().now).prefix(10))
            let bytes = report.withLock { report in
                report.record(outcome, world: "real", versions: versions, date: date)
                return report.bytes
            }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
        }
    }
#endif
