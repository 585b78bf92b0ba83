/// A first-in first-out queue in one array that forgets what was taken, also when it never runs empty. All but what is said to
/// be linear takes constant time, amortised: each element is moved once at most for each time that it is taken.
struct FIFOQueue<Element> {
    /// Those before `head` have been taken.
    private var elements: ContiguousArray<Element?> = []
    private var head = 0

    /// So many have to have been taken before what is left is moved: a short queue is moved when it has run empty.
    private static var compactionThreshold: Int { 64 }

    var count: Int { elements.count - head }
    var isEmpty: Bool { elements.count == head }
    var first: Element? { isEmpty ? nil : elements[head] }

    /// The element `index` places behind the first.
    subscript(index: Int) -> Element {
        get { elements[head + index]! }
        set { elements[head + index] = newValue }
    }

    mutating func append(_ element: Element) { elements.append(element) }

    /// - Precondition: it is not empty.
    mutating func removeFirst() -> Element {
        precondition(!isEmpty, "the queue is empty")
        let element = elements[head]!
        elements[head] = nil
        head += 1
        if head == elements.count {
            removeAll()
        } else if head >= Self.compactionThreshold && head * 2 >= elements.count {
            elements.removeSubrange(0..<head)
            head = 0
        }
        return element
    }

    /// Takes the first element; `nil` when there is none.
    mutating func popFirst() -> Element? { isEmpty ? nil : removeFirst() }

    /// - Precondition: it is not empty.
    mutating func removeLast() -> Element {
        precondition(!isEmpty, "the queue is empty")
        let element = elements.removeLast()!
        if head == elements.count { removeAll() }
        return element
    }

    /// Keeps the room for as many as there were.
    mutating func removeAll() {
        elements.removeAll(keepingCapacity: true)
        head = 0
    }

    /// Keeps the elements that satisfy the predicate. Linear.
    mutating func filter(_ isKept: (Element) -> Bool) {
        elements.removeSubrange(0..<head)
        head = 0
        elements.removeAll { !isKept($0!) }
    }
}

extension FIFOQueue: Sendable where Element: Sendable {}
