import Ports
import SimCore

/// Isolation as clients see it: random transactions on lists, and a search for anomalies in what they saw. Neither server is
/// asked anything but to run them.
enum IsolationHistoryCases {
    static let all: [ContractCase] = [
        ContractCase(
            "postgres/isolation/history-read-committed",
            "READ COMMITTED: random histories show lost updates and read skew, and no dirty write or read",
            area: .postgres
        ) { world in
            let seen = try await kindsSeen(at: .readCommitted, world)
            for kind in [AnomalyKind.lostUpdate, .gSingle, .nonRepeatableRead] {
                try expect(seen.contains(kind), "\(kind.rawValue) occurs; seen were \(seen.map(\.rawValue).sorted())")
            }
        },
        ContractCase(
            "postgres/isolation/history-repeatable-read",
            "REPEATABLE READ: random histories show write skew, and nothing else", area: .postgres
        ) { world in
            let seen = try await kindsSeen(at: .repeatableRead, world)
            try expect(seen.contains(.g2Item), "G2-item occurs; seen were \(seen.map(\.rawValue).sorted())")
        },
        ContractCase(
            "postgres/isolation/history-serializable", "SERIALIZABLE: random histories show no cycle", area: .postgres
        ) { world in
            let seen = try await kindsSeen(at: .serializable, world)
            try expect(seen.subtracting([.g2ItemRealtime]), equals: [], "anomalies seen")
        },
    ]

    /// The anomalies of a few hundred transactions.
    ///
    /// - Throws: ``ContractFailure`` when one of them is forbidden.
    private static func kindsSeen(at level: IsolationLevel, _ world: any ContractWorld) async throws -> Set<AnomalyKind>
    {
        let server = try await world.makeDatabase(DatabaseOptions())
        do {
            try await server.administration.migrate(to: ListAppendWorkload.schema)
            let workload = ListAppendWorkload(isolation: level, transactionCount: 600)
            var generator = SplitMix64(seed: 1)
            let history = try await workload.run(on: server.database, clock: world.clock, generator: &generator)
            await server.discard()
            let verdict = try IsolationVerdict(history, at: level)
            try expect(verdict.held, "\(verdict)")
            try expect(verdict.committedCount > 150, "enough commits to tell anything: \(verdict)")
            return Set(verdict.kinds)
        } catch {
            await server.discard()
            throw error
        }
    }
}
