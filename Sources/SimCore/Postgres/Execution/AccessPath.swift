import Ports

/// How the rows of a statement are found. The choice changes cost, never a result.
enum AccessPath {
    /// Every column of a key equals one value: one lookup.
    case key(Int)
    /// Every column of a key equals a value or one of a list: a lookup for each combination.
    case keys(Int)
    case index(IndexScan)
    case everything
}

/// A scan of one ordered index between bounds.
struct IndexScan {
    /// Plain indexes first, then the orders of the keys.
    var number: Int
    /// Leading columns with an equality.
    var equalCount: Int
    /// The column behind them is compared with a list: one range for each of its values.
    var listColumn: Int?
    /// Whether the column behind them is bounded by an inequality.
    var hasRange: Bool
    /// Whether rows come in the order that the statement wants.
    var providesOrder: Bool
    var isDescending: Bool

    /// Greater is better: more columns fixed, then a bounded range, then the order for nothing.
    var score: Int {
        (equalCount + (listColumn == nil ? 0 : 1)) * 8 + (hasRange ? 4 : 0) + (providesOrder ? 2 : 0)
    }
}

extension AccessPath {
    /// Chooses by the shape of the condition alone: a key when it is covered, else the index that fixes most columns.
    static func plan(
        _ layout: TableLayout, _ condition: [Comparison], _ sortKeys: [SortKey], limit: Int?
    ) -> AccessPath {
        var equal: UInt64 = 0
        var listed: UInt64 = 0
        var index = 0
        while index < condition.count {
            let bit: UInt64 = 1 << UInt64(condition[index].column.ordinal)
            switch condition[index].comparisonOperator {
            case .equal: equal |= bit
            case .isIn: listed |= bit
            default: break
            }
            index += 1
        }
        var key = 0
        while key < layout.keyMasks.count {
            if layout.keyMasks[key] & ~equal == 0 { return .key(key) }
            key += 1
        }
        for key in layout.keyMasks.indices where layout.keyMasks[key] & ~(equal | listed) == 0 { return .keys(key) }
        return planScan(layout, condition, sortKeys, limit, equal: equal, listed: listed)
    }

    private static func planScan(
        _ layout: TableLayout, _ condition: [Comparison], _ sortKeys: [SortKey], _ limit: Int?, equal: UInt64,
        listed: UInt64
    ) -> AccessPath {
        var best: IndexScan?
        let plainCount = layout.table.indexes.count
        for number in 0..<(plainCount + layout.keys.count) {
            let columns =
                number < plainCount ? layout.table.indexes[number].columns : layout.keys[number - plainCount].columns
            let scan = scan(number, columns, condition, sortKeys, equal: equal, listed: listed)
            let isUseful = scan.score >= 4 || scan.providesOrder && !sortKeys.isEmpty && limit != nil
            if isUseful && scan.score > (best?.score ?? 0) { best = scan }
        }
        return best.map { .index($0) } ?? .everything
    }

    private static func scan(
        _ number: Int, _ columns: [Int], _ condition: [Comparison], _ sortKeys: [SortKey], equal: UInt64,
        listed: UInt64
    ) -> IndexScan {
        var scan = IndexScan(
            number: number, equalCount: 0, listColumn: nil, hasRange: false, providesOrder: false, isDescending: false)
        while scan.equalCount < columns.count, equal & 1 << UInt64(columns[scan.equalCount]) != 0 {
            scan.equalCount += 1
        }
        if scan.equalCount < columns.count {
            let next = columns[scan.equalCount]
            if listed & 1 << UInt64(next) != 0 {
                scan.listColumn = next
            } else {
                scan.hasRange = condition.contains { $0.column.ordinal == next && $0.comparisonOperator.isInequality }
            }
        }
        if scan.listColumn == nil { judgeOrder(&scan, columns, sortKeys, equal: equal) }
        return scan
    }

    /// Whether the index gives the order of the sort keys, forwards or backwards. Columns that are fixed do not count.
    private static func judgeOrder(_ scan: inout IndexScan, _ columns: [Int], _ sortKeys: [SortKey], equal: UInt64) {
        var position = scan.equalCount
        var isDescending: Bool?
        for sortKey in sortKeys where equal & 1 << UInt64(sortKey.column.ordinal) == 0 {
            guard position < columns.count, columns[position] == sortKey.column.ordinal,
                isDescending == nil || isDescending == sortKey.isDescending
            else { return }
            isDescending = sortKey.isDescending
            position += 1
        }
        scan.providesOrder = true
        scan.isDescending = isDescending ?? false
    }
}

extension ComparisonOperator {
    /// Whether it bounds a range.
    var isInequality: Bool {
        switch self {
        case .less, .lessOrEqual, .greater, .greaterOrEqual: true
        case .equal, .notEqual, .isIn, .isNull, .isNotNull: false
        }
    }
}
