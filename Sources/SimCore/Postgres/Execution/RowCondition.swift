import Ports

/// Conditions on a row. Source: PostgreSQL documentation, 9.1 Logical Operators, 5.4.1 Check Constraints.
enum RowCondition {
    /// What a comparison comes to in SQL's three-valued logic.
    enum Truth {
        case isTrue, isFalse, isUnknown

        init(_ isTrue: Bool) { self = isTrue ? .isTrue : .isFalse }
    }

    /// Whether a row satisfies a WHERE: every comparison is true, not merely unknown.
    static func isSatisfied(_ condition: [Comparison], by values: [Value]) -> Bool {
        var index = 0
        while index < condition.count {
            if truth(condition[index], values) != .isTrue { return false }
            index += 1
        }
        return true
    }

    /// Whether a row satisfies a WHERE in which some comparisons are with one of their operands alone.
    ///
    /// - Parameters:
    ///   - choice: which operand, for each of `comparisons`.
    ///   - comparisons: positions in the condition.
    static func isSatisfied(
        _ condition: [Comparison], by values: [Value], choosing choice: [Int], of comparisons: [Int]
    ) -> Bool {
        var index = 0
        while index < condition.count {
            if let position = comparisons.firstIndex(of: index) {
                let value = values[condition[index].column.ordinal]
                if value.isNull || !ValueOrdering.areSame(value, condition[index].operands[choice[position]]) {
                    return false
                }
            } else if truth(condition[index], values) != .isTrue {
                return false
            }
            index += 1
        }
        return true
    }

    /// Whether a row violates a CHECK: a comparison is false. One with null is unknown, and passes.
    static func isViolated(_ condition: [Comparison], by values: [Value]) -> Bool {
        condition.contains { truth($0, values) == .isFalse }
    }

    private static func truth(_ comparison: Comparison, _ values: [Value]) -> Truth {
        let ordinal = comparison.column.ordinal
        switch comparison.comparisonOperator {
        case .isNull: return Truth(values[ordinal].isNull)
        case .isNotNull: return Truth(!values[ordinal].isNull)
        case .isIn: return membership(values[ordinal], comparison.operands)
        case .equal, .notEqual:
            if values[ordinal].isNull || comparison.operands[0].isNull { return .isUnknown }
            let areSame = ValueOrdering.areSame(values[ordinal], comparison.operands[0])
            return Truth(areSame == (comparison.comparisonOperator == .equal))
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            if values[ordinal].isNull || comparison.operands[0].isNull { return .isUnknown }
            let order = ValueOrdering.compare(values[ordinal], comparison.operands[0])
            switch comparison.comparisonOperator {
            case .less: return Truth(order < 0)
            case .lessOrEqual: return Truth(order <= 0)
            case .greater: return Truth(order > 0)
            default: return Truth(order >= 0)
            }
        }
    }

    private static func membership(_ value: Value, _ operands: [Value]) -> Truth {
        if operands.isEmpty { return .isFalse }
        if value.isNull { return .isUnknown }
        var hasNull = false
        for operand in operands {
            if operand.isNull { hasNull = true } else if ValueOrdering.areSame(value, operand) { return .isTrue }
        }
        return hasNull ? .isUnknown : .isFalse
    }
}

/// The precision of `timestamptz`. Source: PostgreSQL documentation, 8.5 Date/Time Types.
enum TimestampPrecision {
    static func isWhole(_ instant: Instant) -> Bool { instant.nanosecondsSinceEpoch % 1_000 == 0 }

    /// Rounds to the microsecond, ties to the even one, as the server rounds what it reads.
    static func rounded(_ instant: Instant) -> Instant {
        let nanoseconds = instant.nanosecondsSinceEpoch
        var quotient = nanoseconds / 1_000
        var remainder = nanoseconds % 1_000
        if remainder < 0 {
            quotient -= 1
            remainder += 1_000
        }
        if remainder > 500 || remainder == 500 && quotient & 1 == 1 { quotient += 1 }
        return Instant(nanosecondsSinceEpoch: quotient * 1_000)
    }

    static func rounded(_ value: Value) -> Value {
        if case .timestamp(let instant) = value, !isWhole(instant) { .timestamp(rounded(instant)) } else { value }
    }
}
