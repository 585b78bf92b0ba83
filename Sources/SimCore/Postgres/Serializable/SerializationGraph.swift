import Ports

/// Serializable snapshot isolation: who read what (SIREAD locks), who wrote over what another read (rw-antidependencies),
/// and when two such edges in a row make a structure that could be part of a cycle.
///
/// Every cycle of dependencies under snapshot isolation has a transaction T1 with edges T0 -> T1 -> T2 in which T2 is the
/// first of the cycle to commit; so it is enough to break these. Locks and edges of a committed transaction are kept until
/// every transaction that overlapped it has ended.
/// Source: src/backend/storage/lmgr/README-SSI; Ports and Grittner, "Serializable Snapshot Isolation in PostgreSQL", 2012.
struct SerializationGraph {
    /// A serializable transaction.
    struct Node {
        enum State { case active, prepared, committed }

        var state = State.active
        /// It must fail at its next statement, or at its commit.
        var isDoomed = false
        /// It committed without having written.
        var isReadOnly = false
        /// Commits up to this sequence number of the server are in its snapshot.
        var snapshot: UInt64 = 0
        /// The graph's clock when the snapshot was taken, when the commit began, and when it became visible.
        var begunAt: UInt64 = 0
        var preparedAt: UInt64 = 0
        var committedAt: UInt64 = 0
        /// The server's sequence number of its commit.
        var commitSequence: UInt64 = 0
        /// At its commit it had an edge to a transaction that had committed before.
        var hadEarlierOutEdge = false
        /// Transactions that read what this one overwrote, and those that overwrote what this one read.
        var inEdges: [Int] = []
        var outEdges: [Int] = []
        var targets: [ReadTarget] = []
        var isUsed = false
    }

    private(set) var nodes: ContiguousArray<Node> = []
    private var freeNodes: ContiguousArray<Int> = []
    private var committed = FIFOQueue<Int>()
    private var active: ContiguousArray<Int> = []
    private var nodeOfCommit: [UInt64: Int] = [:]
    private var readers = ReadLockTable()
    /// Counts preparations and commits.
    private var clock: UInt64 = 0

    /// Whether a write must look for readers at all.
    var isEmpty: Bool { active.isEmpty && committed.isEmpty }
    /// Transactions kept, for tests.
    var count: Int { nodes.count - freeNodes.count }
    var readLockCount: Int { readers.count }

    // MARK: Life of a transaction

    /// A transaction takes its snapshot.
    mutating func begin(snapshot: UInt64) -> Int {
        var node = Node()
        node.snapshot = snapshot
        node.begunAt = clock
        node.isUsed = true
        let number: Int
        if let free = freeNodes.popLast() {
            number = free
            nodes[number] = node
        } else {
            number = nodes.count
            nodes.append(node)
        }
        active.append(number)
        return number
    }

    /// A transaction asks to commit. Afterwards it cannot be doomed any more.
    ///
    /// - Returns: whether it may; if not, it must roll back.
    mutating func prepare(_ node: Int) -> Bool {
        if nodes[node].isDoomed { return false }
        // Others that wait to be pivots with this one as the first to commit: far -> near -> this.
        for near in nodes[node].inEdges where nodes[near].state != .committed && !nodes[near].isDoomed {
            let isPivot = nodes[near].inEdges.contains { far in
                far == node || nodes[far].state != .committed && !nodes[far].isDoomed
            }
            guard isPivot else { continue }
            // The pivot is what must go, so that a retry of either can succeed; unless it is too late for that.
            if nodes[near].state == .prepared { return false }
            nodes[near].isDoomed = true
        }
        clock += 1
        nodes[node].preparedAt = clock
        nodes[node].state = .prepared
        return true
    }

    /// A prepared transaction has become visible under that sequence number of the server.
    mutating func commit(_ node: Int, sequence: UInt64, isReadOnly: Bool) {
        clock += 1
        nodes[node].committedAt = clock
        nodes[node].commitSequence = sequence
        nodes[node].state = .committed
        nodes[node].isReadOnly = isReadOnly
        nodes[node].hadEarlierOutEdge = nodes[node].outEdges.contains { nodes[$0].state != .active }
        if !isReadOnly { nodeOfCommit[sequence] = node }
        deactivate(node)
        committed.append(node)
        forgetOld()
    }

    /// A transaction rolled back: nothing of it matters any more.
    mutating func abort(_ node: Int) {
        deactivate(node)
        remove(node)
        forgetOld()
    }

    private mutating func deactivate(_ node: Int) {
        guard let index = active.firstIndex(of: node) else { preconditionFailure("transaction \(node) is not active") }
        active.remove(at: index)
    }

    /// Forgets committed transactions that no active one overlaps.
    private mutating func forgetOld() {
        var oldest = UInt64.max
        for node in active { oldest = min(oldest, nodes[node].snapshot) }
        while let node = committed.first, nodes[node].commitSequence <= oldest {
            _ = committed.removeFirst()
            nodeOfCommit[nodes[node].commitSequence] = nil
            remove(node)
        }
    }

    private mutating func remove(_ node: Int) {
        for target in nodes[node].targets { readers.remove(node, target) }
        for other in nodes[node].inEdges { nodes[other].outEdges.removeAll { $0 == node } }
        for other in nodes[node].outEdges { nodes[other].inEdges.removeAll { $0 == node } }
        nodes[node] = Node()
        freeNodes.append(node)
    }

    // MARK: Reading and writing

    mutating func addReadLock(_ node: Int, _ target: ReadTarget) {
        if readers.add(node, target) { nodes[node].targets.append(target) }
    }

    /// The transaction that committed under that sequence number, if it was serializable and still matters.
    func node(ofCommit sequence: UInt64) -> Int? { nodeOfCommit[sequence] }

    /// A transaction writes something that others may have read.
    ///
    /// - Parameter entry: the index entry that appears, for a range.
    /// - Returns: whether it may go on.
    mutating func write(_ writer: Int, over target: ReadTarget) -> Bool {
        for reader in readers.readers(of: target) where !addEdge(reader: reader, writer: writer, acting: writer) {
            return false
        }
        return true
    }

    mutating func write(_ writer: Int, of entry: OrderedEntry, in index: OrderedIndex, table: Int, number: Int) -> Bool
    {
        for reader in readers.readers(of: entry, in: index, table: table, number: number)
        where !addEdge(reader: reader, writer: writer, acting: writer) {
            return false
        }
        return true
    }

    /// Notes that `writer` overwrote, or is overwriting, what `reader` read.
    ///
    /// - Returns: whether the acting one of the two may go on.
    mutating func addEdge(reader: Int, writer: Int, acting: Int) -> Bool {
        guard reader != writer, nodes[reader].isUsed, nodes[writer].isUsed else { return true }
        guard !nodes[reader].isDoomed || reader == acting, !nodes[writer].isDoomed || writer == acting else {
            return true
        }
        // Only transactions that overlap have an antidependency: the writer's effect is not in the reader's snapshot.
        if nodes[reader].state == .committed && nodes[reader].commitSequence <= nodes[writer].snapshot { return true }
        if nodes[acting].isDoomed { return false }
        if nodes[reader].outEdges.contains(writer) { return true }
        nodes[reader].outEdges.append(writer)
        nodes[writer].inEdges.append(reader)
        guard isDangerous(reader: reader, writer: writer) else { return true }
        if acting == writer || nodes[writer].state != .active { return false }
        nodes[writer].isDoomed = true
        return true
    }

    /// Whether the new edge completes T0 -> T1 -> T2 with T2 the first to commit.
    private func isDangerous(reader: Int, writer: Int) -> Bool {
        let (reads, writes) = (nodes[reader], nodes[writer])
        // The writer as T1.
        if writes.state == .committed && writes.hadEarlierOutEdge { return true }
        for other in writes.outEdges {
            let last = nodes[other]
            guard last.state != .active else { continue }
            if reads.state == .committed && last.preparedAt > reads.committedAt { continue }
            if writes.state == .committed && last.preparedAt > writes.committedAt { continue }
            if reads.isReadOnly && last.preparedAt > reads.begunAt { continue }
            return true
        }
        // The reader as T1.
        guard writes.state != .active, !reads.isReadOnly else { return false }
        for other in reads.inEdges {
            let first = nodes[other]
            if first.isDoomed { continue }
            if first.state == .committed && first.committedAt < writes.preparedAt { continue }
            if first.isReadOnly && first.begunAt < writes.preparedAt { continue }
            return true
        }
        return false
    }

    func isDoomed(_ node: Int) -> Bool { nodes[node].isDoomed }
}
