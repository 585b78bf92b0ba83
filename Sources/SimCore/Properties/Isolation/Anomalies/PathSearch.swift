/// Breadth-first searches over graphs of up to so many vertices, one after another without clearing between them.
struct PathSearch {
    /// The search in which each vertex was last met.
    private var metIn: [Int32]
    private var predecessor: [Int32]
    private var incomingLabel: [Int32]
    private var queue: [Int32] = []
    private var searchNumber: Int32 = 0
    /// Edges looked at so far, by all searches.
    private(set) var edgeVisitCount = 0

    init(vertexCount: Int) {
        metIn = [Int32](repeating: 0, count: vertexCount)
        predecessor = metIn
        incomingLabel = metIn
    }

    /// The labels along a shortest path to `target` from one of the starting vertices (each with the label that led to it),
    /// those labels included; `nil` when there is none. Of equals the one whose edges come first in the graph.
    ///
    /// - Parameter admits: which vertices the path may use; `target` and the starting vertices are not asked about.
    mutating func shortestPath(
        in graph: DirectedGraph, from starts: [(vertex: Int32, label: Int32)], to target: Int32,
        where admits: (Int32) -> Bool
    ) -> [Int32]? {
        searchNumber += 1
        queue.removeAll(keepingCapacity: true)
        for start in starts where metIn[Int(start.vertex)] != searchNumber {
            meet(start.vertex, from: -1, label: start.label)
            if start.vertex == target { return [start.label] }
        }
        var head = 0
        while head < queue.count {
            let vertex = queue[head]
            head += 1
            for edge in graph.edges(of: vertex) {
                edgeVisitCount += 1
                let next = graph.targets[edge]
                guard metIn[Int(next)] != searchNumber, next == target || admits(next) else { continue }
                meet(next, from: vertex, label: graph.labels[edge])
                if next == target { return path(to: target) }
            }
        }
        return nil
    }

    private mutating func meet(_ vertex: Int32, from: Int32, label: Int32) {
        metIn[Int(vertex)] = searchNumber
        predecessor[Int(vertex)] = from
        incomingLabel[Int(vertex)] = label
        queue.append(vertex)
    }

    private func path(to target: Int32) -> [Int32] {
        var labels: [Int32] = []
        var vertex = target
        while vertex >= 0 {
            labels.append(incomingLabel[Int(vertex)])
            vertex = predecessor[Int(vertex)]
        }
        return labels.reversed()
    }
}
