/// Names a suspended task, to wake it once. A stale one does nothing.
public struct WaiterID: Hashable, Sendable, BitwiseCopyable {
    @usableFromInline let index: UInt32
    @usableFromInline let generation: UInt32

    @inlinable init(index: UInt32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// The id in one word, for an event's payload.
    @inlinable public var word: UInt64 { UInt64(generation) << 32 | UInt64(index) }
    @inlinable public init(word: UInt64) {
        self.init(index: UInt32(truncatingIfNeeded: word), generation: UInt32(truncatingIfNeeded: word >> 32))
    }
}

/// Why a suspended task was woken.
public enum WakeReason: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// What it waited for has happened.
    case happened
    /// Its own time limit passed first.
    case timedOut
    /// Its incarnation ended.
    case stopped
    /// Its task was cancelled.
    case cancelled
}

/// What a task waits for, for people: shown when a run deadlocks.
public struct WaitReason: Sendable {
    @usableFromInline let what: StaticString
    @usableFromInline let detail: UInt64?

    /// - Parameters:
    ///   - what: completes "waits for ...", for example `"a message"`.
    ///   - detail: a number that says which one, where there is one.
    @inlinable public init(_ what: StaticString, _ detail: UInt64? = nil) {
        self.what = what
        self.detail = detail
    }

    var description: String { detail.map { "\(what) \($0)" } ?? "\(what)" }
}

/// A wait of one task: a slot of the store that is used again once the wait is over.
@usableFromInline struct WaiterSlot {
    /// The suspended task; `nil` while it has not suspended yet.
    @usableFromInline var job: UnownedJob?
    @usableFromInline var timer: EventQueue<KernelEvent>.Handle?
    /// What the waker had to say.
    @usableFromInline var value: UInt64 = 0
    /// Odd while in use.
    @usableFromInline var generation: UInt32 = 0
    /// The process that waits; in a free slot, the next free one.
    @usableFromInline var process: UInt32 = 0
    @usableFromInline var task: TaskIdentity = .unknown
    @usableFromInline var isOpen = true
    @usableFromInline var wakeReason = WakeReason.happened
    @usableFromInline var reason = WaitReason("nothing")
    @inlinable init() {}
}

/// The waits of a simulation: a slab with a free list behind a pointer, so that neither exclusivity checks nor reference
/// counts lie on the way.
@usableFromInline struct WaiterStore: ~Copyable {
    @usableFromInline var slots: UnsafeMutablePointer<WaiterSlot>
    /// Slots ever used.
    @usableFromInline var count = 0
    @usableFromInline var capacity = 64
    @usableFromInline var firstFree: UInt32 = .max

    init() { slots = .allocate(capacity: capacity) }
    @inlinable deinit { slots.deallocate() }

    @inlinable @inline(__always) mutating func make(process: UInt32, _ reason: WaitReason) -> UInt32 {
        let index: UInt32
        if firstFree != .max {
            index = firstFree
            firstFree = slots[Int(index)].process
        } else {
            index = add()
        }
        let slot = slots + Int(index)
        slot.pointee.job = nil
        slot.pointee.timer = nil
        slot.pointee.value = 0
        slot.pointee.generation &+= 1
        slot.pointee.process = process
        slot.pointee.isOpen = true
        slot.pointee.reason = reason
        return index
    }

    @usableFromInline @inline(never) mutating func add() -> UInt32 {
        if count == capacity {
            let larger = UnsafeMutablePointer<WaiterSlot>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: slots, count: count)
            slots.deallocate()
            slots = larger
            capacity *= 2
        }
        (slots + count).initialize(to: WaiterSlot())
        count += 1
        return UInt32(count - 1)
    }

    @inlinable @inline(__always) mutating func release(_ index: UInt32) {
        slots[Int(index)].generation &+= 1
        slots[Int(index)].process = firstFree
        firstFree = index
    }

    @inlinable @inline(__always) func id(of index: UInt32) -> WaiterID {
        WaiterID(index: index, generation: slots[Int(index)].generation)
    }

    /// Whether the id names a wait that is not over.
    @inlinable @inline(__always) func isOpen(_ id: WaiterID) -> Bool {
        Int(id.index) < count && slots[Int(id.index)].generation == id.generation && slots[Int(id.index)].isOpen
    }

    /// The open waits of a process, by slot.
    func open(ofProcess process: UInt32) -> [WaiterID] {
        (0..<count).compactMap { index in
            let slot = slots[index]
            return slot.generation & 1 == 1 && slot.isOpen && slot.process == process
                ? WaiterID(index: UInt32(index), generation: slot.generation) : nil
        }
    }
}
