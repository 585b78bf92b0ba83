import Ports

extension TableStore {
    /// Collects the rows of which the snapshot sees a version that satisfies the condition.
    ///
    /// Marked mutating, which it is not: a table in an array is then used where it is, and not copied first.
    ///
    /// - Parameters:
    ///   - limit: stop after that many, if the path gives the wanted order; then the scan can go on later.
    ///   - resumesAfter: in: the entry behind which an index scan goes on; out: likewise for the next call, or `nil`
    ///     when everything was seen.
    mutating func search(
        _ path: AccessPath, _ condition: [Comparison], _ snapshot: StatementSnapshot, limit: Int?,
        resumesAfter: inout OrderedEntry?, into candidates: inout ContiguousArray<UInt32>
    ) {
        switch path {
        case .key(let key): lookUp(key, condition, snapshot, into: &candidates)
        case .keys(let key): lookUpEach(key, condition, snapshot, into: &candidates)
        case .index(let scan):
            self.scan(scan, condition, snapshot, limit: limit, resumesAfter: &resumesAfter, into: &candidates)
        case .everything:
            for row in 0..<UInt32(rowNumberBound) {
                if isMatch(row, condition, snapshot) { candidates.append(row) }
            }
        }
    }

    @inline(__always)
    private func isMatch(_ row: UInt32, _ condition: [Comparison], _ snapshot: StatementSnapshot) -> Bool {
        guard let version = visibleVersion(row: row, snapshot) else { return false }
        return RowCondition.isSatisfied(condition, by: versions[Int(version)].values)
    }

    // MARK: By key

    private func lookUp(
        _ key: Int, _ condition: [Comparison], _ snapshot: StatementSnapshot,
        into candidates: inout ContiguousArray<UInt32>
    ) {
        var hash = KeyHash()
        for column in layout.keys[key].columns {
            var index = 0
            while condition[index].column.ordinal != column || condition[index].comparisonOperator != .equal {
                index += 1
            }
            hash.combine(condition[index].operands[0])
        }
        let state = hash.state
        var position = uniqueIndexes[key].start(hash: state)
        // The condition fixes the whole key, so a row found by an entry of another version's key does not satisfy it.
        while let row = uniqueIndexes[key].next(hash: state, position: &position) {
            if isMatch(row, condition, snapshot) { candidates.append(row) }
        }
    }

    private func lookUpEach(
        _ key: Int, _ condition: [Comparison], _ snapshot: StatementSnapshot,
        into candidates: inout ContiguousArray<UInt32>
    ) {
        let start = candidates.count
        let keyComparisons = keyComparisons(key, condition)
        forEachKey(keyComparisons, condition) { hash, choice in
            var position = uniqueIndexes[key].start(hash: hash)
            while let row = uniqueIndexes[key].next(hash: hash, position: &position) {
                guard let version = visibleVersion(row: row, snapshot) else { continue }
                let values = versions[Int(version)].values
                // A row is looked up by each value of a list, so that only the one it was found by is compared with it.
                if RowCondition.isSatisfied(condition, by: values, choosing: choice, of: keyComparisons) {
                    candidates.append(row)
                }
            }
        }
        removeRepetitions(&candidates, from: start)
    }

    /// Which comparisons of a condition give the values of a key's columns, in the key's order.
    func keyComparisons(_ key: Int, _ condition: [Comparison]) -> [Int] {
        layout.keys[key].columns.map { column in
            condition.firstIndex {
                $0.column.ordinal == column && ($0.comparisonOperator == .equal || $0.comparisonOperator == .isIn)
            }!
        }
    }

    /// The hash of each combination of the values that a condition gives for a key's columns, and which those are.
    func forEachKey(_ keyComparisons: [Int], _ condition: [Comparison], _ body: (UInt64, [Int]) -> Void) {
        guard keyComparisons.allSatisfy({ !condition[$0].operands.isEmpty }) else { return }
        var choice = [Int](repeating: 0, count: keyComparisons.count)
        while true {
            var hash = KeyHash()
            for (comparison, index) in zip(keyComparisons, choice) {
                hash.combine(condition[comparison].operands[index])
            }
            body(hash.state, choice)
            var digit = 0
            while digit < choice.count {
                choice[digit] += 1
                if choice[digit] < condition[keyComparisons[digit]].operands.count { break }
                choice[digit] = 0
                digit += 1
            }
            if digit == choice.count { return }
        }
    }

    /// Leaves each row once: a value may be listed twice, or a row be found under two of its keys.
    private func removeRepetitions(_ candidates: inout ContiguousArray<UInt32>, from start: Int) {
        candidates[start...].sort()
        var kept = start
        for index in start..<candidates.count where index == start || candidates[index] != candidates[kept - 1] {
            candidates[kept] = candidates[index]
            kept += 1
        }
        candidates.removeSubrange(kept...)
    }

    // MARK: By index

    private func scan(
        _ scan: IndexScan, _ condition: [Comparison], _ snapshot: StatementSnapshot, limit: Int?,
        resumesAfter: inout OrderedEntry?, into candidates: inout ContiguousArray<UInt32>
    ) {
        let index = orderedIndexes[scan.number]!
        if scan.listColumn != nil {
            let start = candidates.count
            for bounds in allBounds(scan, index, condition) {
                walk(index, from: bounds.lower, to: bounds.upper, condition, snapshot, into: &candidates)
            }
            removeRepetitions(&candidates, from: start)
            return
        }
        let bounds = allBounds(scan, index, condition)[0]
        if scan.providesOrder, let limit {
            let stop = candidates.count + limit
            if scan.isDescending {
                walkBack(index, bounds, condition, snapshot, stop, &resumesAfter, into: &candidates)
            } else {
                walkForward(index, bounds, condition, snapshot, stop, &resumesAfter, into: &candidates)
            }
        } else if scan.isDescending {
            var none: OrderedEntry?
            walkBack(index, bounds, condition, snapshot, .max, &none, into: &candidates)
        } else {
            walk(index, from: bounds.lower, to: bounds.upper, condition, snapshot, into: &candidates)
        }
    }

    typealias Bounds = (lower: OrderedBound, upper: OrderedBound)

    /// The ranges that a scan runs over: one, or one for each value of a list.
    func allBounds(_ scan: IndexScan, _ index: OrderedIndex, _ condition: [Comparison]) -> [Bounds] {
        let fixed = index.columns[..<scan.equalCount].map { column in
            condition.first { $0.column.ordinal == column && $0.comparisonOperator == .equal }!.operands[0]
        }
        guard let listColumn = scan.listColumn else { return [range(scan, index, fixed, condition)] }
        let list = condition.first { $0.column.ordinal == listColumn && $0.comparisonOperator == .isIn }!.operands
        return list.map { value in
            let bound = OrderedBound(fixed + [value])
            return (bound, bound)
        }
    }

    /// The bounds that equalities and inequalities give. Exclusive ones are widened: the condition is checked anyway.
    private func range(
        _ scan: IndexScan, _ index: OrderedIndex, _ fixed: [Value], _ condition: [Comparison]
    ) -> Bounds {
        var lower = fixed
        var upper = fixed
        if scan.hasRange {
            let column = index.columns[scan.equalCount]
            var least: Value?
            var greatest: Value?
            for comparison in condition where comparison.column.ordinal == column {
                let value = comparison.operands.first ?? .null
                switch comparison.comparisonOperator {
                case .greater, .greaterOrEqual:
                    if least == nil || ValueOrdering.compare(value, least!) > 0 { least = value }
                case .less, .lessOrEqual:
                    if greatest == nil || ValueOrdering.compare(value, greatest!) < 0 { greatest = value }
                default: break
                }
            }
            if let least { lower.append(least) }
            if let greatest { upper.append(greatest) }
        }
        return (OrderedBound(lower), OrderedBound(upper))
    }

    /// Whether the entry is of the version that the snapshot sees, and that satisfies the condition.
    @inline(__always)
    private func isMatch(
        _ entry: OrderedEntry, _ index: OrderedIndex, _ condition: [Comparison], _ snapshot: StatementSnapshot
    ) -> Bool {
        guard let version = visibleVersion(row: entry.row, snapshot) else { return false }
        let values = versions[Int(version)].values
        for column in index.columns where !ValueOrdering.areSame(values[column], entry.values[column]) { return false }
        return RowCondition.isSatisfied(condition, by: values)
    }

    private func walk(
        _ index: OrderedIndex, from lower: OrderedBound, to upper: OrderedBound, _ condition: [Comparison],
        _ snapshot: StatementSnapshot, into candidates: inout ContiguousArray<UInt32>
    ) {
        var none: OrderedEntry?
        walkForward(index, (lower, upper), condition, snapshot, .max, &none, into: &candidates)
    }

    private func walkForward(
        _ index: OrderedIndex, _ bounds: Bounds, _ condition: [Comparison], _ snapshot: StatementSnapshot, _ stop: Int,
        _ resumesAfter: inout OrderedEntry?, into candidates: inout ContiguousArray<UInt32>
    ) {
        var position =
            resumesAfter.map { index.position(after: $0) } ?? index.lowerPosition(bounds.lower, isAfter: false)
        resumesAfter = nil
        while !position.isEnd {
            let entry = index[position]
            if index.compare(entry, bounds.upper) > 0 { return }
            if isMatch(entry, index, condition, snapshot) {
                candidates.append(entry.row)
                if candidates.count == stop {
                    resumesAfter = entry
                    return
                }
            }
            index.advance(&position)
        }
    }

    private func walkBack(
        _ index: OrderedIndex, _ bounds: Bounds, _ condition: [Comparison], _ snapshot: StatementSnapshot, _ stop: Int,
        _ resumesAfter: inout OrderedEntry?, into candidates: inout ContiguousArray<UInt32>
    ) {
        var position =
            resumesAfter.map { index.position(notBefore: $0) } ?? index.lowerPosition(bounds.upper, isAfter: true)
        resumesAfter = nil
        while true {
            position = index.position(before: position)
            if position.isEnd { return }
            let entry = index[position]
            if index.compare(entry, bounds.lower) < 0 { return }
            if isMatch(entry, index, condition, snapshot) {
                candidates.append(entry.row)
                if candidates.count == stop {
                    resumesAfter = entry
                    return
                }
            }
        }
    }
}
