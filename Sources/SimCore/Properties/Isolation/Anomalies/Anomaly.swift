/// One thing wrong with a history, with the transactions that show it.
public struct Anomaly: Hashable, Sendable {
    /// What sort of anomaly it is.
    public let kind: AnomalyKind
    /// Those concerned; those of a cycle in its order.
    public let transactions: [HistoryTransaction]
    /// The edges of a cycle: the first leads from the first transaction to the second, the last back to the first. Empty for
    /// what is no cycle.
    public let cycle: [TransactionDependency]
    /// What was seen, a sentence each; for a cycle, one for each edge.
    public let sentences: [String]

    init(_ kind: AnomalyKind, _ transactions: [HistoryTransaction], _ sentence: String) {
        self.kind = kind
        self.transactions = transactions
        cycle = []
        sentences = [sentence]
    }

    /// - Precondition: the edges are a cycle of the graph.
    init(_ graph: DependencyGraph, cycle: [TransactionDependency]) {
        for (index, dependency) in cycle.enumerated() {
            let next = cycle[(index + 1) % cycle.count]
            precondition(dependency.target == next.source, "edges that do not meet are no cycle: \(cycle)")
        }
        kind = AnomalyKind(ofCycle: cycle.map(\.kind))
        transactions = cycle.map { graph.transactions[$0.source] }
        self.cycle = cycle
        sentences = cycle.map { graph.explanation(of: $0) }
    }
}

extension Anomaly: CustomStringConvertible {
    /// Several lines: the kind, the transactions with their steps, and why they contradict each other.
    public var description: String {
        var lines = [kind.rawValue]
        var named: Set<String> = []
        for transaction in transactions where named.insert(transaction.name).inserted {
            lines.append("  \(transaction)")
        }
        lines += sentences.map { "  - \($0)" }
        return lines.joined(separator: "\n")
    }
}
