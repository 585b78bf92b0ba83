/// A growable array of elements that cannot be copied: they are looked at and changed where they are.
///
/// An `Array` of large structs copies an element, with every reference in it, for many a look at one of its fields.
struct UniqueArray<Element: ~Copyable>: ~Copyable {
    private var base: UnsafeMutablePointer<Element>
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 0
        base = UnsafeMutablePointer<Element>.allocate(capacity: 0)
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    var indices: Range<Int> { 0..<count }

    /// The element at an index below `count`.
    subscript(index: Int) -> Element {
        @inline(__always) _read {
            precondition(index >= 0 && index < count, "index out of range")
            yield base[index]
        }
        @inline(__always) _modify {
            precondition(index >= 0 && index < count, "index out of range")
            yield &base[index]
        }
    }

    /// Adds an element. Amortised constant.
    mutating func append(_ element: consuming Element) {
        if count == capacity {
            capacity = max(8, capacity * 2)
            let grown = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
            grown.moveInitialize(from: base, count: count)
            base.deallocate()
            base = grown
        }
        (base + count).initialize(to: element)
        count += 1
    }

    mutating func removeAll() {
        base.deinitialize(count: count)
        count = 0
    }
}

/// Only its owner can reach the elements, so what may be sent elsewhere with them may be with it.
extension UniqueArray: @unchecked Sendable where Element: Sendable & ~Copyable {}
