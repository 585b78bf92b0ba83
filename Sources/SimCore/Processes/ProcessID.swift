/// A process of a simulation, by number in the order of creation.
public struct ProcessID: Hashable, Comparable, Sendable {
    @usableFromInline let index: UInt32
    @usableFromInline init(index: UInt32) { self.index = index }
    /// In order of creation.
    @inlinable public static func < (left: ProcessID, right: ProcessID) -> Bool { left.index < right.index }
}
