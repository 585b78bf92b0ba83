import Ports

/// How PostgreSQL compares, sorts and hashes column values.
///
/// Text is compared byte by byte (`COLLATE "C"`), never by Unicode equivalence; nulls sort last; a null equals nothing
/// in a condition, but is the same as another null where two keys are matched.
/// Source: PostgreSQL documentation, 9.2 Comparison Functions, 11.4 Indexes and ORDER BY, 8.14.4 jsonb Containment.
enum ValueOrdering {
    /// Whether two values are the same value of the same type.
    static func areSame(_ left: Value, _ right: Value) -> Bool {
        switch (left, right) {
        case (.int64(let left), .int64(let right)): left == right
        case (.uuid(let left), .uuid(let right)): left == right
        case (.text(let left), .text(let right)): areSameBytes(left, right)
        case (.timestamp(let left), .timestamp(let right)): left == right
        case (.bool(let left), .bool(let right)): left == right
        case (.null, .null): true
        case (.json(let left), .json(let right)): areSameDocuments(left, right)
        case (.bytes(let left), .bytes(let right)): left == right
        default: false
        }
    }

    /// Negative, zero or positive as `left` sorts before, with or after `right`. Nulls sort last.
    ///
    /// - Precondition: the values are null or of one type that has an order (every type but json).
    static func compare(_ left: Value, _ right: Value) -> Int {
        switch (left, right) {
        case (.int64(let left), .int64(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.uuid(let left), .uuid(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.text(let left), .text(let right)): compareBytes(left, right)
        case (.timestamp(let left), .timestamp(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.bool(let left), .bool(let right)): left == right ? 0 : right ? -1 : 1
        case (.bytes(let left), .bytes(let right)):
            left == right ? 0 : left.lexicographicallyPrecedes(right) ? -1 : 1
        case (.null, .null): 0
        case (.null, _): 1
        case (_, .null): -1
        default: preconditionFailure("values of different types, or documents, have no order: \(left), \(right)")
        }
    }

    /// An unsigned number that sorts as the value does: where two differ, the values sort likewise; where they are the
    /// same, the values must be compared (see ``isExact(_:)``). Null is the greatest number.
    static func sortingPrefix(_ value: Value) -> UInt64 {
        switch value {
        case .int64(let value): UInt64(bitPattern: value) ^ (1 << 63)
        case .timestamp(let value): UInt64(bitPattern: value.nanosecondsSinceEpoch) ^ (1 << 63)
        case .uuid(let value): value.high
        case .bool(let value): value ? 1 : 0
        case .text(var value): value.withUTF8 { firstBytes($0) }
        case .bytes(let value): value.withUnsafeBufferPointer { firstBytes($0) }
        case .null: .max
        case .json: 0
        }
    }

    /// Whether equal prefixes below the greatest mean equal values.
    static func isExact(_ type: ColumnType) -> Bool {
        switch type {
        case .int64, .timestamp, .bool: true
        case .text, .uuid, .json, .bytes: false
        }
    }

    private static func firstBytes(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var prefix: UInt64 = 0
        let count = min(bytes.count, 8)
        for index in 0..<count { prefix = prefix << 8 | UInt64(bytes[index]) }
        return count == 0 ? 0 : prefix << UInt64(8 * (8 - count))
    }

    private static func areSameBytes(_ left: String, _ right: String) -> Bool {
        // Equal bytes are always equal strings; the reverse fails for composed characters only.
        guard left == right else { return false }
        return left.utf8.count == right.utf8.count && compareBytes(left, right) == 0
    }

    private static func compareBytes(_ left: String, _ right: String) -> Int {
        var left = left
        var right = right
        return left.withUTF8 { left in
            right.withUTF8 { right in
                let common = min(left.count, right.count)
                var index = 0
                while index < common {
                    if left[index] != right[index] { return left[index] < right[index] ? -1 : 1 }
                    index += 1
                }
                return left.count < right.count ? -1 : left.count == right.count ? 0 : 1
            }
        }
    }

    /// Equality of `jsonb`: neither the order of an object's members nor the trailing zeros of a number matter.
    private static func areSameDocuments(_ left: JSONValue, _ right: JSONValue) -> Bool {
        switch (left, right) {
        case (.object(let left), .object(let right)):
            guard left.count == right.count else { return false }
            return left.allSatisfy { member in
                right.contains { $0.name == member.name && areSameDocuments($0.value, member.value) }
            }
        case (.array(let left), .array(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { areSameDocuments($0, $1) }
        case (.decimal, .decimal), (.decimal, .integer), (.integer, .decimal):
            return significantDigits(left) == significantDigits(right)
        default: return left == right
        }
    }

    /// A number without trailing zeros behind its point.
    private static func significantDigits(_ number: JSONValue) -> JSONValue {
        guard case .decimal(var unscaled, var scale) = number else { return number }
        while scale > 0, unscaled % 10 == 0 {
            unscaled /= 10
            scale -= 1
        }
        return scale == 0 ? .integer(unscaled) : .decimal(unscaled: unscaled, scale: scale)
    }
}

/// A 64-bit hash of key values, the same in every process (Swift's own hashing is seeded per process).
struct KeyHash {
    private(set) var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    mutating func combine(_ value: Value) {
        switch value {
        case .int64(let value): mix(UInt64(bitPattern: value))
        case .uuid(let value):
            mix(value.high)
            mix(value.low)
        case .timestamp(let value): mix(UInt64(bitPattern: value.nanosecondsSinceEpoch))
        case .bool(let value): mix(value ? 1 : 2)
        case .text(var value): value.withUTF8 { mix($0) }
        case .bytes(let value): value.withUnsafeBufferPointer { mix($0) }
        case .null, .json: mix(3)
        }
    }

    private mutating func mix(_ word: UInt64) {
        let product = (state ^ word).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        state = product.high ^ product.low
    }

    private mutating func mix(_ bytes: UnsafeBufferPointer<UInt8>) {
        var index = 0
        while index + 8 <= bytes.count {
            let word = UnsafeRawPointer(bytes.baseAddress! + index).loadUnaligned(as: UInt64.self)
            mix(UInt64(littleEndian: word))
            index += 8
        }
        var rest: UInt64 = UInt64(bytes.count) << 56
        while index < bytes.count {
            rest = rest << 8 ^ UInt64(bytes[index])
            index += 1
        }
        mix(rest)
    }
}
