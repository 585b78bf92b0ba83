import AdapterJSON
import Ports
import Synchronization

/// What became of each case in one world, for docs/fidelity.json.
///
/// The file holds one case a line, sorted by id, so that two runs differ only where their results do.
struct FidelityReport {
    /// The outcome of one case.
    struct Outcome: Sendable {
        let contractCase: ContractCase
        /// `nil` when the rule held.
        let failure: String?
    }

    private var cases: [String: JSONValue] = [:]

    /// Reads an earlier report, of which other worlds' results are kept. What is no case any more goes.
    init(reading bytes: [UInt8]?) {
        guard let bytes, let document = try? JSONReader.read(bytes, limits: JSONLimits(maximumByteCount: 16_777_216)),
            let entries = document["cases"]?.arrayValue
        else { return }
        let ids = Set(ContractCase.all.map(\.id))
        for entry in entries {
            if let id = entry["id"]?.stringValue, ids.contains(id) { cases[id] = entry }
        }
    }

    /// Records an outcome under the world's name.
    ///
    /// - Parameters:
    ///   - versions: of the servers, for example `PostgreSQL 18.3`; `nil` for those of this repository.
    ///   - date: when, as RFC 3339.
    mutating func record(_ outcome: Outcome, world: String, versions: String?, date: String) {
        let contractCase = outcome.contractCase
        var members: [JSONMember] = [
            JSONMember("id", .string(contractCase.id)), JSONMember("area", .string(contractCase.area.rawValue)),
            JSONMember("rule", .string(contractCase.rule)),
        ]
        var worlds: [JSONMember] = []
        if case .object(let earlier)? = cases[contractCase.id] {
            worlds = earlier.filter { !["id", "area", "rule", world].contains($0.name) }
        }
        var result: [JSONMember] = [JSONMember("holds", .bool(outcome.failure == nil))]
        if let failure = outcome.failure { result.append(JSONMember("found", .string(failure))) }
        if let versions { result.append(JSONMember("versions", .string(versions))) }
        result.append(JSONMember("date", .string(date)))
        worlds.append(JSONMember(world, .object(result)))
        // In one order, whichever world was looked at last.
        members += worlds.sorted { $0.name < $1.name }
        cases[contractCase.id] = .object(members)
    }

    var bytes: [UInt8] {
        let lines = cases.keys.sorted().compactMap { cases[$0].map { JSONWriter.text($0) } }
        let limits = FidelityLimit.all.map { JSONWriter.text($0.document) }
        let parts = [("cases", lines), ("limits", limits)].map { name, lines in
            "\"\(name)\": [\n\(lines.joined(separator: ",\n"))\n]"
        }
        return Array("{\(parts.joined(separator: ",\n"))}\n".utf8)
    }
}
