/// The value of a record, a request or a column: JSON as a value, or bytes that are not known to be JSON.
///
/// An adapter that receives bytes makes `.json` of them when they parse, and leaves them as `.bytes` when they do not:
/// a poison message reaches the consumer as what it is.
public enum Payload: Hashable, Sendable {
    case json(JSONValue)
    case bytes([UInt8])

    /// About how many bytes travel for it.
    public var estimatedByteCount: Int {
        switch self {
        case .json(let value): value.estimatedByteCount
        case .bytes(let bytes): bytes.count
        }
    }

    /// The JSON value, or `nil` for bytes.
    @inlinable public var json: JSONValue? {
        if case .json(let value) = self { value } else { nil }
    }
}
