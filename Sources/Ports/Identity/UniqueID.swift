/// A 128-bit identifier, written as a UUID (RFC 9562): the deduplication key of events, the id of orders and payments.
///
/// Made by an ``Identifiers`` port, never by the type itself, so that a simulation can repeat it.
public struct UniqueID: Hashable, Sendable {
    /// The first eight bytes, big-endian.
    public let high: UInt64
    /// The last eight bytes, big-endian.
    public let low: UInt64

    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Sets the version (4, random) and variant bits of RFC 9562 on 128 random bits.
    @inlinable public init(randomHigh: UInt64, randomLow: UInt64) {
        high = randomHigh & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        low = randomLow & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    }

    /// Reads the form `8-4-4-4-12` of hexadecimal digits of either case; `nil` for anything else.
    public init?(_ text: String) {
        var text = text
        guard let id = text.withUTF8({ Self.read($0) }) else { return nil }
        self = id
    }

    /// Reads the same form from a part of a text.
    public init?(_ text: Substring) { self.init(String(text)) }

    // Not generic over `StringProtocol`: other modules would run it unspecialized, a hundred times slower.
    private static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> UniqueID? {
        guard bytes.count == 36, let base = UnsafeRawPointer(bytes.baseAddress) else { return nil }
        func eight(_ offset: Int) -> UInt64 { base.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        func four(_ offset: Int) -> UInt64 { UInt64(base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
        let hyphen = UInt8(ascii: "-")
        guard bytes[8] == hyphen, bytes[13] == hyphen, bytes[18] == hyphen, bytes[23] == hyphen,
            let first = HexadecimalDigits.value(of: eight(0).littleEndian),
            let second = HexadecimalDigits.value(of: (four(9) | four(14) << 32).littleEndian),
            let third = HexadecimalDigits.value(of: (four(19) | four(24) << 32).littleEndian),
            let fourth = HexadecimalDigits.value(of: eight(28).littleEndian)
        else { return nil }
        return UniqueID(high: first << 32 | second, low: third << 32 | fourth)
    }
}

/// Eight hexadecimal digits at a time, as the bytes of one word, the first digit in the lowest byte.
private enum HexadecimalDigits {
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// The 32 bits that eight digits of either case stand for; `nil` when a byte is no digit.
    @inline(__always) static func value(of text: UInt64) -> UInt64? {
        var nibbles = (text & (ones &* 0x0F)) &+ ((text >> 6) & ones) &* 9
        // Wrong bytes do not come back when the nibbles are written again.
        guard nibbles & (ones &* 0xF0) == 0 else { return nil }
        let letters = (nibbles &+ ones &* 6) >> 4 & ones
        guard digits(nibbles) == text | letters &* 0x20 else { return nil }
        nibbles = nibbles.byteSwapped
        nibbles = (nibbles | nibbles >> 4) & 0x00FF_00FF_00FF_00FF
        nibbles = (nibbles | nibbles >> 8) & 0x0000_FFFF_0000_FFFF
        return (nibbles | nibbles >> 16) & 0xFFFF_FFFF
    }

    /// The eight digits, in lower case, of 32 bits.
    @inline(__always) static func text(of value: UInt64) -> UInt64 {
        var nibbles = value & 0xFFFF_FFFF
        nibbles = (nibbles | nibbles << 16) & 0x0000_FFFF_0000_FFFF
        nibbles = (nibbles | nibbles << 8) & 0x00FF_00FF_00FF_00FF
        nibbles = (nibbles | nibbles << 4) & (ones &* 0x0F)
        return digits(nibbles.byteSwapped)
    }

    @inline(__always) private static func digits(_ nibbles: UInt64) -> UInt64 {
        nibbles &+ ones &* 0x30 &+ ((nibbles &+ ones &* 6) >> 4 & ones) &* 0x27
    }
}

extension UniqueID: Comparable {
    /// Byte order, which is also PostgreSQL's order of `uuid`.
    @inlinable public static func < (left: UniqueID, right: UniqueID) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}

extension UniqueID: CustomStringConvertible {
    /// The form `8-4-4-4-12` in lower case.
    public var description: String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            let base = UnsafeMutableRawPointer(buffer.baseAddress!)
            let second = HexadecimalDigits.text(of: high)
            let third = HexadecimalDigits.text(of: low >> 32)
            func four(_ text: UInt64, at offset: Int) {
                base.storeBytes(
                    of: UInt32(truncatingIfNeeded: text).littleEndian, toByteOffset: offset, as: UInt32.self)
            }
            base.storeBytes(of: HexadecimalDigits.text(of: high >> 32).littleEndian, as: UInt64.self)
            four(second, at: 9)
            four(second >> 32, at: 14)
            four(third, at: 19)
            four(third >> 32, at: 24)
            base.storeBytes(of: HexadecimalDigits.text(of: low).littleEndian, toByteOffset: 28, as: UInt64.self)
            let hyphen = UInt8(ascii: "-")
            (buffer[8], buffer[13], buffer[18], buffer[23]) = (hyphen, hyphen, hyphen, hyphen)
            return 36
        }
    }
}

extension UniqueID: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = UniqueID(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected a UUID as 8-4-4-4-12 hexadecimal digits, found '\(text)'")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
