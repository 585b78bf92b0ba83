import Ports
import SimCore

/// The dependencies among the committed transactions of a random history, worked out from what was written when and what
/// each snapshot contained; independent of how the server finds conflicts.
struct HistoryGraph {
    /// A committed transaction. Positions count commits; a snapshot holds the commits up to its position.
    struct Transaction {
        var snapshot: Int
        var commit: Int
        /// Conditions that it searched by.
        var searches: [(Row) -> Bool] = []
        /// Rows as it left them, by id; `nil` for a deleted one.
        var writes: [Int64: Row?] = [:]
        /// For people: what it ran, in order.
        var log: [String] = []
    }

    private var transactions: [Transaction] = []
    /// What each row became, in the order of commits.
    private var versions: [Int64: [(commit: Int, row: Row?)]] = [:]

    /// Adds a transaction that committed after all that were added before.
    mutating func add(_ transaction: Transaction) {
        transactions.append(transaction)
        for (id, row) in transaction.writes { versions[id, default: []].append((transaction.commit, row)) }
    }
    var count: Int { transactions.count }

    /// Edges from each transaction to those that must come after it in any serial order.
    func successors() -> [[Int]] {
        var successors = [[Int]](repeating: [], count: transactions.count)
        for (left, earlier) in transactions.enumerated() {
            for (right, later) in transactions.enumerated() where left != right {
                if comesBefore(earlier, later) { successors[left].append(right) }
            }
        }
        return successors
    }

    private func comesBefore(_ left: Transaction, _ right: Transaction) -> Bool {
        // Both wrote a row, left first; or right's snapshot holds what left wrote; or left read what right overwrote.
        let isWriteBeforeWrite = left.commit < right.commit && left.writes.keys.contains { right.writes[$0] != nil }
        let isWriteBeforeRead =
            left.commit <= right.snapshot
            && left.writes.contains { id, row in sees(right, id, row ?? nil, before: left.commit) }
        let isReadBeforeWrite =
            right.commit > left.snapshot
            && right.writes.contains { id, row in sees(left, id, row ?? nil, before: right.commit) }
        return isWriteBeforeWrite || isWriteBeforeRead || isReadBeforeWrite
    }

    /// Whether one of the reader's searches would tell the row as it became from the row as it was.
    private func sees(_ reader: Transaction, _ id: Int64, _ new: Row?, before commit: Int) -> Bool {
        let old = version(of: id, before: commit)
        return reader.searches.contains { search in new.map(search) == true || old.map(search) == true }
    }

    private func version(of id: Int64, before commit: Int) -> Row? {
        versions[id]?.last { $0.commit < commit }?.row
    }

    /// A shortest cycle, in words; empty when there is none.
    func describeCycle() -> String {
        let successors = successors()
        for start in successors.indices {
            var cameFrom: [Int: Int] = [:]
            var queue = [start]
            while !queue.isEmpty {
                let current = queue.removeFirst()
                for next in successors[current] where cameFrom[next] == nil {
                    cameFrom[next] = current
                    queue.append(next)
                }
            }
            guard cameFrom[start] != nil else { continue }
            var cycle = [start]
            var current = cameFrom[start]!
            while current != start {
                cycle.append(current)
                current = cameFrom[current]!
            }
            return cycle.reversed().map { number in
                let transaction = transactions[number]
                return "snapshot \(transaction.snapshot) commit \(transaction.commit): \(transaction.log)"
            }.joined(separator: "\n")
        }
        return ""
    }

    /// Whether no transaction must come before itself.
    var isSerializable: Bool {
        let successors = successors()
        var remaining = [Int](repeating: 0, count: transactions.count)
        for next in successors.joined() { remaining[next] += 1 }
        var free = remaining.indices.filter { remaining[$0] == 0 }
        var removed = 0
        while let transaction = free.popLast() {
            removed += 1
            for next in successors[transaction] {
                remaining[next] -= 1
                if remaining[next] == 0 { free.append(next) }
            }
        }
        return removed == transactions.count
    }
}
