import Ports
import SimCore
import Testing

/// The simulated PostgreSQL judged from outside, by random histories over tens of seeds: no forbidden cycle at any level, and
/// the anomalies that a level allows do occur.
struct SimulatedPostgresIsolationTests {
    /// Seeds of each level, with as many transactions each.
    static let seeds = 1...40 as ClosedRange<UInt64>
    static let transactionCount = 200

    private func kindsSeen(at level: IsolationLevel) throws -> Set<AnomalyKind> {
        var seen: Set<AnomalyKind> = []
        for seed in Self.seeds {
            let workload = ListAppendWorkload(isolation: level, transactionCount: Self.transactionCount)
            let history = try workload.historyOnSimulatedPostgres(seed: seed)
            let verdict = try IsolationVerdict(history, at: level)
            #expect(
                verdict.held,
                "simulate history --isolation \(level.rawValue) --seed \(seed) --transactions \(Self.transactionCount): \(verdict)"
            )
            #expect(verdict.transactionCount == Self.transactionCount)
            #expect(
                verdict.committedCount > Self.transactionCount / 4, "too little commits to tell anything: \(verdict)")
            seen.formUnion(verdict.kinds)
        }
        return seen
    }

    @Test("READ COMMITTED shows lost updates and read skew, and no dirty write or read")
    func readCommitted() throws {
        let seen = try kindsSeen(at: .readCommitted)
        #expect(seen.isSuperset(of: [.lostUpdate, .gSingle, .nonRepeatableRead, .g2Item]), "\(seen)")
    }

    @Test("REPEATABLE READ shows write skew and nothing else")
    func repeatableRead() throws {
        let seen = try kindsSeen(at: .repeatableRead)
        #expect(seen.contains(.g2Item))
        #expect(seen.subtracting([.g2Item, .g2ItemRealtime]) == [], "\(seen)")
    }
}
