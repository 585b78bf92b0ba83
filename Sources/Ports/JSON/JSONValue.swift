/// A JSON document as a value. Services build and read these; text exists only at the edge of a real system, where an
/// adapter reads and writes it, so a simulation never pays for parsing.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// A number without a fraction or exponent that fits 64 bits.
    case integer(Int64)
    /// Any other number, exactly: `unscaled` divided by ten to the power of `scale`. Never binary floating point.
    case decimal(unscaled: Int64, scale: UInt8)
    case string(String)
    case array([JSONValue])
    /// Members in the order in which they were written. Names are distinct; of duplicates a reader keeps the last.
    case object([JSONMember])
}

/// One name and value of a JSON object.
public struct JSONMember: Hashable, Sendable {
    public let name: String
    public let value: JSONValue

    @inlinable public init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }
}

extension JSONValue {
    /// The member called `name` of an object; `nil` when it is absent or this is not an object. Linear in the members.
    @inlinable public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        for member in members where member.name == name { return member.value }
        return nil
    }

    @inlinable public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }
    @inlinable public var integerValue: Int64? {
        if case .integer(let value) = self { value } else { nil }
    }
    @inlinable public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }
    @inlinable public var arrayValue: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }
    @inlinable public var isNull: Bool { self == .null }

    /// An object of the given members, in the order given.
    @inlinable public static func members(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
        .object(members.map { JSONMember($0.key, $0.value) })
    }

    /// About how many bytes the compact text has: what a simulated network and disk charge for it.
    public var estimatedByteCount: Int {
        switch self {
        case .null: 4
        case .bool: 5
        case .integer, .decimal: 8
        case .string(let value): value.utf8.count + 2
        case .array(let values): values.sum(from: 2) { $0.estimatedByteCount + 1 }
        case .object(let members): members.sum(from: 2) { $0.name.utf8.count + 4 + $0.value.estimatedByteCount }
        }
    }
}

extension Array {
    /// The sum of a number of each element. The elements are looked at where they are: an iterator copies them, which for
    /// a document counts references to all its parts, and this is asked of each document many times.
    @inline(__always)
    fileprivate func sum(from start: Int, _ number: (Element) -> Int) -> Int {
        withUnsafeBufferPointer { elements in
            var sum = start
            var index = 0
            while index < elements.count {
                sum += number(elements[index])
                index += 1
            }
            return sum
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { JSONMember($0.0, $0.1) })
    }
    public init(nilLiteral: ()) { self = .null }
}
