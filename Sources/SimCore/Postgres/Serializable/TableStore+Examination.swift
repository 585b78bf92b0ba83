import Ports

/// What a search looked at, whether or not it matched.
struct Examination {
    var targets: [ReadTarget] = []
    var rows: [UInt32] = []
}

extension TableStore {
    /// What ``search(_:_:_:limit:resumesAfter:into:)`` looks at on that path: the rows, and the places where further rows
    /// would have been found.
    ///
    /// - Parameter stop: the index entry at which the search stopped before the end, if it did.
    func examination(_ path: AccessPath, _ condition: [Comparison], table: Int, stop: OrderedEntry?) -> Examination {
        var examination = Examination()
        switch path {
        case .key(let key), .keys(let key): examineKeys(key, condition, table, &examination)
        case .index(let scan): examineScan(scan, condition, table, stop, &examination)
        case .everything:
            examination.targets.append(.table(table))
            examination.rows = (0..<UInt32(rowNumberBound)).filter { rows[Int($0)].newest != Self.none }
        }
        return examination
    }

    private func examineKeys(_ key: Int, _ condition: [Comparison], _ table: Int, _ examination: inout Examination) {
        forEachKey(keyComparisons(key, condition), condition) { hash, _ in
            examination.targets.append(.key(table: table, key: key, hash: hash))
            var position = uniqueIndexes[key].start(hash: hash)
            while let row = uniqueIndexes[key].next(hash: hash, position: &position) { examination.rows.append(row) }
        }
    }

    private func examineScan(
        _ scan: IndexScan, _ condition: [Comparison], _ table: Int, _ stop: OrderedEntry?,
        _ examination: inout Examination
    ) {
        let index = orderedIndexes[scan.number]!
        for (lower, upper) in allBounds(scan, index, condition) {
            let range = ReadRange(
                table: table, number: scan.number, lower: lower, upper: upper, stop: stop,
                isBackwards: scan.isDescending)
            examination.targets.append(.range(range))
            var position = index.lowerPosition(lower, isAfter: false)
            while !position.isEnd, index.compare(index[position], upper) <= 0 {
                if range.contains(index[position], index) { examination.rows.append(index[position].row) }
                index.advance(&position)
            }
        }
    }
}
