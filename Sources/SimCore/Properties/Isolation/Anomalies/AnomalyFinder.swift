/// Finds what is wrong with a history of transactions over lists, as Elle does (Kingsbury, Alvaro: "Elle: Inferring isolation
/// anomalies from experimental observations", VLDB 2020): some anomalies show in a read by itself, the others are cycles in
/// the dependency graph that the reads reveal.
///
/// Sound: each anomaly reported is one, whatever else the database did. Not complete: what no read saw is not known. An
/// outcome that is not known counts as a commit only where a read proves it.
///
/// Near linear in the history, reads included. Whenever there is a cycle, at least one is reported, of the gravest kind
/// there is (`G0` before `G1c` before `G-single` before `G-nonadjacent` before `G2-item`); the search for further examples
/// has a bound in proportion to the graph.
public struct AnomalyFinder: Sendable {
    /// The most examples of one kind to report.
    public var maximumPerKind: Int
    /// Whether cycles may contain the order of real time, and be reported as kinds of their own.
    public var includesRealtime: Bool

    /// A finder with these bounds.
    ///
    /// - Precondition: at least one example of a kind is looked for.
    public init(maximumPerKind: Int = 100, includesRealtime: Bool = true) {
        precondition(maximumPerKind > 0, "at most \(maximumPerKind) anomalies of a kind is no search")
        self.maximumPerKind = maximumPerKind
        self.includesRealtime = includesRealtime
    }

    /// All kinds of anomaly that the history shows, in order of ``AnomalyKind``.
    ///
    /// - Throws: ``HistoryError`` when the operations are no history.
    public func anomalies(in history: History) throws(HistoryError) -> [Anomaly] {
        anomalies(in: try history.transactions())
    }

    func anomalies(in transactions: [HistoryTransaction]) -> [Anomaly] {
        let versions = ListVersions(transactions)
        var collection = AnomalyCollection(maximumPerKind: maximumPerKind)
        ReadAnomalies(versions: versions).collect(into: &collection)
        LostUpdates(versions: versions).collect(into: &collection)
        let graph = DependencyGraph(versions, includesRealtime: includesRealtime)
        var dataCycles = CycleSearch(graph, includesRealtime: false)
        dataCycles.collect(into: &collection)
        if includesRealtime {
            var realtimeCycles = CycleSearch(graph, includesRealtime: true)
            realtimeCycles.collect(into: &collection)
        }
        return collection.anomalies
    }
}

/// Anomalies by kind, no more of each than asked for.
struct AnomalyCollection {
    let maximumPerKind: Int
    private var byKind: [AnomalyKind: [Anomaly]] = [:]
    /// Cycles seen, each from its smallest transaction on.
    private var cycles: Set<[Int]> = []

    init(maximumPerKind: Int) { self.maximumPerKind = maximumPerKind }

    func isFull(_ kind: AnomalyKind) -> Bool { byKind[kind]?.count ?? 0 >= maximumPerKind }

    mutating func add(_ anomaly: Anomaly) {
        guard !isFull(anomaly.kind) else { return }
        guard anomaly.cycle.isEmpty || cycles.insert(Self.canonical(anomaly)).inserted else { return }
        byKind[anomaly.kind, default: []].append(anomaly)
    }

    var anomalies: [Anomaly] { AnomalyKind.allCases.flatMap { byKind[$0] ?? [] } }

    /// The same for two cycles through the same transactions in the same order, wherever they start.
    private static func canonical(_ anomaly: Anomaly) -> [Int] {
        let vertices = anomaly.cycle.map(\.source)
        let start = vertices.indices.min { vertices[$0] < vertices[$1] }!
        let kind = AnomalyKind.allCases.firstIndex(of: anomaly.kind)!
        return [kind] + vertices[start...] + vertices[..<start]
    }
}
