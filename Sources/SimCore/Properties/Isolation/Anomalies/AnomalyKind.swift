public import Ports

/// What can be wrong with a history. Raw values are the names in the literature: Adya's phenomena, and Elle's for what lists
/// show beyond them.
public enum AnomalyKind: String, Hashable, Sendable, CaseIterable, Codable {
    /// Dirty write: appends of two transactions follow each other both ways.
    case g0 = "G0"
    /// Aborted read: a transaction that committed read what one that aborted had appended.
    case g1a = "G1a"
    /// Intermediate read: a list was read between two appends of another transaction.
    case g1b = "G1b"
    /// Cyclic information flow: a cycle of appends and reads of appends.
    case g1c = "G1c"
    /// Read skew: a cycle with exactly one anti-dependency.
    case gSingle = "G-single"
    /// A cycle with several anti-dependencies, no two of them in a row. Like ``gSingle``, no snapshot explains it (Cerone,
    /// Gotsman: "Analysing snapshot isolation", PODC 2016).
    case gNonadjacent = "G-nonadjacent"
    /// A cycle with two anti-dependencies in a row, write skew for example: what snapshot isolation allows. All reads here
    /// are of single items, so this covers Adya's G2 too.
    case g2Item = "G2-item"
    /// Two transactions read the same state of a list, and both appended to it.
    case lostUpdate = "lost-update"
    /// A transaction did not see its own append, or saw less of a list than it had seen before.
    case internalInconsistency = "internal"
    /// A transaction read a list twice, and another's append appeared in between.
    case nonRepeatableRead = "non-repeatable-read"
    /// A transaction read an element before it appended it.
    case futureRead = "future-read"
    /// An element was read that nobody appended.
    case garbageRead = "garbage-read"
    /// One element twice in a list.
    case duplicateElements = "duplicate-elements"
    /// Two states of a list were read of which neither is a prefix of the other: an append that somebody read was lost.
    case incompatibleOrder = "incompatible-order"
    /// As ``g0`` with the order of real time in the cycle; likewise below.
    case g0Realtime = "G0-realtime"
    /// ``g1c`` with the order of real time in the cycle.
    case g1cRealtime = "G1c-realtime"
    /// A transaction did not see what one had committed that completed before it was invoked.
    case gSingleRealtime = "G-single-realtime"
    /// ``gNonadjacent`` with the order of real time in the cycle.
    case gNonadjacentRealtime = "G-nonadjacent-realtime"
    /// ``g2Item`` with the order of real time in the cycle.
    case g2ItemRealtime = "G2-item-realtime"
}

extension AnomalyKind {
    /// Whether PostgreSQL promises that it does not happen at that level, on one server.
    ///
    /// - At READ COMMITTED each statement has a snapshot of its own and writers of one row exclude each other until they end:
    ///   every ww and wr edge, and real time, agree with the order of commits.
    /// - REPEATABLE READ is snapshot isolation: only cycles with two anti-dependencies in a row are left (Fekete et al.:
    ///   "Making snapshot isolation serializable", TODS 2005). A snapshot shows all that was committed when it was taken, so
    ///   that holds with real time too.
    /// - SERIALIZABLE has no cycle, but its order need not be that of real time (Ports, Grittner: "Serializable snapshot
    ///   isolation in PostgreSQL", VLDB 2012).
    public func isForbidden(at level: IsolationLevel) -> Bool {
        switch self {
        case .g0, .g1a, .g1b, .g1c, .internalInconsistency, .futureRead, .garbageRead, .duplicateElements,
            .incompatibleOrder, .g0Realtime, .g1cRealtime:
            true
        case .gSingle, .gNonadjacent, .lostUpdate, .nonRepeatableRead, .gSingleRealtime, .gNonadjacentRealtime:
            level != .readCommitted
        case .g2Item: level == .serializable
        case .g2ItemRealtime: false
        }
    }
}

extension AnomalyKind {
    /// What a cycle of these edges is called.
    init(ofCycle kinds: [DependencyKind]) {
        let antiDependencyCount = kinds.count { $0 == .readWrite }
        let isAdjacent = kinds.indices.contains {
            kinds[$0] == .readWrite && kinds[($0 + 1) % kinds.count] == .readWrite
        }
        let base: AnomalyKind =
            if antiDependencyCount == 0 {
                kinds.contains(.writeRead) ? .g1c : .g0
            } else if antiDependencyCount == 1 {
                .gSingle
            } else {
                isAdjacent ? .g2Item : .gNonadjacent
            }
        self = kinds.contains(.realtime) ? base.inRealtime : base
    }

    private var inRealtime: AnomalyKind {
        switch self {
        case .g0: .g0Realtime
        case .g1c: .g1cRealtime
        case .gSingle: .gSingleRealtime
        case .gNonadjacent: .gNonadjacentRealtime
        case .g2Item: .g2ItemRealtime
        default: preconditionFailure("\(self) is no cycle")
        }
    }
}
