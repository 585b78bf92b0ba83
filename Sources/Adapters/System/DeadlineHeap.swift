/// Deadlines with the handler each is for, earliest first. A binary heap.
struct DeadlineHeap {
    private var entries: [(deadline: Int64, token: UInt64)] = []

    var first: Int64? { entries.first?.deadline }

    /// Logarithmic in the number of entries, as is removal.
    mutating func insert(_ deadline: Int64, _ token: UInt64) {
        entries.append((deadline, token))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].deadline < entries[parent].deadline else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst(notAfter now: Int64) -> UInt64? {
        guard let first = entries.first, first.deadline <= now else { return nil }
        let last = entries.removeLast()
        guard !entries.isEmpty else { return first.token }
        entries[0] = last
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && entries[child].deadline < entries[smallest].deadline {
                smallest = child
            }
            guard smallest != parent else { return first.token }
            entries.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
