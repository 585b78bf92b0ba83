import Ports

/// A transaction whose commit record is in the WAL.
struct PostgresCommitRecord {
    var transactionID: UInt64
    /// LSN of its first record.
    var firstLSN: LSN
    var commitLSN: LSN
    var endLSN: LSN
    var committedAt: Instant
    var changes: ContiguousArray<LoggedChange>
}

/// A first-in first-out queue in one array that forgets what was taken. Amortised constant.
struct PostgresQueue<Element: Sendable>: Sendable {
    private var elements: ContiguousArray<Element?> = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { elements.count == head }
    var first: Element? { isEmpty ? nil : elements[head] }

    /// The element `index` places behind the first.
    subscript(index: Int) -> Element {
        get { elements[head + index]! }
        set { elements[head + index] = newValue }
    }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func removeFirst() -> Element {
        let element = elements[head]!
        elements[head] = nil
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 64 && head * 2 >= elements.count {
            elements.removeSubrange(0..<head)
            head = 0
        }
        return element
    }

    mutating func removeLast() -> Element {
        precondition(!isEmpty, "the queue is empty")
        let element = elements.removeLast()!
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        }
        return element
    }

    /// Keeps the elements that satisfy the predicate. Linear.
    mutating func filter(_ isKept: (Element) -> Bool) {
        elements.removeSubrange(0..<head)
        head = 0
        elements.removeAll { !isKept($0!) }
    }
}
