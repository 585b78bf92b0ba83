import Ports
import SimCore
import Testing

/// What PostgreSQL promises at each level.
struct IsolationVerdictTests {
    static let always: Set<AnomalyKind> = [
        .g0, .g1a, .g1b, .g1c, .internalInconsistency, .futureRead, .garbageRead, .duplicateElements,
        .incompatibleOrder, .g0Realtime, .g1cRealtime,
    ]

    @Test("READ COMMITTED forbids dirty writes and dirty reads, and allows lost updates and read skew")
    func readCommitted() {
        #expect(Set(AnomalyKind.allCases.filter { $0.isForbidden(at: .readCommitted) }) == Self.always)
    }

    @Test("REPEATABLE READ is snapshot isolation: only two anti-dependencies in a row are allowed")
    func repeatableRead() {
        #expect(
            AnomalyKind.allCases.filter { !$0.isForbidden(at: .repeatableRead) } == [.g2Item, .g2ItemRealtime])
    }

    @Test("SERIALIZABLE forbids every cycle, but for an order that is not that of real time")
    func serializable() {
        #expect(AnomalyKind.allCases.filter { !$0.isForbidden(at: .serializable) } == [.g2ItemRealtime])
    }

    @Test("A verdict names what was seen, and tells what is forbidden in full")
    func verdictSpeaks() throws {
        let history = concurrent(committed(read(x, []), append(y, 1)), committed(read(y, []), append(x, 1)))
        let allowed = try IsolationVerdict(history, at: .repeatableRead)
        #expect(allowed.held)
        #expect(
            allowed.description
                == "held: 2 of 2 transactions committed at repeatable read; allowed and seen: G2-item (1)")
        let forbidden = try IsolationVerdict(history, at: .serializable)
        #expect(!forbidden.held)
        #expect(forbidden.kinds == [.g2Item])
        #expect(
            forbidden.description.hasPrefix(
                "violated: 2 of 2 transactions committed at serializable; forbidden and seen: G2-item (1)\nG2-item\n"))
    }
}
