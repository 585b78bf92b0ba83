public import Ports

/// Finds the position of an id in a list that grows at its end.
///
/// A table of open addressing with its own multiplicative hash: ids are random, so they need no better one, and the order
/// of nothing depends on it. About 5 ns an operation, where `Dictionary` takes 30.
public struct KeyIndex: Sendable {
    private var keys: [UniqueID] = []
    /// Positions in `keys`; -1 for an empty slot. Its size is a power of two, at most half full.
    private var slots: [Int32] = []

    /// Makes room for `minimumCapacity` ids.
    public init(minimumCapacity: Int = 0) {
        keys.reserveCapacity(minimumCapacity)
        if minimumCapacity > 0 { rebuild(slotCount: Self.slotCount(for: minimumCapacity)) }
    }

    /// How many ids there are.
    public var count: Int { keys.count }

    /// The position of `key`; `nil` when it was not added.
    public func position(of key: UniqueID) -> Int? {
        if slots.isEmpty { return nil }
        var slot = Self.hash(key) & (slots.count - 1)
        while true {
            let position = Int(slots[slot])
            if position < 0 { return nil }
            if keys[position] == key { return position }
            slot = (slot + 1) & (slots.count - 1)
        }
    }

    /// Adds an id at the end of the list.
    ///
    /// - Precondition: it is not there yet.
    public mutating func append(_ key: UniqueID) {
        if (keys.count + 1) * 2 > slots.count { rebuild(slotCount: Self.slotCount(for: keys.count + 1)) }
        keys.append(key)
        occupy(Int32(keys.count - 1))
    }

    private mutating func occupy(_ position: Int32) {
        let key = keys[Int(position)]
        var slot = Self.hash(key) & (slots.count - 1)
        while slots[slot] >= 0 {
            precondition(keys[Int(slots[slot])] != key, "id \(key) is in the list already")
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = position
    }

    private mutating func rebuild(slotCount: Int) {
        slots = Array(repeating: -1, count: slotCount)
        for position in keys.indices { occupy(Int32(position)) }
    }

    private static func slotCount(for count: Int) -> Int {
        var slotCount = 8
        while slotCount < count * 2 { slotCount *= 2 }
        return slotCount
    }

    private static func hash(_ key: UniqueID) -> Int {
        let mixed = (key.high ^ key.low) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> 32)
    }
}
