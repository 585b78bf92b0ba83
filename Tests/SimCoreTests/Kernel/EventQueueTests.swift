import SimCore
import Testing

@Suite("Event queue")
struct EventQueueTests {
    @Test("Events come in order of time, whatever the order in which they were inserted")
    func orderOfTime() {
        let queue = QueueUnderTest()
        for time in [5, 1 << 40, 0, 63, 64, 4_096, 65, .max, 4_095] as [UInt64] { queue.insert(at: time, time) }
        var popped: [UInt64] = []
        while let (time, payload) = queue.pop() {
            #expect(time == payload)
            popped.append(time)
        }
        #expect(popped == [0, 5, 63, 64, 65, 4_095, 4_096, 1 << 40, .max])
        #expect(queue.isEmpty)
    }

    @Test("Events of one time come in order of insertion, also when the wheel turns between the insertions")
    func tiesInOrderOfInsertion() {
        let queue = QueueUnderTest()
        queue.insert(at: 10_000, 1)
        queue.insert(at: 9_990, 0)
        queue.insert(at: 10_000, 2)
        #expect(queue.pop()?.payload == 0)
        queue.insert(at: 10_000, 3)
        #expect(queue.pop()?.payload == 1)
        queue.insert(at: 10_000, 4)
        #expect([queue.pop()?.payload, queue.pop()?.payload, queue.pop()?.payload] == [2, 3, 4])
    }

    @Test("An event inserted for a time that has passed comes at once, after what is due already")
    func insertionInThePast() {
        let queue = QueueUnderTest()
        queue.insert(at: 100, 1)
        queue.insert(at: 100, 2)
        _ = queue.pop()
        queue.insert(at: 7, 3)
        #expect(queue.pop()?.payload == 2)
        let late = queue.pop()
        #expect(late?.time == 100)
        #expect(late?.payload == 3)
    }

    @Test("Nothing beyond the limit is popped, and what is at the limit is")
    func limit() {
        let queue = QueueUnderTest()
        queue.insert(at: 1_000, 1)
        queue.insert(at: 1_001, 2)
        #expect(queue.pop(upTo: 999) == nil)
        #expect(queue.last <= 999)
        #expect(queue.pop(upTo: 1_000)?.payload == 1)
        #expect(queue.pop(upTo: 1_000) == nil)
        #expect(queue.count == 1)
    }

    @Test("A removed event never comes, and its neighbours of the same time still do, in order")
    func removal() {
        let queue = QueueUnderTest()
        let handles = (0..<5).map { queue.insert(at: 77, $0) }
        for index in [2, 0, 4] { #expect(queue.remove(handles[index]) == UInt64(index)) }
        #expect(queue.count == 2)
        #expect(queue.pop()?.payload == 1)
        #expect(queue.pop()?.payload == 3)
        #expect(queue.pop() == nil)
    }

    @Test("A stale handle does nothing, although its node is in use again")
    func staleHandle() {
        let queue = QueueUnderTest()
        let popped = queue.insert(at: 1, 1)
        _ = queue.pop()
        let removed = queue.insert(at: 2, 2)
        queue.remove(removed)
        let fresh = queue.insert(at: 3, 3)
        #expect(queue.remove(popped) == nil)
        #expect(queue.remove(removed) == nil)
        #expect(queue[removed] == nil)
        #expect(queue[fresh] == 3)
        #expect(queue.pop()?.payload == 3)
    }

    @Test(
        "The queue does what a sorted array does, under random insertions, removals and pops",
        arguments: 1...24 as ClosedRange<UInt64>)
    func comparedWithSortedArray(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let queue = QueueUnderTest(minimumCapacity: 1)
        var reference = SortedArrayQueue()
        var live: [(handle: EventQueue<UInt64>.Handle, payload: UInt64)] = []
        var stale: [EventQueue<UInt64>.Handle] = []
        var nextPayload: UInt64 = 0

        for _ in 0..<4_000 {
            switch random.next(below: 10) {
            case 0...4:
                let time = Self.drawTime(from: reference.last, &random)
                live.append((queue.insert(at: time, nextPayload), nextPayload))
                reference.insert(at: time, nextPayload)
                nextPayload += 1
            case 5, 6:
                let limit = random.next(below: 2) == 0 ? .max : Self.drawTime(from: reference.last, &random)
                let (found, expected) = (queue.pop(upTo: limit), reference.pop(upTo: limit))
                #expect(found?.time == expected?.time)
                #expect(found?.payload == expected?.payload)
                if let index = live.firstIndex(where: { $0.payload == expected?.payload }) {
                    stale.append(live.remove(at: index).handle)
                }
            case 7, 8:
                guard !live.isEmpty else { continue }
                let (handle, payload) = live.remove(at: Int(random.next(below: UInt64(live.count))))
                #expect(queue.remove(handle) == payload)
                reference.remove(payload)
                stale.append(handle)
            default:
                guard !stale.isEmpty else { continue }
                #expect(queue.remove(stale[Int(random.next(below: UInt64(stale.count)))]) == nil)
            }
            #expect(queue.count == reference.entries.count)
            #expect(queue.isEmpty == reference.entries.isEmpty)
            if let next = reference.entries.first {
                #expect(queue.earliestBound.map { $0 <= next.time } == true)
            } else {
                #expect(queue.earliestBound == nil)
            }
        }
    }

    /// At once, soon, late or at the end of time, so that every level of the wheel is met.
    private static func drawTime(from last: UInt64, _ random: inout SplitMix64) -> UInt64 {
        let span =
            switch random.next(below: 8) {
            case 0: 0 as UInt64
            case 1, 2: random.next(below: 3)
            case 3, 4: random.next(below: 200)
            case 5: random.next(below: 1 << 20)
            case 6: random.next(below: 1 << 44)
            default: random.next() >> random.next(below: 64)
            }
        let (time, overflow) = last.addingReportingOverflow(span)
        return overflow ? .max : time
    }
}

/// The queue behind a class: a value that cannot be copied does not go through `#expect`.
private final class QueueUnderTest {
    private var queue: EventQueue<UInt64>

    init(minimumCapacity: Int = 64) { queue = EventQueue(minimumCapacity: minimumCapacity) }

    var isEmpty: Bool { queue.isEmpty }
    var count: Int { queue.count }
    var last: UInt64 { queue.last }
    var earliestBound: UInt64? { queue.earliestBound }
    subscript(handle: EventQueue<UInt64>.Handle) -> UInt64? { queue[handle] }

    @discardableResult
    func insert(at time: UInt64, _ payload: UInt64) -> EventQueue<UInt64>.Handle { queue.insert(at: time, payload) }
    @discardableResult
    func remove(_ handle: EventQueue<UInt64>.Handle) -> UInt64? { queue.remove(handle) }
    func pop(upTo limit: UInt64 = .max) -> (time: UInt64, payload: UInt64)? { queue.pop(upTo: limit) }
}

/// What an event queue means, in the plainest way.
private struct SortedArrayQueue {
    private(set) var entries: [(time: UInt64, payload: UInt64)] = []
    private(set) var last: UInt64 = 0

    mutating func insert(at time: UInt64, _ payload: UInt64) {
        let position = entries.firstIndex { $0.time > time } ?? entries.count
        entries.insert((time, payload), at: position)
    }

    mutating func remove(_ payload: UInt64) { entries.removeAll { $0.payload == payload } }

    mutating func pop(upTo limit: UInt64) -> (time: UInt64, payload: UInt64)? {
        guard let first = entries.first, first.time <= limit else { return nil }
        last = first.time
        return entries.removeFirst()
    }
}
