/// The strongly connected components of a graph: two vertices are in one when each can be reached from the other, so a cycle
/// never leaves one.
///
/// Tarjan's algorithm ("Depth-first search and linear graph algorithms", 1972) with a stack of its own, since a history's
/// graph is as deep as the history is long. Linear in vertices and edges.
struct StronglyConnectedComponents {
    /// Each vertex's component. They are numbered against the edges: an edge between two leads to the smaller number.
    private(set) var componentOf: [Int32]
    /// How many vertices each component has.
    private(set) var sizes: [Int32] = []

    init(_ graph: DirectedGraph) {
        componentOf = [Int32](repeating: -1, count: graph.vertexCount)
        var search = Search(vertexCount: graph.vertexCount)
        for root in 0..<Int32(graph.vertexCount) where search.order[Int(root)] < 0 { visit(root, graph, &search) }
    }

    /// Whether an edge between these two lies on a cycle. No vertex has an edge to itself here.
    func isOnCycle(_ source: Int32, _ target: Int32) -> Bool { componentOf[Int(source)] == componentOf[Int(target)] }

    /// Whether there is any cycle.
    var hasCycle: Bool { sizes.contains { $0 > 1 } }

    /// For each vertex the most components that a way to it can pass. Linear.
    func depths(in graph: DirectedGraph) -> [Int32] {
        var depthOf = [Int32](repeating: 0, count: sizes.count)
        for vertex in verticesAlongEdges(graph) {
            let component = componentOf[Int(vertex)]
            for edge in graph.edges(of: vertex) {
                let next = componentOf[Int(graph.targets[edge])]
                guard next != component else { continue }
                depthOf[Int(next)] = max(depthOf[Int(next)], depthOf[Int(component)] + 1)
            }
        }
        return componentOf.map { depthOf[Int($0)] }
    }

    /// The vertices component by component, so that every edge between two components leads forwards.
    private func verticesAlongEdges(_ graph: DirectedGraph) -> [Int32] {
        let byComponent = DirectedGraph(
            vertexCount: sizes.count,
            edges: (0..<Int32(graph.vertexCount)).map {
                .init(source: Int32(sizes.count) - 1 - componentOf[Int($0)], target: $0, label: 0)
            })
        return byComponent.targets
    }

    private struct Search {
        /// When each vertex was met; negative until then.
        var order: [Int32]
        /// The earliest vertex that is known to be reachable from each.
        var low: [Int32]
        var nextOrder: Int32 = 0
        var path: [(vertex: Int32, nextEdge: Int)] = []
        /// Vertices met that have no component yet.
        var open: [Int32] = []

        init(vertexCount: Int) {
            order = [Int32](repeating: -1, count: vertexCount)
            low = order
        }

        mutating func enter(_ vertex: Int32, _ graph: DirectedGraph) {
            order[Int(vertex)] = nextOrder
            low[Int(vertex)] = nextOrder
            nextOrder += 1
            open.append(vertex)
            path.append((vertex, graph.edges(of: vertex).lowerBound))
        }
    }

    private mutating func visit(_ root: Int32, _ graph: DirectedGraph, _ search: inout Search) {
        search.enter(root, graph)
        while let (vertex, edge) = search.path.last {
            let position = Int(vertex)
            if edge < graph.edges(of: vertex).upperBound {
                search.path[search.path.count - 1].nextEdge = edge + 1
                let target = graph.targets[edge]
                if search.order[Int(target)] < 0 {
                    search.enter(target, graph)
                } else if componentOf[Int(target)] < 0 {
                    search.low[position] = min(search.low[position], search.order[Int(target)])
                }
                continue
            }
            search.path.removeLast()
            if let parent = search.path.last {
                search.low[Int(parent.vertex)] = min(search.low[Int(parent.vertex)], search.low[position])
            }
            if search.low[position] == search.order[position] { closeComponent(of: vertex, &search) }
        }
    }

    private mutating func closeComponent(of root: Int32, _ search: inout Search) {
        var size: Int32 = 0
        while let vertex = search.open.popLast() {
            componentOf[Int(vertex)] = Int32(sizes.count)
            size += 1
            if vertex == root { break }
        }
        sizes.append(size)
    }
}
