/// A 64-bit generator with 64 bits of state (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
///
/// One per decision stream: small enough to have thousands of them, and two seeds that differ in one bit give streams that
/// have nothing in common.
public struct SplitMix64: RandomNumberGenerator, Hashable, Sendable {
    @usableFromInline var state: UInt64

    /// A generator at the beginning of its sequence.
    @inlinable public init(seed: UInt64) { state = seed }

    /// The next 64 bits. The sequence repeats after 2^64 of them.
    @inlinable public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(state)
    }

    /// A value in `0 ..< bound`, by the high half of a product: two instructions, and a bias below `bound / 2^64`.
    ///
    /// Written out rather than left to the standard library, whose way of drawing may change between its versions.
    @inlinable public mutating func next(below bound: UInt64) -> UInt64 {
        next().multipliedFullWidth(by: bound).high
    }

    /// Spreads every bit of `word` over all 64.
    @inlinable public static func mixed(_ word: UInt64) -> UInt64 {
        var word = word
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

/// FNV-1a over UTF-8, finished by a mix: a hash of names that is the same in every process, as `Hasher` is not.
@usableFromInline package func stableHash(_ text: String, seed: UInt64 = 0xCBF2_9CE4_8422_2325) -> UInt64 {
    var hash = seed
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return SplitMix64.mixed(hash)
}
