/// A hash index from the hash of a key to the rows that have, or in an older version had, that key.
///
/// Open addressing with linear probing and backward-shift deletion: no tombstones, so a table that is filled and
/// emptied for ever keeps its probe lengths. The rows themselves say whether the key really matches.
struct UniqueIndex {
    private struct Slot {
        /// The key's hash, of which the lower bits are the home position.
        var hash: UInt32
        /// Row number plus one; zero is an empty slot.
        var occupant: UInt32
    }

    private var slots: ContiguousArray<Slot> = ContiguousArray(repeating: Slot(hash: 0, occupant: 0), count: 16)
    private(set) var count = 0

    /// Adds an entry. Amortised constant.
    mutating func insert(hash: UInt64, row: UInt32) {
        if (count + 1) * 4 > slots.count * 3 { grow() }
        place(Slot(hash: UInt32(truncatingIfNeeded: hash), occupant: row + 1))
        count += 1
    }

    /// Removes the entry of that row.
    ///
    /// - Precondition: it is there.
    mutating func remove(hash: UInt64, row: UInt32) {
        let mask = slots.count - 1
        var position = Int(UInt32(truncatingIfNeeded: hash)) & mask
        while slots[position].occupant != row + 1 || slots[position].hash != UInt32(truncatingIfNeeded: hash) {
            precondition(slots[position].occupant != 0, "index has no entry for row \(row)")
            position = (position + 1) & mask
        }
        closeGap(at: position)
        count -= 1
    }

    /// Where the search for a key begins; pass it to ``next(hash:position:)``.
    func start(hash: UInt64) -> Int { Int(UInt32(truncatingIfNeeded: hash)) & (slots.count - 1) }

    /// The next row whose key has that hash, or `nil` when there is none; moves `position` past it.
    func next(hash: UInt64, position: inout Int) -> UInt32? {
        let mask = slots.count - 1
        let wanted = UInt32(truncatingIfNeeded: hash)
        while true {
            let slot = slots[position]
            if slot.occupant == 0 { return nil }
            position = (position + 1) & mask
            if slot.hash == wanted { return slot.occupant - 1 }
        }
    }

    private mutating func place(_ slot: Slot) {
        let mask = slots.count - 1
        var position = Int(slot.hash) & mask
        while slots[position].occupant != 0 { position = (position + 1) & mask }
        slots[position] = slot
    }

    private mutating func closeGap(at start: Int) {
        let mask = slots.count - 1
        var gap = start
        var position = (gap + 1) & mask
        while slots[position].occupant != 0 {
            let home = Int(slots[position].hash) & mask
            // An entry may move back into the gap unless its home lies after the gap.
            if (position - home) & mask >= (position - gap) & mask {
                slots[gap] = slots[position]
                gap = position
            }
            position = (position + 1) & mask
        }
        slots[gap] = Slot(hash: 0, occupant: 0)
    }

    private mutating func grow() {
        let old = slots
        slots = ContiguousArray(repeating: Slot(hash: 0, occupant: 0), count: old.count * 2)
        for slot in old where slot.occupant != 0 { place(slot) }
    }
}
