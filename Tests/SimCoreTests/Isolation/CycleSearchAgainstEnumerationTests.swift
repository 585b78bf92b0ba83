import Ports
import SimCore
import Testing

/// The finder against an enumeration of every cycle, on random small histories that no database made.
struct CycleSearchAgainstEnumerationTests {
    @Test("The finder reports exactly the violations that an enumeration of all cycles does", arguments: 1...4)
    func agreesWithEnumeration(batch: Int) throws {
        var generator = SplitMix64(seed: UInt64(batch))
        var seen: Set<AnomalyKind> = []
        for _ in 0..<500 {
            let (history, orders) = RandomHistory.make(&generator)
            let graph = try DependencyGraph(history, includesRealtime: true)
            for dependency in graph.dependencies { expectTrue(dependency, orders) }
            let enumerated = CycleEnumeration(graph).kinds
            let found = try AnomalyFinder().anomalies(in: history).filter { !$0.cycle.isEmpty }
            let reported = Set(found.map(\.kind))
            seen.formUnion(reported)
            #expect(reported.isSubset(of: enumerated), "\(history.operations.map(\.jsonLine))")
            for kind in CycleEnumeration.gravest(enumerated) {
                #expect(reported.contains(kind), "\(kind) of \(enumerated): \(history.operations.map(\.jsonLine))")
            }
            for level in IsolationLevel.allCases {
                #expect(
                    enumerated.contains { $0.isForbidden(at: level) }
                        == reported.contains { $0.isForbidden(at: level) },
                    "\(level): \(enumerated) and \(reported): \(history.operations.map(\.jsonLine))")
            }
        }
        #expect(seen.count == 10, "these histories are to show every kind of cycle, and showed \(seen)")
    }

    /// That an edge agrees with the order in which the elements really were appended.
    private func expectTrue(_ dependency: TransactionDependency, _ orders: [[Int64]]) {
        guard let key = dependency.key, let appended = dependency.appendedElement else { return }
        let order = orders[Int(key)]
        let previous = dependency.previousElement.map { order.firstIndex(of: $0)! } ?? -1
        #expect(previous < order.firstIndex(of: appended)!, "\(dependency) and the order \(order)")
    }
}

/// Histories whose reads are prefixes of one order of appends for each list, and otherwise arbitrary.
enum RandomHistory {
    static func make(_ generator: inout SplitMix64) -> (history: History, orders: [[Int64]]) {
        func below(_ bound: Int) -> Int { Int(generator.next(below: UInt64(bound))) }
        let transactionCount = 2 + below(5)
        let listCount = 1 + below(3)
        var orders = [[Int64]](repeating: [], count: listCount)
        var drafts: [[ListOperation]] = []
        for _ in 0..<transactionCount {
            drafts.append(
                (0..<1 + below(3)).map { _ in
                    let list = below(listCount)
                    guard below(2) == 0 else { return .read(key: Int64(list), elements: nil) }
                    let element = Int64(orders[list].count + 1)
                    orders[list].insert(element, at: below(orders[list].count + 1))
                    return append(Int64(list), element)
                })
        }
        let transactions = drafts.map { draft in
            let kind: HistoryOperation.Kind = below(8) == 0 ? .info : .ok
            return HandMadeTransaction(
                kind: kind,
                operations: draft.map { operation in
                    guard case .read(let key, _) = operation else { return operation }
                    let order = orders[Int(key)]
                    return read(key, Array(order.prefix(below(order.count + 1))))
                })
        }
        return (interleaved(transactions, &generator), orders)
    }

    /// Invocations in order, each completion somewhere after its own.
    private static func interleaved(_ transactions: [HandMadeTransaction], _ generator: inout SplitMix64) -> History {
        var history = History()
        var open: [Int] = []
        var next = 0
        while next < transactions.count || !open.isEmpty {
            let invokes = open.isEmpty || (next < transactions.count && generator.next(below: 2) == 0)
            if invokes {
                history.invoke(next, transactions[next])
                open.append(next)
                next += 1
            } else {
                let process = open.remove(at: Int(generator.next(below: UInt64(open.count))))
                history.complete(process, transactions[process])
            }
        }
        return history
    }
}

/// Every simple cycle of a small graph, classified by definition. Exponential.
struct CycleEnumeration {
    private(set) var kinds: Set<AnomalyKind> = []
    private let outgoing: [[TransactionDependency]]

    init(_ graph: DependencyGraph) {
        var outgoing = [[TransactionDependency]](repeating: [], count: graph.transactions.count)
        for dependency in graph.dependencies { outgoing[dependency.source].append(dependency) }
        self.outgoing = outgoing
        for start in outgoing.indices { extend([], at: start, start: start) }
    }

    /// Of each order (of data, and of real time) the gravest.
    static func gravest(_ kinds: Set<AnomalyKind>) -> [AnomalyKind] {
        let data: [AnomalyKind] = [.g0, .g1c, .gSingle, .gNonadjacent, .g2Item]
        return data.first(where: kinds.contains).map { [$0] } ?? []
    }

    private mutating func extend(_ path: [TransactionDependency], at vertex: Int, start: Int) {
        for dependency in outgoing[vertex] {
            if dependency.target == start {
                kinds.insert(Self.kind(path + [dependency]))
            } else if dependency.target > start, !path.contains(where: { $0.source == dependency.target }) {
                extend(path + [dependency], at: dependency.target, start: start)
            }
        }
    }

    private static func kind(_ cycle: [TransactionDependency]) -> AnomalyKind {
        let letters = cycle.map {
            $0.kind == .readWrite ? "a" : $0.kind == .writeRead ? "r" : $0.kind == .realtime ? "t" : "w"
        }
        let text = letters.joined()
        let count = letters.count { $0 == "a" }
        let real = text.contains("t")
        if count == 0 { return text.contains("r") ? (real ? .g1cRealtime : .g1c) : (real ? .g0Realtime : .g0) }
        if count == 1 { return real ? .gSingleRealtime : .gSingle }
        if (text + text).contains("aa") { return real ? .g2ItemRealtime : .g2Item }
        return real ? .gNonadjacentRealtime : .gNonadjacent
    }
}
