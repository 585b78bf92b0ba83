/// Finds transactions that read the same state of a list and both appended to it (Berenson et al.: "A critique of ANSI SQL
/// isolation levels", SIGMOD 1995, P4). Each acted on a state that the other had changed or was to change.
///
/// Lists show it whether or not anybody read the appends afterwards, so it is looked for by itself, beside the cycle that it
/// makes when they are read.
struct LostUpdates {
    let versions: ListVersions

    private struct State: Hashable {
        let key: Int64
        let elementCount: Int
        let lastElement: Int64?
    }

    /// Linear in the history.
    func collect(into collection: inout AnomalyCollection) {
        var updaters: [State: [Int]] = [:]
        var states: [State] = []
        for (index, transaction) in versions.transactions.enumerated() where transaction.outcome == .committed {
            for state in updatedStates(transaction) {
                if updaters[state] == nil { states.append(state) }
                updaters[state, default: []].append(index)
            }
        }
        for state in states {
            let rivals = updaters[state]!.map { versions.transactions[$0] }
            guard rivals.count > 1 else { continue }
            let names = rivals.map(\.name).joined(separator: " and ")
            let what = state.lastElement.map { "\(state.elementCount) elements up to \($0)" } ?? "nothing"
            let count = rivals.count == 2 ? "both" : "all"
            collection.add(
                Anomaly(
                    .lostUpdate, rivals,
                    "\(names) \(count) read list \(state.key) with \(what) in it, and appended to it"))
        }
    }

    /// The states of lists that a transaction read last before it first appended to them.
    private func updatedStates(_ transaction: HistoryTransaction) -> [State] {
        var lastReads: [Int64: [Int64]] = [:]
        var appendedKeys: Set<Int64> = []
        var states: [State] = []
        for operation in transaction.operations {
            switch operation {
            case .read(let key, let elements):
                lastReads[key] = elements
            case .append(let key, _):
                guard appendedKeys.insert(key).inserted, let read = lastReads[key] else { continue }
                states.append(State(key: key, elementCount: read.count, lastElement: read.last))
            }
        }
        return states
    }
}
