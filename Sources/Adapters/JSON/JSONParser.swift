import Ports

/// A recursive-descent parser over one buffer. Its recursion is bounded by the depth limit.
struct JSONParser {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let maximumDepth: Int
    private(set) var position = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        skipSpace()
        switch try current() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case let byte: throw JSONError(.unexpectedByte(byte, wanted: "a value"), at: position)
        }
    }

    private func current() throws(JSONError) -> UInt8 {
        guard position < bytes.count else { throw JSONError(.endsEarly, at: position) }
        return bytes[position]
    }

    private mutating func expect(_ byte: UInt8, _ wanted: String) throws(JSONError) {
        let found = try current()
        guard found == byte else { throw JSONError(.unexpectedByte(found, wanted: wanted), at: position) }
        position += 1
    }

    private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for index in 0..<text.utf8CodeUnitCount {
            let found = try current()
            guard found == text.utf8Start[index] else {
                throw JSONError(.unexpectedByte(found, wanted: "'\(text)'"), at: position)
            }
            position += 1
        }
        return value
    }

    // MARK: Arrays and objects

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < maximumDepth else { throw JSONError(.tooDeep(limit: maximumDepth), at: position) }
        position += 1
        skipSpace()
        var values: [JSONValue] = []
        if try current() == UInt8(ascii: "]") {
            position += 1
            return .array(values)
        }
        while true {
            values.append(try value(depth: depth + 1))
            skipSpace()
            if try current() == UInt8(ascii: "]") {
                position += 1
                return .array(values)
            }
            try expect(UInt8(ascii: ","), "',' or ']'")
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < maximumDepth else { throw JSONError(.tooDeep(limit: maximumDepth), at: position) }
        position += 1
        skipSpace()
        var members = MemberList()
        if try current() == UInt8(ascii: "}") {
            position += 1
            return .object([])
        }
        while true {
            skipSpace()
            guard try current() == UInt8(ascii: "\"") else {
                throw JSONError(.unexpectedByte(bytes[position], wanted: "a member's name"), at: position)
            }
            let name = try string()
            skipSpace()
            try expect(UInt8(ascii: ":"), "':'")
            members.append(JSONMember(name, try value(depth: depth + 1)))
            skipSpace()
            if try current() == UInt8(ascii: "}") {
                position += 1
                return .object(members.distinct())
            }
            try expect(UInt8(ascii: ","), "',' or '}'")
        }
    }

    // MARK: Strings

    private mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        while true {
            switch try current() {
            case UInt8(ascii: "\""):
                let text = try decode(bytes[start..<position], at: start)
                position += 1
                return text
            case UInt8(ascii: "\\"):
                return try escapedString(from: start)
            case let byte where byte < 0x20:
                throw JSONError(.unexpectedByte(byte, wanted: "a character of a string"), at: position)
            default:
                position += 1
            }
        }
    }

    private func decode(_ utf8: some Collection<UInt8>, at start: Int) throws(JSONError) -> String {
        guard let text = String(validating: utf8, as: UTF8.self) else { throw JSONError(.invalidUTF8, at: start) }
        return text
    }

    /// The slow path: a string with at least one escape sequence, from `start` (after its quote).
    private mutating func escapedString(from start: Int) throws(JSONError) -> String {
        var decoded = Array(bytes[start..<position])
        while true {
            let byte = try current()
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return try decode(decoded, at: start)
            case UInt8(ascii: "\\"): try escape(into: &decoded)
            case 0..<0x20:
                throw JSONError(.unexpectedByte(byte, wanted: "a character of a string"), at: position - 1)
            default: decoded.append(byte)
            }
        }
    }

    private mutating func escape(into decoded: inout [UInt8]) throws(JSONError) {
        let start = position - 1
        let kind = try current()
        position += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(kind)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"): decoded.append(contentsOf: Array(String(try unicodeEscape(at: start)).utf8))
        default: throw JSONError(.invalidEscape, at: start)
        }
    }

    /// After `\u`: one code unit, or a pair of surrogates.
    private mutating func unicodeEscape(at start: Int) throws(JSONError) -> Unicode.Scalar {
        let first = try codeUnit()
        guard first & 0xFC00 == 0xD800 else {
            guard let scalar = Unicode.Scalar(first) else { throw JSONError(.invalidEscape, at: start) }
            return scalar
        }
        guard try current() == UInt8(ascii: "\\") else { throw JSONError(.invalidEscape, at: start) }
        position += 1
        guard try current() == UInt8(ascii: "u") else { throw JSONError(.invalidEscape, at: start) }
        position += 1
        let second = try codeUnit()
        guard second & 0xFC00 == 0xDC00,
            let scalar = Unicode.Scalar(0x10000 + ((first & 0x3FF) << 10) + (second & 0x3FF))
        else { throw JSONError(.invalidEscape, at: start) }
        return scalar
    }

    private mutating func codeUnit() throws(JSONError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            let byte = try current()
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw JSONError(.invalidEscape, at: position)
            }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    // MARK: Numbers

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        var number = DecimalDigits(isNegative: bytes[position] == UInt8(ascii: "-"))
        if number.isNegative { position += 1 }
        if try current() == UInt8(ascii: "0") {
            position += 1
        } else {
            try digits(of: &number, areFraction: false)
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            try digits(of: &number, areFraction: true)
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            number.exponent = try exponent()
        }
        guard let value = number.value else { throw JSONError(.numberOutOfRange, at: start) }
        return value
    }

    /// One digit or more.
    private mutating func digits(of number: inout DecimalDigits, areFraction: Bool) throws(JSONError) {
        let digitRange = UInt8(ascii: "0")...UInt8(ascii: "9")
        let first = try current()
        guard digitRange.contains(first) else {
            throw JSONError(.unexpectedByte(first, wanted: "a digit"), at: position)
        }
        while position < bytes.count, digitRange.contains(bytes[position]) {
            number.append(bytes[position] - UInt8(ascii: "0"), isFraction: areFraction)
            position += 1
        }
    }

    /// After `e`: a sign and digits. Larger than any that fits, it saturates.
    private mutating func exponent() throws(JSONError) -> Int {
        var isNegative = false
        switch try current() {
        case UInt8(ascii: "-"):
            isNegative = true
            position += 1
        case UInt8(ascii: "+"): position += 1
        default: break
        }
        var exponent = DecimalDigits(isNegative: false)
        try digits(of: &exponent, areFraction: false)
        let magnitude = exponent.hasOverflowed ? 100_000 : Int(min(exponent.magnitude, 100_000))
        return isNegative ? -magnitude : magnitude
    }
}
