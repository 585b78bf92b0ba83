/// Which transaction comes before which, as far as a history tells: Adya's direct serialization graph, recovered from what
/// reads of lists saw, with the order of real time when it is asked for.
///
/// Transactions that are known to have aborted have no edges. Near linear in the history: each step gives at most one edge of
/// each kind, but for the appends to a list that no read saw, which each follow every read of the list's last known state.
public struct DependencyGraph: Sendable {
    /// Its nodes, as they were given.
    public let transactions: [HistoryTransaction]
    /// Grouped by source, in order of ``DependencyKind``; at most one of each kind between two transactions.
    public let dependencies: [TransactionDependency]

    init(_ versions: ListVersions, includesRealtime: Bool) {
        transactions = versions.transactions
        var found: [TransactionDependency] = []
        Self.collectWriteWrite(versions, into: &found)
        Self.collectReads(versions, into: &found)
        if includesRealtime { Self.collectRealtime(versions.transactions, into: &found) }
        dependencies = Self.grouped(found, transactionCount: transactions.count)
    }

    /// - Parameter includesRealtime: whether a transaction that had completed before another was invoked comes before it.
    /// - Throws: ``HistoryError`` when the operations are no history.
    public init(_ history: History, includesRealtime: Bool = false) throws(HistoryError) {
        self.init(ListVersions(try history.transactions()), includesRealtime: includesRealtime)
    }

    private static func collectWriteWrite(_ versions: ListVersions, into found: inout [TransactionDependency]) {
        for (list, key) in versions.keys.enumerated() {
            var previous: (element: Int64, writer: Int)?
            for element in versions.orders[list] {
                let writer = versions.installer(element, of: key)!
                if let previous, previous.writer != writer {
                    found.append(
                        TransactionDependency(
                            .writeWrite, from: previous.writer, to: writer, key: key, previous: previous.element,
                            appended: element))
                }
                previous = (element, writer)
            }
            guard let last = previous else { continue }
            for append in versions.unobservedAppends[list] where append.writer != last.writer {
                found.append(
                    TransactionDependency(
                        .writeWrite, from: last.writer, to: append.writer, key: key, previous: last.element,
                        appended: append.element))
            }
        }
    }

    private static func collectReads(_ versions: ListVersions, into found: inout [TransactionDependency]) {
        for (reader, transaction) in versions.transactions.enumerated() {
            for case .read(let key, let elements?) in transaction.operations {
                collectRead(versions, reader: reader, key: key, elements: elements, into: &found)
            }
        }
    }

    private static func collectRead(
        _ versions: ListVersions, reader: Int, key: Int64, elements: [Int64], into found: inout [TransactionDependency]
    ) {
        let list = versions.keyIndex(key)
        var next = 0
        let last = elements.last { versions.installer($0, of: key) != nil }
        if let last {
            let writer = versions.installer(last, of: key)!
            // What comes after an append of its own comes after it by ww already, which says more than rw.
            if writer == reader { return }
            found.append(TransactionDependency(.writeRead, from: writer, to: reader, key: key, previous: last))
            guard let position = versions.position(last, of: key) else { return }
            next = position + 1
        }
        let order = versions.orders[list]
        if next < order.count {
            let writer = versions.installer(order[next], of: key)!
            guard writer != reader else { return }
            found.append(
                TransactionDependency(
                    .readWrite, from: reader, to: writer, key: key, previous: last, appended: order[next]))
        } else {
            for append in versions.unobservedAppends[list] where append.writer != reader {
                found.append(
                    TransactionDependency(
                        .readWrite, from: reader, to: append.writer, key: key, previous: last,
                        appended: append.element))
            }
        }
    }

    /// Edges whose transitive closure is the order of real time: from each transaction that completed and after whose
    /// completion none was both invoked and completed, to the one being invoked. At most as many for each transaction as ran
    /// concurrently.
    private static func collectRealtime(_ transactions: [HistoryTransaction], into found: inout [TransactionDependency])
    {
        var completions = transactions.indices.filter { transactions[$0].outcome == .committed }
        completions.sort { transactions[$0].completionIndex! < transactions[$1].completionIndex! }
        var frontier: [Int] = []
        /// What each open transaction follows, until it completes and takes their place in the frontier.
        var followed: [Int: Set<Int>] = [:]
        var nextCompletion = 0
        for (index, transaction) in transactions.enumerated() where transaction.outcome != .aborted {
            while nextCompletion < completions.count {
                let completed = completions[nextCompletion]
                guard transactions[completed].completionIndex! < transaction.invocationIndex else { break }
                nextCompletion += 1
                if let covered = followed.removeValue(forKey: completed) {
                    frontier.removeAll { covered.contains($0) }
                }
                frontier.append(completed)
            }
            for predecessor in frontier { found.append(TransactionDependency(.realtime, from: predecessor, to: index)) }
            followed[index] = Set(frontier)
        }
    }

    /// Sorted by source and kind without a comparison, duplicates dropped.
    private static func grouped(_ found: [TransactionDependency], transactionCount: Int) -> [TransactionDependency] {
        var bySource = [[Int]](repeating: [], count: transactionCount)
        for kind in DependencyKind.allCases {
            for (index, dependency) in found.enumerated() where dependency.kind == kind {
                bySource[dependency.source].append(index)
            }
        }
        var grouped: [TransactionDependency] = []
        grouped.reserveCapacity(found.count)
        for indexes in bySource {
            var seen: Set<Int> = []
            var kind = DependencyKind.writeWrite
            for index in indexes {
                let dependency = found[index]
                if dependency.kind != kind {
                    kind = dependency.kind
                    seen.removeAll(keepingCapacity: true)
                }
                if seen.insert(dependency.target).inserted { grouped.append(dependency) }
            }
        }
        return grouped
    }
}
