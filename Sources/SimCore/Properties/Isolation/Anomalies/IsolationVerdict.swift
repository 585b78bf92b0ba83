public import Ports

/// Whether a history keeps what PostgreSQL promises at an isolation level.
public struct IsolationVerdict: Sendable {
    /// What the history was judged by.
    public let level: IsolationLevel
    /// Transactions in it, whatever their outcome.
    public let transactionCount: Int
    /// Those that are known to have committed.
    public let committedCount: Int
    /// What must not happen at that level, and did.
    public let forbidden: [Anomaly]
    /// What the level allows, and happened.
    public let allowed: [Anomaly]

    /// Judges a history. Near linear in it.
    ///
    /// - Throws: ``HistoryError`` when it cannot be one.
    public init(
        _ history: History, at level: IsolationLevel, finder: AnomalyFinder = AnomalyFinder()
    ) throws(HistoryError) {
        let transactions = try history.transactions()
        let anomalies = finder.anomalies(in: transactions)
        self.level = level
        transactionCount = transactions.count
        committedCount = transactions.count { $0.outcome == .committed }
        forbidden = anomalies.filter { $0.kind.isForbidden(at: level) }
        allowed = anomalies.filter { !$0.kind.isForbidden(at: level) }
    }

    /// Whether nothing forbidden was seen.
    public var held: Bool { forbidden.isEmpty }

    /// The kinds of anomaly that were seen, allowed or not, in order of ``AnomalyKind``.
    public var kinds: [AnomalyKind] {
        let seen = Set((forbidden + allowed).map(\.kind))
        return AnomalyKind.allCases.filter(seen.contains)
    }
}

extension IsolationVerdict: CustomStringConvertible {
    /// One line, and below it each forbidden anomaly in full.
    public var description: String {
        let seen = allowed.isEmpty ? "" : "; allowed and seen: \(names(of: allowed))"
        let scope = "\(committedCount) of \(transactionCount) transactions committed at \(level.rawValue)"
        guard !held else { return "held: \(scope)\(seen)" }
        let details = forbidden.map { "\n\($0)" }.joined()
        return "violated: \(scope); forbidden and seen: \(names(of: forbidden))\(seen)\(details)"
    }

    private func names(of anomalies: [Anomaly]) -> String {
        AnomalyKind.allCases.compactMap { kind in
            let count = anomalies.count { $0.kind == kind }
            return count == 0 ? nil : "\(kind.rawValue) (\(count))"
        }.joined(separator: ", ")
    }
}
