/// A 64-bit hash of a run, folded event by event. Two runs with the same hash dispatched the same events.
///
/// One multiplication for each word folded; not a cryptographic hash.
public struct TraceHash: Hashable, Sendable, BitwiseCopyable {
    /// The hash as a number. Two runs of one seed that differ in one event differ in it.
    public var value: UInt64

    @usableFromInline init(seed: UInt64) { value = seed ^ 0x51_7C_C1_B7_27_22_0A_95 }

    /// Folds one word in.
    @inlinable @inline(__always) mutating func fold(_ word: UInt64) {
        let product = (value ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        value = (product.high ^ product.low) &+ word
    }
}

extension TraceHash: CustomStringConvertible {
    /// Sixteen hexadecimal digits.
    public var description: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
