import Ports

extension TableStore {
    /// Walks everything and traps on a broken invariant; for tests. Quadratic in the length of chains.
    ///
    /// - Parameter entered: how many keys a row that is being inserted has been entered into; `nil` for any other row.
    func checkInvariants(entered: (UInt32) -> Int?) {
        var expected = [Int](repeating: 0, count: layout.keys.count + layout.table.indexes.count)
        var chained = 0
        for row in 0..<UInt32(rows.count) {
            var version = rows[Int(row)].newest
            var seen: [[Value]] = []
            while version != Self.none {
                let values = versions[Int(version)].values
                chained += 1
                for index in expected.indices where !values.isEmpty {
                    if let count = entered(row), index >= count { continue }
                    if seen.contains(where: { haveSameKey($0, values, index: index) }) { continue }
                    checkEntry(values, row, index)
                    let isHashed = index >= layout.keys.count || isKeyComplete(values, key: index)
                    expected[index] += isHashed ? 1 : 0
                }
                if !values.isEmpty { seen.append(values) }
                version = versions[Int(version)].older
            }
        }
        precondition(chained == versionCount, "\(versionCount) versions are in use, \(chained) are in chains")
        for index in layout.keys.indices {
            precondition(
                uniqueIndexes[index].count == expected[index],
                "key \(layout.keys[index].name) has \(uniqueIndexes[index].count) entries instead of \(expected[index])"
            )
        }
        for number in layout.table.indexes.indices {
            let index = orderedIndexes[number]!
            index.checkInvariants()
            precondition(
                index.count == expected[layout.keys.count + number],
                "index \(layout.table.indexes[number].name) has \(index.count) entries")
        }
    }

    private func checkEntry(_ values: [Value], _ row: UInt32, _ index: Int) {
        if index < layout.keys.count {
            guard isKeyComplete(values, key: index) else { return }
            let hash = keyHash(values, key: index)
            var position = uniqueIndexes[index].start(hash: hash)
            var found = 0
            while let other = uniqueIndexes[index].next(hash: hash, position: &position) {
                found += other == row ? 1 : 0
            }
            precondition(found == 1, "row \(row) has \(found) entries of one key in \(layout.keys[index].name)")
        } else {
            let ordered = orderedIndexes[index - layout.keys.count]!
            let entry = ordered.entry(values, row: row)
            let position = ordered.position(notBefore: entry)
            precondition(
                !position.isEnd && ordered[position].row == row
                    && haveSameKey(ordered[position].values, values, index: index),
                "row \(row) has no entry in \(layout.table.indexes[index - layout.keys.count].name)")
        }
    }
}

extension PostgresServer {
    /// Checks every table; for tests.
    func checkInvariants() {
        for (number, table) in tables.enumerated() {
            table.checkInvariants { row in
                for session in sessions where session.progress.insertedRow == row {
                    let statement = session.statements[session.statementIndex]
                    if tableNumbers[statement.table.name] == number { return session.progress.insertedKeys }
                }
                return nil
            }
        }
    }
}
