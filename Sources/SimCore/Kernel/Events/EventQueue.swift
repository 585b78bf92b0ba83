/// The pending events of a simulation, in order of time, and among equal times in order of insertion.
///
/// A hierarchical timing wheel over the base-64 digits of the time. With `last` the time the wheel stands at, an event at `time >= last`
/// lies on the level of the highest digit in which `time` and `last` differ, in the slot that this digit of `time` names:
///
/// - every event of a lower level is earlier than every event of a higher one, and within a level slots are in order of time;
/// - where an event lies follows from `time` and `last` alone, so an event is removed in O(1), knowing only its node;
/// - all events of a level 0 slot have the same time, so the first of its list is the next one;
/// - events of equal time always lie in the same slot, in order of insertion, since a slot is redistributed from first to last.
///
/// An event is moved at most once per level (10 times at the very most; once or twice as a rule), and a slot's only event is not moved at all.
/// Nodes live in one slab and are linked by index; nothing is allocated once the slab has grown to the largest number of events pending.
public struct EventQueue<Payload: BitwiseCopyable>: ~Copyable {
    /// Names a pending event, to cancel it. A stale handle is recognised by its generation and does nothing.
    public struct Handle: BitwiseCopyable, Equatable, Sendable {
        @usableFromInline let index: UInt32
        @usableFromInline let generation: UInt32
        @inlinable init(index: UInt32, generation: UInt32) {
            self.index = index
            self.generation = generation
        }
    }

    @usableFromInline struct Node {
        @usableFromInline var time: UInt64
        @usableFromInline var payload: Payload
        @usableFromInline var next: UInt32  // Also links the free list.
        @usableFromInline var previous: UInt32
        @usableFromInline var generation: UInt32  // Odd while the node is pending.
        @inlinable init(time: UInt64, payload: Payload, next: UInt32, previous: UInt32, generation: UInt32) {
            self.time = time
            self.payload = payload
            self.next = next
            self.previous = previous
            self.generation = generation
        }
    }

    @usableFromInline struct Slot {
        @usableFromInline var first: UInt32
        @usableFromInline var last: UInt32
        @inlinable init() {
            first = .max
            last = .max
        }
    }

    @usableFromInline var nodes: UnsafeMutablePointer<Node>
    /// 64 per level; empty ones are not read: the bitmaps say which are.
    @usableFromInline let slots: UnsafeMutablePointer<Slot>
    @usableFromInline let occupied: UnsafeMutablePointer<UInt64>  // By level: which slots hold an event.
    @usableFromInline var levels: UInt32 = 0  // Which levels hold an event.
    @usableFromInline var free: UInt32 = .max
    @usableFromInline var used = 0  // Nodes ever handed out; those beyond have never been touched.
    @usableFromInline var capacity: Int

    /// The time the wheel stands at: no pending event is earlier, and none may be inserted that is.
    @inlinable public var last: UInt64 { _last }
    @usableFromInline var _last: UInt64 = 0

    /// The number of pending events.
    @inlinable public var count: Int { _count }
    @usableFromInline var _count = 0

    /// The handle of the event popped last: stale by then, and still its name.
    @inlinable public var popped: Handle { _popped }
    @usableFromInline var _popped = Handle(index: .max, generation: 0)

    /// Whether no event is pending.
    @inlinable public var isEmpty: Bool { levels == 0 }

    /// An empty queue with room for so many events; it grows when there are more.
    public init(minimumCapacity: Int = 64) {
        capacity = Swift.max(1, minimumCapacity)
        nodes = .allocate(capacity: capacity)
        slots = .allocate(capacity: 704)
        slots.initialize(repeating: Slot(), count: 704)
        occupied = .allocate(capacity: 11)
        occupied.initialize(repeating: 0, count: 11)
    }

    @inlinable deinit {
        nodes.deallocate()
        slots.deallocate()
        occupied.deallocate()
    }

    @usableFromInline @inline(never) mutating func grow() {
        let larger = UnsafeMutablePointer<Node>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: nodes, count: used)
        nodes.deallocate()
        nodes = larger
        capacity *= 2
    }

    /// Inserts an event. `time` must not be earlier than `last`; an earlier one is taken to be at `last`.
    @inlinable @discardableResult
    public mutating func insert(at time: UInt64, _ payload: Payload) -> Handle {
        let time = Swift.max(time, _last)
        let index: UInt32
        if free != .max {
            index = free
            let node = nodes + Int(index)
            free = node.pointee.next
            node.pointee.time = time
            node.pointee.payload = payload
            node.pointee.generation &+= 1
        } else {
            if used == capacity { grow() }
            index = UInt32(truncatingIfNeeded: used)
            used &+= 1
            (nodes + Int(index)).initialize(
                to: Node(time: time, payload: payload, next: .max, previous: .max, generation: 1))
        }
        _count &+= 1
        append(index)
        return Handle(index: index, generation: nodes[Int(index)].generation)
    }

    /// Where an event at `time` lies as long as `last` stays in its slot.
    @inlinable @inline(__always) func position(_ time: UInt64) -> (level: Int, slot: Int) {
        // A division by six, exact for 0...63.
        let level = ((63 &- ((time ^ _last) | 1).leadingZeroBitCount) &* 43) &>> 8
        return (level, Int(truncatingIfNeeded: (time &>> UInt64(truncatingIfNeeded: level &* 6)) & 63))
    }

    @inlinable @inline(__always) mutating func append(_ index: UInt32) {
        let node = nodes + Int(index)
        let (level, digit) = position(node.pointee.time)
        let slot = slots + ((level &<< 6) &+ digit)
        node.pointee.next = .max
        let bits = occupied[level]
        let bit = UInt64(1) &<< UInt64(truncatingIfNeeded: digit)
        if bits & bit == 0 {
            occupied[level] = bits | bit
            levels |= UInt32(truncatingIfNeeded: 1 &<< level)
            node.pointee.previous = .max
            slot.pointee.first = index
        } else {
            let tail = slot.pointee.last
            node.pointee.previous = tail
            nodes[Int(tail)].next = index
        }
        slot.pointee.last = index
    }

    @inlinable @inline(__always) mutating func vacate(level: Int, slot: Int) {
        let rest = occupied[level] & ~(UInt64(1) &<< UInt64(truncatingIfNeeded: slot))
        occupied[level] = rest
        if rest == 0 { levels &= ~UInt32(truncatingIfNeeded: 1 &<< level) }
    }

    @inlinable @inline(__always) mutating func release(_ index: UInt32) {
        nodes[Int(index)].generation &+= 1
        nodes[Int(index)].next = free
        free = index
        _count &-= 1
    }

    /// Removes the next event and moves to its time; nil, if there is none at `limit` or before. `last` never moves beyond `limit`.
    @inlinable public mutating func pop(upTo limit: UInt64 = .max) -> (time: UInt64, payload: Payload)? {
        while levels != 0 {
            let level = levels.trailingZeroBitCount
            let digit = occupied[level].trailingZeroBitCount
            let slot = slots + ((level &<< 6) &+ digit)
            let index = slot.pointee.first
            let node = nodes + Int(index)
            let next = node.pointee.next
            if level == 0 || next == .max {
                let time = node.pointee.time
                if time > limit { return nil }
                _last = time
                _popped = Handle(index: index, generation: node.pointee.generation)
                if next == .max {
                    vacate(level: level, slot: digit)
                } else {
                    slot.pointee.first = next
                    nodes[Int(next)].previous = .max
                }
                release(index)
                return (time, node.pointee.payload)
            }
            let shift = UInt64(truncatingIfNeeded: level &* 6)
            let base = (node.pointee.time &>> shift) &<< shift
            if base > limit { return nil }
            _last = base
            vacate(level: level, slot: digit)
            var rest = index
            while rest != .max {
                let following = nodes[Int(rest)].next
                append(rest)
                rest = following
            }
        }
        return nil
    }

    /// A time not later than that of the next event, and later than `last` unless an event may be due at `last`; nil if there is none.
    @inlinable public var earliestBound: UInt64? {
        if levels == 0 { return nil }
        let level = levels.trailingZeroBitCount
        let node = nodes + Int(slots[(level &<< 6) &+ occupied[level].trailingZeroBitCount].first)
        if level == 0 || node.pointee.next == .max { return node.pointee.time }
        let shift = UInt64(truncatingIfNeeded: level &* 6)
        return (node.pointee.time &>> shift) &<< shift
    }

    /// The payload of a pending event; nil if it has been popped or removed.
    @inlinable public subscript(handle: Handle) -> Payload? {
        let node = nodes + Int(handle.index)
        return Int(handle.index) < used && node.pointee.generation == handle.generation ? node.pointee.payload : nil
    }

    /// Cancels a pending event, and returns its payload; nil, and no effect, if it has been popped or removed already.
    @inlinable @discardableResult
    public mutating func remove(_ handle: Handle) -> Payload? {
        let node = nodes + Int(handle.index)
        guard Int(handle.index) < used, node.pointee.generation == handle.generation else { return nil }
        let (level, digit) = position(node.pointee.time)
        let (previous, next) = (node.pointee.previous, node.pointee.next)
        let slot = slots + ((level &<< 6) &+ digit)
        if previous == .max { slot.pointee.first = next } else { nodes[Int(previous)].next = next }
        if next == .max { slot.pointee.last = previous } else { nodes[Int(next)].previous = previous }
        if previous == .max && next == .max { vacate(level: level, slot: digit) }
        release(handle.index)
        return node.pointee.payload
    }
}
