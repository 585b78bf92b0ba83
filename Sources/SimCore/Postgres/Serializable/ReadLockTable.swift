import Ports

/// What a transaction has read, as its SIREAD lock names it.
enum ReadTarget {
    /// Every row, those yet to come included.
    case table(Int)
    /// One row.
    case row(RowReference)
    /// Whether some row has that key, by the key's hash: two keys of one hash count as one.
    case key(table: Int, key: Int, hash: UInt64)
    /// Entries of an ordered index within a range.
    case range(ReadRange)
}

/// A range of an ordered index that was scanned.
struct ReadRange {
    var table: Int
    var number: Int
    var lower: OrderedBound
    var upper: OrderedBound
    /// Where the scan stopped, when it had enough before the end; and whether it ran backwards.
    var stop: OrderedEntry?
    var isBackwards: Bool

    func contains(_ entry: OrderedEntry, _ index: OrderedIndex) -> Bool {
        if index.compare(entry, lower) < 0 || index.compare(entry, upper) > 0 { return false }
        guard let stop else { return true }
        return isBackwards ? !index.precedes(entry, stop) : !index.precedes(stop, entry)
    }
}

/// The SIREAD locks of all transactions, found by what they are on.
struct ReadLockTable {
    private var points: [PointKey: [Int]] = [:]
    private var ranges: [IndexKey: [RangeLock]] = [:]
    private(set) var count = 0

    private struct PointKey: Hashable {
        var table: Int32
        /// -2 for the table, -1 for a row, otherwise the number of a key.
        var kind: Int32
        var value: UInt64
    }

    private struct IndexKey: Hashable {
        var table: Int
        var number: Int
    }

    private struct RangeLock {
        var node: Int
        var range: ReadRange
    }

    /// Returns whether it was not there before.
    mutating func add(_ node: Int, _ target: ReadTarget) -> Bool {
        if case .range(let range) = target {
            ranges[IndexKey(table: range.table, number: range.number), default: []]
                .append(RangeLock(node: node, range: range))
        } else {
            let key = Self.point(target)
            if points[key]?.contains(node) == true { return false }
            points[key, default: []].append(node)
        }
        count += 1
        return true
    }

    /// Takes one lock of that target away. Of a node's ranges on one index all go at once, since a node is only ever
    /// removed whole.
    mutating func remove(_ node: Int, _ target: ReadTarget) {
        if case .range(let range) = target {
            let key = IndexKey(table: range.table, number: range.number)
            guard var locks = ranges.removeValue(forKey: key) else { return }
            let before = locks.count
            locks.removeAll { $0.node == node }
            count -= before - locks.count
            if !locks.isEmpty { ranges[key] = locks }
            return
        }
        let key = Self.point(target)
        guard var nodes = points.removeValue(forKey: key) else { return }
        nodes.removeAll { $0 == node }
        count -= 1
        if !nodes.isEmpty { points[key] = nodes }
    }

    /// Who holds a lock on exactly that target, in the order in which they took it.
    func readers(of target: ReadTarget) -> [Int] { points[Self.point(target)] ?? [] }

    /// Who scanned a range that the entry belongs to.
    func readers(of entry: OrderedEntry, in index: OrderedIndex, table: Int, number: Int) -> [Int] {
        guard let locks = ranges[IndexKey(table: table, number: number)] else { return [] }
        return locks.filter { $0.range.contains(entry, index) }.map(\.node)
    }

    private static func point(_ target: ReadTarget) -> PointKey {
        switch target {
        case .table(let table): PointKey(table: Int32(table), kind: -2, value: 0)
        case .row(let row): PointKey(table: row.table, kind: -1, value: UInt64(row.row))
        case .key(let table, let key, let hash): PointKey(table: Int32(table), kind: Int32(key), value: hash)
        case .range: preconditionFailure("a range is no point")
        }
    }
}
