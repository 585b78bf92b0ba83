/// A value of a column. `null` compares with nothing, as in SQL.
public enum Value: Hashable, Sendable {
    case null
    case int64(Int64)
    case text(String)
    case bool(Bool)
    case uuid(UniqueID)
    /// Kept to the microsecond, as PostgreSQL's `timestamptz`; finer digits are rounded when it is stored.
    case timestamp(Instant)
    case json(JSONValue)
    case bytes([UInt8])

    /// The column type that holds this value; `nil` for `null`, which every nullable column holds.
    @inlinable public var type: ColumnType? {
        switch self {
        case .null: nil
        case .int64: .int64
        case .text: .text
        case .bool: .bool
        case .uuid: .uuid
        case .timestamp: .timestamp
        case .json: .json
        case .bytes: .bytes
        }
    }

    @inlinable public var isNull: Bool {
        if case .null = self { true } else { false }
    }
}

extension Value: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral
{
    @inlinable public init(integerLiteral value: Int64) { self = .int64(value) }
    @inlinable public init(stringLiteral value: String) { self = .text(value) }
    @inlinable public init(booleanLiteral value: Bool) { self = .bool(value) }
    @inlinable public init(nilLiteral: ()) { self = .null }
}
