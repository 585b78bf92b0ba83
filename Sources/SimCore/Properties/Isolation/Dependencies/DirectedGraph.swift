/// A directed graph in two arrays: the edges of a vertex lie side by side.
struct DirectedGraph {
    struct Edge {
        let source: Int32
        let target: Int32
        /// What the edge stands for, to whoever made the graph.
        let label: Int32
    }

    let vertexCount: Int
    /// Where each vertex's edges start in ``targets`` and ``labels``; one more entry than vertices.
    let offsets: [Int32]
    let targets: [Int32]
    let labels: [Int32]

    /// Keeps the order of edges with the same source. Linear.
    init(vertexCount: Int, edges: [Edge]) {
        self.vertexCount = vertexCount
        var offsets = [Int32](repeating: 0, count: vertexCount + 1)
        for edge in edges { offsets[Int(edge.source) + 1] += 1 }
        for vertex in 0..<vertexCount { offsets[vertex + 1] += offsets[vertex] }
        var next = offsets
        var targets = [Int32](repeating: 0, count: edges.count)
        var labels = targets
        for edge in edges {
            let place = Int(next[Int(edge.source)])
            next[Int(edge.source)] += 1
            targets[place] = edge.target
            labels[place] = edge.label
        }
        self.offsets = offsets
        self.targets = targets
        self.labels = labels
    }

    /// Positions in ``targets`` and ``labels`` of a vertex's edges.
    func edges(of vertex: Int32) -> Range<Int> { Int(offsets[Int(vertex)])..<Int(offsets[Int(vertex) + 1]) }
}
