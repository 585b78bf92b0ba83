/// Finds cycles in a dependency graph, each kind by the edges that it may and must have.
///
/// A cycle without two anti-dependencies in a row is a cycle of the *snapshot graph*, which has two vertices for each
/// transaction: as reached by an anti-dependency, from where no other may follow, and as reached otherwise. Where that graph
/// has no cycle, which its strongly connected components tell at once, snapshot isolation held and nothing is searched.
struct CycleSearch {
    private let graph: DependencyGraph
    private let includesRealtime: Bool
    /// All edges but anti-dependencies; labels here and below are positions in the graph's dependencies.
    private let precedence: DirectedGraph
    private let precedenceComponents: StronglyConnectedComponents
    /// The length of the longest way to each transaction by edges of ``precedence``. A way from one transaction to another
    /// passes only between their depths.
    private let depths: [Int32]
    private let antiDependencies: [Int32]
    private var paths: PathSearch
    /// Searches go on beyond the first cycle until they have looked at so many edges.
    private let edgeVisitLimit: Int
    private var hasFoundCycle = false

    init(_ graph: DependencyGraph, includesRealtime: Bool) {
        self.graph = graph
        self.includesRealtime = includesRealtime
        precedence = Self.subgraph(graph) {
            $0 == .writeWrite || $0 == .writeRead || ($0 == .realtime && includesRealtime)
        }
        precedenceComponents = StronglyConnectedComponents(precedence)
        depths = precedenceComponents.depths(in: precedence)
        antiDependencies = graph.dependencies.indices.compactMap {
            graph.dependencies[$0].kind == .readWrite ? Int32($0) : nil
        }
        paths = PathSearch(vertexCount: 4 * graph.transactions.count)
        edgeVisitLimit = 32 * (graph.dependencies.count + graph.transactions.count)
    }

    /// Adds the cycles found.
    mutating func collect(into collection: inout AnomalyCollection) {
        if precedenceComponents.hasCycle {
            collectCyclesOfAppends(&collection)
            collectCyclesOfInformation(&collection)
        }
        collectSnapshotCycles(&collection)
        collectAntiDependencyCycles(&collection)
    }

    // MARK: Cycles without anti-dependencies

    /// `G0`: from each append edge back to its start by appends alone (and real time).
    private mutating func collectCyclesOfAppends(_ collection: inout AnomalyCollection) {
        let appends = Self.subgraph(graph) { [includesRealtime] in
            $0 == .writeWrite || ($0 == .realtime && includesRealtime)
        }
        let components = StronglyConnectedComponents(appends)
        collectCycles(in: appends, components, through: includesRealtime ? .realtime : .writeWrite, &collection)
    }

    /// `G1c`: likewise, with reads of appends.
    private mutating func collectCyclesOfInformation(_ collection: inout AnomalyCollection) {
        collectCycles(
            in: precedence, precedenceComponents, through: includesRealtime ? .realtime : .writeRead, &collection)
    }

    private mutating func collectCycles(
        in subgraph: DirectedGraph, _ components: StronglyConnectedComponents, through kind: DependencyKind,
        _ collection: inout AnomalyCollection
    ) {
        for (label, dependency) in graph.dependencies.enumerated() where dependency.kind == kind {
            let (source, target) = (Int32(dependency.source), Int32(dependency.target))
            guard components.isOnCycle(source, target) else { continue }
            guard mayContinue else { return }
            let labels = paths.shortestPath(in: subgraph, from: [(target, Int32(label))], to: source) {
                components.isOnCycle($0, source)
            }
            if let labels { add(labels, &collection) }
        }
    }

    // MARK: Cycles with anti-dependencies, no two in a row

    private mutating func collectSnapshotCycles(_ collection: inout AnomalyCollection) {
        let snapshot = snapshotGraph(countingAntiDependencies: false)
        let components = StronglyConnectedComponents(snapshot)
        guard components.hasCycle else { return }
        let candidates = antiDependencies.filter { label in
            let dependency = graph.dependencies[Int(label)]
            return components.isOnCycle(
                Self.vertex(dependency.source, afterAntiDependency: false),
                Self.vertex(dependency.target, afterAntiDependency: true))
        }
        collectReadSkews(candidates, &collection)
        collectNonadjacentCycles(candidates, components, &collection)
    }

    /// `G-single`: from an anti-dependency back to its start without another.
    private mutating func collectReadSkews(_ candidates: [Int32], _ collection: inout AnomalyCollection) {
        for label in candidates {
            guard mayContinue, !collection.isFull(includesRealtime ? .gSingleRealtime : .gSingle) else { return }
            let dependency = graph.dependencies[Int(label)]
            let (source, target) = (Int32(dependency.source), Int32(dependency.target))
            guard depths[Int(target)] <= depths[Int(source)] else { continue }
            let labels = paths.shortestPath(in: precedence, from: [(target, label)], to: source) {
                [depths, precedenceComponents] in
                depths[Int($0)] < depths[Int(source)] || precedenceComponents.isOnCycle($0, source)
            }
            if let labels { add(labels, &collection) }
        }
    }

    /// `G-nonadjacent`: from an anti-dependency back to its start with at least one more, none next to another.
    ///
    /// A shortest way may pass a transaction twice; then a part of it is a cycle of its own, which is found elsewhere.
    private mutating func collectNonadjacentCycles(
        _ candidates: [Int32], _ components: StronglyConnectedComponents, _ collection: inout AnomalyCollection
    ) {
        let counting = snapshotGraph(countingAntiDependencies: true)
        let transactionCount = Int32(graph.transactions.count)
        for label in candidates {
            guard mayContinue, !collection.isFull(includesRealtime ? .gNonadjacentRealtime : .gNonadjacent) else {
                return
            }
            let dependency = graph.dependencies[Int(label)]
            let start = Self.vertex(dependency.target, afterAntiDependency: true)
            let end = Self.vertex(dependency.source, afterAntiDependency: false) + 2 * transactionCount
            let labels = paths.shortestPath(in: counting, from: [(start, label)], to: end) {
                components.isOnCycle($0 % (2 * transactionCount), start)
            }
            if let labels { add(labels, &collection) }
        }
    }

    /// Two vertices for each transaction, or four: then those of the upper half are reached by ways with an anti-dependency in
    /// them.
    private func snapshotGraph(countingAntiDependencies: Bool) -> DirectedGraph {
        let upper = Int32(2 * graph.transactions.count)
        var edges: [DirectedGraph.Edge] = []
        for (label, dependency) in graph.dependencies.enumerated() {
            let label = Int32(label)
            let source = Self.vertex(dependency.source, afterAntiDependency: false)
            switch dependency.kind {
            case .realtime where !includesRealtime: continue
            case .readWrite:
                let target = Self.vertex(dependency.target, afterAntiDependency: true)
                let landing = countingAntiDependencies ? target + upper : target
                edges.append(.init(source: source, target: landing, label: label))
                if countingAntiDependencies {
                    edges.append(.init(source: source + upper, target: landing, label: label))
                }
            case .writeWrite, .writeRead, .realtime:
                let target = Self.vertex(dependency.target, afterAntiDependency: false)
                for side in 0...1 as ClosedRange<Int32> {
                    edges.append(.init(source: source + side, target: target, label: label))
                    guard countingAntiDependencies else { continue }
                    edges.append(.init(source: source + side + upper, target: target + upper, label: label))
                }
            }
        }
        return DirectedGraph(vertexCount: Int(upper) * (countingAntiDependencies ? 2 : 1), edges: edges)
    }

    private static func vertex(_ transaction: Int, afterAntiDependency: Bool) -> Int32 {
        Int32(2 * transaction + (afterAntiDependency ? 1 : 0))
    }

    // MARK: Cycles with two anti-dependencies in a row

    /// `G2-item`: from two anti-dependencies in a row back to their start by any edges, without the transaction between them.
    private mutating func collectAntiDependencyCycles(_ collection: inout AnomalyCollection) {
        let whole = Self.subgraph(graph) { [includesRealtime] in $0 != .realtime || includesRealtime }
        let components = StronglyConnectedComponents(whole)
        guard components.hasCycle else { return }
        for label in antiDependencies {
            guard mayContinue, !collection.isFull(includesRealtime ? .g2ItemRealtime : .g2Item) else { return }
            let dependency = graph.dependencies[Int(label)]
            let (source, pivot) = (Int32(dependency.source), Int32(dependency.target))
            guard components.isOnCycle(source, pivot) else { continue }
            let starts = whole.edges(of: pivot).compactMap { edge -> (vertex: Int32, label: Int32)? in
                let isAntiDependency = graph.dependencies[Int(whole.labels[edge])].kind == .readWrite
                guard isAntiDependency, components.isOnCycle(whole.targets[edge], source) else { return nil }
                return (whole.targets[edge], whole.labels[edge])
            }
            let labels = paths.shortestPath(in: whole, from: starts, to: source) {
                $0 != pivot && components.isOnCycle($0, source)
            }
            if let labels { add([label] + labels, &collection) }
        }
    }

    // MARK: Common

    /// Until a cycle is found every search is made; then only so many more.
    private var mayContinue: Bool { !hasFoundCycle || paths.edgeVisitCount < edgeVisitLimit }

    private mutating func add(_ labels: [Int32], _ collection: inout AnomalyCollection) {
        let cycle = labels.map { graph.dependencies[Int($0)] }
        guard Set(cycle.map(\.source)).count == cycle.count else { return }
        hasFoundCycle = true
        collection.add(Anomaly(graph, cycle: cycle))
    }

    private static func subgraph(_ graph: DependencyGraph, _ includes: (DependencyKind) -> Bool) -> DirectedGraph {
        let edges = graph.dependencies.enumerated().compactMap { label, dependency -> DirectedGraph.Edge? in
            guard includes(dependency.kind) else { return nil }
            return .init(source: Int32(dependency.source), target: Int32(dependency.target), label: Int32(label))
        }
        return DirectedGraph(vertexCount: graph.transactions.count, edges: edges)
    }
}
