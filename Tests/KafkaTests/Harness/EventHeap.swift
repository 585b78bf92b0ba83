/// Events by time, and among equal times in the order in which they were added.
struct EventHeap<Event> {
    private struct Entry {
        let time: Int64
        let order: Int64
        let slot: Int32
    }

    private var entries: [Entry] = []
    private var events: [Event?] = []
    private var freeSlots: [Int32] = []
    private var nextOrder: Int64 = 0

    var isEmpty: Bool { entries.isEmpty }
    var nextTime: Int64? { entries.first?.time }

    mutating func add(_ event: Event, at time: Int64) {
        let slot: Int32
        if let free = freeSlots.popLast() {
            slot = free
            events[Int(slot)] = event
        } else {
            slot = Int32(events.count)
            events.append(event)
        }
        entries.append(Entry(time: time, order: nextOrder, slot: slot))
        nextOrder += 1
        siftUp(entries.count - 1)
    }

    mutating func removeFirst() -> (time: Int64, event: Event)? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            siftDown(0)
        }
        let event = events[Int(first.slot)]!
        events[Int(first.slot)] = nil
        freeSlots.append(first.slot)
        return (first.time, event)
    }

    private func isBefore(_ left: Entry, _ right: Entry) -> Bool {
        left.time != right.time ? left.time < right.time : left.order < right.order
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        let entry = entries[index]
        while index > 0 {
            let parent = (index - 1) / 2
            guard isBefore(entry, entries[parent]) else { break }
            entries[index] = entries[parent]
            index = parent
        }
        entries[index] = entry
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        let entry = entries[index]
        while true {
            var child = index * 2 + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, isBefore(entries[child + 1], entries[child]) { child += 1 }
            guard isBefore(entries[child], entry) else { break }
            entries[index] = entries[child]
            index = child
        }
        entries[index] = entry
    }
}
