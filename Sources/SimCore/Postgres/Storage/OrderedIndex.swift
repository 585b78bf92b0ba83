import Ports

/// The key of one index entry, with the row that has it.
///
/// The first two columns are also kept as unsigned numbers, so that nearly every comparison is one of integers.
struct OrderedEntry {
    var first: UInt64
    var second: UInt64
    /// Values of the row when the entry was made; the index reads its own columns of them.
    var values: [Value]
    var row: UInt32
}

/// A bound of a scan: values of the leading columns of an index.
struct OrderedBound {
    var values: [Value]
    var prefixes: (UInt64, UInt64)

    init(_ values: [Value]) {
        self.values = values
        prefixes = (
            values.isEmpty ? 0 : ValueOrdering.sortingPrefix(values[0]),
            values.count < 2 ? 0 : ValueOrdering.sortingPrefix(values[1])
        )
    }
}

/// A B+ tree of keys in PostgreSQL's order, duplicates told apart by row number.
///
/// Like PostgreSQL's own, it unlinks a page only when it is empty, and splits the rightmost page unevenly when keys
/// come in ascending order. Source: src/backend/access/nbtree/README.
struct OrderedIndex {
    /// Where an entry stands. Valid until the index changes.
    struct Position {
        var leaf: UInt32
        var slot: Int
        var isEnd: Bool { leaf == OrderedIndex.none }
    }

    private struct Node {
        /// Of a leaf: its entries. Of an inner node: separators; child `i + 1` holds what is not below separator `i`.
        var entries: ContiguousArray<OrderedEntry> = []
        var children: ContiguousArray<UInt32> = []
        var next: UInt32 = OrderedIndex.none
        var previous: UInt32 = OrderedIndex.none
    }

    private static let none = UInt32.max
    private static let capacity = 64

    /// Ordinals of the key's columns.
    let columns: [Int]
    private let isFirstExact: Bool
    private let isSecondExact: Bool
    private var nodes: ContiguousArray<Node> = [Node()]
    private var freeNodes: ContiguousArray<UInt32> = []
    private var root: UInt32 = 0
    private var height = 0
    private(set) var count = 0

    init(columns: [Int], types: [ColumnType]) {
        self.columns = columns
        isFirstExact = ValueOrdering.isExact(types[0])
        isSecondExact = types.count > 1 && ValueOrdering.isExact(types[1])
    }

    // MARK: Comparing

    func entry(_ values: [Value], row: UInt32) -> OrderedEntry {
        OrderedEntry(
            first: ValueOrdering.sortingPrefix(values[columns[0]]),
            second: columns.count > 1 ? ValueOrdering.sortingPrefix(values[columns[1]]) : 0, values: values, row: row)
    }

    func precedes(_ left: OrderedEntry, _ right: OrderedEntry) -> Bool {
        if left.first != right.first { return left.first < right.first }
        var column = 0
        if isFirstExact && left.first != .max {
            if left.second != right.second { return left.second < right.second }
            column = isSecondExact && left.second != .max ? 2 : 1
        }
        while column < columns.count {
            let ordinal = columns[column]
            let order = ValueOrdering.compare(left.values[ordinal], right.values[ordinal])
            if order != 0 { return order < 0 }
            column += 1
        }
        return left.row < right.row
    }

    /// Negative, zero or positive as the entry's leading columns lie before, on or after the bound.
    func compare(_ entry: OrderedEntry, _ bound: OrderedBound) -> Int {
        let count = bound.values.count
        if count == 0 { return 0 }
        if entry.first != bound.prefixes.0 { return entry.first < bound.prefixes.0 ? -1 : 1 }
        var column = 0
        if isFirstExact && entry.first != .max {
            if count == 1 { return 0 }
            if entry.second != bound.prefixes.1 { return entry.second < bound.prefixes.1 ? -1 : 1 }
            column = isSecondExact && entry.second != .max ? 2 : 1
        }
        while column < count {
            let order = ValueOrdering.compare(entry.values[columns[column]], bound.values[column])
            if order != 0 { return order }
            column += 1
        }
        return 0
    }

    // MARK: Changing

    /// Adds an entry. Logarithmic.
    mutating func insert(_ entry: OrderedEntry) {
        count += 1
        guard let (separator, sibling) = insert(entry, into: root, level: height) else { return }
        var top = Node()
        top.entries = [separator]
        top.children = [root, sibling]
        root = allocate(top)
        height += 1
    }

    /// Removes an entry. Logarithmic.
    ///
    /// - Precondition: an entry of that key and row is there.
    mutating func remove(_ entry: OrderedEntry) {
        count -= 1
        if remove(entry, from: root, level: height), height > 0 {
            // Everything is gone: the root is an empty inner node again a leaf.
            height = 0
            nodes[Int(root)] = Node()
        }
        while height > 0 && nodes[Int(root)].children.count == 1 {
            let old = root
            root = nodes[Int(old)].children[0]
            height -= 1
            free(old)
        }
    }

    private mutating func insert(
        _ entry: OrderedEntry, into node: UInt32, level: Int
    ) -> (separator: OrderedEntry, sibling: UInt32)? {
        if level == 0 {
            let slot = firstSlot(in: node) { precedes($0, entry) }
            nodes[Int(node)].entries.insert(entry, at: slot)
        } else {
            let child = firstSlot(in: node) { !precedes(entry, $0) }
            let split = insert(entry, into: nodes[Int(node)].children[child], level: level - 1)
            guard let (separator, sibling) = split else { return nil }
            nodes[Int(node)].entries.insert(separator, at: child)
            nodes[Int(node)].children.insert(sibling, at: child + 1)
        }
        guard nodes[Int(node)].entries.count > Self.capacity else { return nil }
        return level == 0 ? splitLeaf(node) : splitInner(node)
    }

    private mutating func splitLeaf(_ node: UInt32) -> (separator: OrderedEntry, sibling: UInt32) {
        let isRightmost = nodes[Int(node)].next == Self.none
        let cut = isRightmost ? Self.capacity * 9 / 10 : (Self.capacity + 1) / 2
        var sibling = Node()
        sibling.entries.reserveCapacity(Self.capacity + 1)
        sibling.entries.append(contentsOf: nodes[Int(node)].entries[cut...])
        nodes[Int(node)].entries.removeSubrange(cut...)
        sibling.next = nodes[Int(node)].next
        sibling.previous = node
        let separator = sibling.entries[0]
        let following = sibling.next
        let id = allocate(sibling)
        nodes[Int(node)].next = id
        if following != Self.none { nodes[Int(following)].previous = id }
        return (separator, id)
    }

    private mutating func splitInner(_ node: UInt32) -> (separator: OrderedEntry, sibling: UInt32) {
        let middle = nodes[Int(node)].entries.count / 2
        let separator = nodes[Int(node)].entries[middle]
        var sibling = Node()
        sibling.entries.append(contentsOf: nodes[Int(node)].entries[(middle + 1)...])
        sibling.children.append(contentsOf: nodes[Int(node)].children[(middle + 1)...])
        nodes[Int(node)].entries.removeSubrange(middle...)
        nodes[Int(node)].children.removeSubrange((middle + 1)...)
        return (separator, allocate(sibling))
    }

    /// Returns whether the node became empty.
    private mutating func remove(_ entry: OrderedEntry, from node: UInt32, level: Int) -> Bool {
        if level == 0 {
            let slot = firstSlot(in: node) { precedes($0, entry) }
            precondition(
                slot < nodes[Int(node)].entries.count && nodes[Int(node)].entries[slot].row == entry.row,
                "index has no such entry for row \(entry.row)")
            nodes[Int(node)].entries.remove(at: slot)
            return nodes[Int(node)].entries.isEmpty
        }
        let child = firstSlot(in: node) { !precedes(entry, $0) }
        let childNode = nodes[Int(node)].children[child]
        guard remove(entry, from: childNode, level: level - 1) else { return false }
        unlink(childNode, isLeaf: level == 1)
        nodes[Int(node)].children.remove(at: child)
        if !nodes[Int(node)].entries.isEmpty { nodes[Int(node)].entries.remove(at: max(child - 1, 0)) }
        return nodes[Int(node)].children.isEmpty
    }

    private mutating func unlink(_ node: UInt32, isLeaf: Bool) {
        if isLeaf {
            let (previous, next) = (nodes[Int(node)].previous, nodes[Int(node)].next)
            if previous != Self.none { nodes[Int(previous)].next = next }
            if next != Self.none { nodes[Int(next)].previous = previous }
        }
        free(node)
    }

    private mutating func allocate(_ node: Node) -> UInt32 {
        if let id = freeNodes.popLast() {
            nodes[Int(id)] = node
            return id
        }
        nodes.append(node)
        return UInt32(nodes.count - 1)
    }

    private mutating func free(_ node: UInt32) {
        nodes[Int(node)] = Node()
        freeNodes.append(node)
    }

    // MARK: Searching

    /// The number of leading entries of a node for which `isBefore` holds.
    @inline(__always)
    private func firstSlot(in node: UInt32, _ isBefore: (OrderedEntry) -> Bool) -> Int {
        nodes[Int(node)].entries.withUnsafeBufferPointer { entries in
            var low = 0
            var high = entries.count
            while low < high {
                let middle = (low + high) / 2
                if isBefore(entries[middle]) { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    private func descend(_ isBefore: (OrderedEntry) -> Bool) -> Position {
        var node = root
        for _ in 0..<height { node = nodes[Int(node)].children[firstSlot(in: node, isBefore)] }
        return normalized(Position(leaf: node, slot: firstSlot(in: node, isBefore)))
    }

    /// The first entry that lies on or after the bound; after it, if `isAfter`.
    func lowerPosition(_ bound: OrderedBound, isAfter: Bool) -> Position {
        isAfter ? descend { compare($0, bound) <= 0 } : descend { compare($0, bound) < 0 }
    }

    /// The first entry after `entry`, which itself need not be there any more.
    func position(after entry: OrderedEntry) -> Position { descend { !precedes(entry, $0) } }

    /// The first entry that does not precede `entry`.
    func position(notBefore entry: OrderedEntry) -> Position { descend { precedes($0, entry) } }

    /// The entry before `position`, or an end position when there is none.
    func position(before position: Position) -> Position {
        if position.isEnd {
            var node = root
            for _ in 0..<height { node = nodes[Int(node)].children.last! }
            let last = nodes[Int(node)].entries.count - 1
            return last < 0 ? Position(leaf: Self.none, slot: 0) : Position(leaf: node, slot: last)
        }
        if position.slot > 0 { return Position(leaf: position.leaf, slot: position.slot - 1) }
        let previous = nodes[Int(position.leaf)].previous
        guard previous != Self.none else { return Position(leaf: Self.none, slot: 0) }
        return Position(leaf: previous, slot: nodes[Int(previous)].entries.count - 1)
    }

    func advance(_ position: inout Position) {
        position.slot += 1
        position = normalized(position)
    }

    /// - Precondition: the position is not an end.
    subscript(position: Position) -> OrderedEntry { nodes[Int(position.leaf)].entries[position.slot] }

    private func normalized(_ position: Position) -> Position {
        guard position.slot >= nodes[Int(position.leaf)].entries.count else { return position }
        return Position(leaf: nodes[Int(position.leaf)].next, slot: 0)
    }

    /// Walks the whole tree and traps on a broken invariant; for tests. Linear.
    func checkInvariants() {
        var seen = 0
        var position = lowerPosition(OrderedBound([]), isAfter: false)
        var last: OrderedEntry?
        while !position.isEnd {
            let entry = self[position]
            if let last { precondition(precedes(last, entry), "index entries out of order") }
            last = entry
            seen += 1
            advance(&position)
        }
        precondition(seen == count, "index counts \(count) entries and links \(seen)")
    }
}
