/// Bounds that a reader keeps, so that hostile text costs no more than its length.
public struct JSONLimits: Hashable, Sendable {
    /// The longest text, in bytes. Longer text is refused unread.
    public var maximumByteCount: Int
    /// How deep arrays and objects may nest.
    public var maximumDepth: Int

    public init(maximumByteCount: Int = 1_048_576, maximumDepth: Int = 64) {
        precondition(maximumByteCount > 0, "a limit of \(maximumByteCount) bytes admits no text")
        precondition(maximumDepth >= 0, "a nesting depth cannot be \(maximumDepth)")
        self.maximumByteCount = maximumByteCount
        self.maximumDepth = maximumDepth
    }
}

/// Why text is not a JSON document that a ``Ports/JSONValue`` can hold, and where.
public struct JSONError: Error, Hashable, Sendable {
    public enum Problem: Hashable, Sendable {
        case tooLong(byteCount: Int, limit: Int)
        case tooDeep(limit: Int)
        /// The text ends inside a value.
        case endsEarly
        /// A byte that cannot stand here; `wanted` names what can.
        case unexpectedByte(UInt8, wanted: String)
        /// Bytes of a string that are not UTF-8.
        case invalidUTF8
        /// An escape sequence that RFC 8259 does not have, or half of a surrogate pair.
        case invalidEscape
        /// A number beyond 64 bits of digits or 255 decimal places: it could not be kept exactly.
        case numberOutOfRange
        case trailingText
    }

    public let problem: Problem
    /// Distance of the problem from the start of the text, in bytes.
    public let offset: Int

    public init(_ problem: Problem, at offset: Int) {
        self.problem = problem
        self.offset = offset
    }
}

extension JSONError: CustomStringConvertible {
    public var description: String {
        let what =
            switch problem {
            case .tooLong(let byteCount, let limit): "text of \(byteCount) bytes, the limit is \(limit)"
            case .tooDeep(let limit): "values nest deeper than \(limit)"
            case .endsEarly: "the text ends inside a value"
            case .unexpectedByte(let byte, let wanted): "byte 0x\(String(byte, radix: 16)) where \(wanted) was expected"
            case .invalidUTF8: "a string is not UTF-8"
            case .invalidEscape: "an escape sequence that JSON does not have, or half of a surrogate pair"
            case .numberOutOfRange: "a number that does not fit 64 bits of digits and 255 places exactly"
            case .trailingText: "text after the end of the value"
            }
        return "not readable as JSON at byte \(offset): \(what)"
    }
}
