import AdapterJSON
import Foundation
import Ports
import Testing

enum FidelityTableFile {
    static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../docs/fidelity.json").standardized.path
    /// While the suite is writing the table, and before it was ever written, it is not looked at.
    static var isSettled: Bool {
        ContractEnvironment.variable("CONTRACT_RESULTS") == nil && FileManager.default.fileExists(atPath: path)
    }
}

/// docs/fidelity.json, which `simulate fidelity` prints, is what the suite last found and not something older.
@Suite("The table of fidelity")
struct FidelityTableTests {
    private static let remedy: Comment =
        "bring it up to date: CONTRACT_RESULTS=docs/fidelity.json swift test --filter 'SimulatedContract|SimulatedKafkaContract|HTTPContract'"

    private static let cases = ContractCase.all

    private static func table() throws -> JSONValue {
        let bytes = try #require(FileManager.default.contents(atPath: FidelityTableFile.path), "no table")
        return try JSONReader.read([UInt8](bytes), limits: JSONLimits(maximumByteCount: 16_777_216))
    }

    @Test("Cases have ids of their own")
    func uniqueIDs() {
        var seen: Set<String> = []
        for contractCase in Self.cases { #expect(seen.insert(contractCase.id).inserted, "\(contractCase.id)") }
    }

    @Test(
        "Each case stands in the table with its rule, and held when it last ran in simulation",
        .enabled(if: FidelityTableFile.isSettled, "skipped: docs/fidelity.json is being written, or not there yet"))
    func everyCase() throws {
        let entries = try #require(try Self.table()["cases"]?.arrayValue)
        for contractCase in Self.cases {
            let entry = entries.first { $0["id"]?.stringValue == contractCase.id }
            #expect(entry?["rule"]?.stringValue == contractCase.rule, "\(contractCase.id): \(Self.remedy)")
            #expect(entry?["simulated"]?["holds"] == true, "\(contractCase.id): \(Self.remedy)")
        }
    }

    @Test(
        "Nothing stands in the table that the suite has not",
        .enabled(if: FidelityTableFile.isSettled, "skipped: docs/fidelity.json is being written, or not there yet"))
    func nothingElse() throws {
        let ids = Set(Self.cases.map(\.id))
        for entry in try #require(try Self.table()["cases"]?.arrayValue) {
            let id = try #require(entry["id"]?.stringValue)
            #expect(ids.contains(id), "\(id) is no case any more; \(Self.remedy)")
        }
        #expect(try Self.table()["limits"] == .array(FidelityLimit.all.map(\.document)), Self.remedy)
    }
}
