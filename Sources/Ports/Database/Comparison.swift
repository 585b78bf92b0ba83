/// How a column is compared. Comparisons with `null` are never true; use ``isNull`` and ``isNotNull``.
public enum ComparisonOperator: Hashable, Sendable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    /// Equal to one of the values; false for an empty list.
    case isIn
    case isNull, isNotNull
}

/// One column compared with constants. A condition is a conjunction of these; an empty one is always true.
public struct Comparison: Hashable, Sendable {
    public let column: Column
    public let comparisonOperator: ComparisonOperator
    /// One value; several for ``ComparisonOperator/isIn``; none for the null tests.
    public let operands: [Value]

    public init(_ column: Column, _ comparisonOperator: ComparisonOperator, _ operands: [Value]) {
        self.column = column
        self.comparisonOperator = comparisonOperator
        self.operands = operands
    }
}

extension Column {
    public static func == (column: Column, value: Value) -> Comparison { Comparison(column, .equal, [value]) }
    public static func != (column: Column, value: Value) -> Comparison { Comparison(column, .notEqual, [value]) }
    public static func < (column: Column, value: Value) -> Comparison { Comparison(column, .less, [value]) }
    public static func <= (column: Column, value: Value) -> Comparison { Comparison(column, .lessOrEqual, [value]) }
    public static func > (column: Column, value: Value) -> Comparison { Comparison(column, .greater, [value]) }
    public static func >= (column: Column, value: Value) -> Comparison { Comparison(column, .greaterOrEqual, [value]) }
    public func isIn(_ values: [Value]) -> Comparison { Comparison(self, .isIn, values) }
    public var isNull: Comparison { Comparison(self, .isNull, []) }
    public var isNotNull: Comparison { Comparison(self, .isNotNull, []) }
}
