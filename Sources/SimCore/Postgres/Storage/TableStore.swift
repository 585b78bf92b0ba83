import Ports

/// Marks of versions that are not committed yet: the session that wrote them, with the highest bit set.
///
/// A committed version carries the commit sequence number of its transaction instead. So one comparison tells whether
/// a version is visible: what is committed later, or not at all, is a greater number than the snapshot's.
enum VersionStamp {
    static let uncommitted: UInt64 = 1 << 63

    static func own(session: Int) -> UInt64 { uncommitted | UInt64(session) }
    static func session(of stamp: UInt64) -> Int { Int(stamp & ~uncommitted) }
}

/// What a statement sees: everything committed up to a sequence number, and what its own transaction wrote.
struct StatementSnapshot {
    var sequence: UInt64
    var ownStamp: UInt64
}

/// One version of a row.
struct RowVersion {
    /// Who wrote it; see ``VersionStamp``.
    var stamp: UInt64
    /// The values; empty in the version that a delete leaves.
    var values: [Value]
    /// The version it replaced, or ``TableStore/none``.
    var older: UInt32
    /// The command of its transaction that wrote it.
    var command: UInt32
    /// Keys and indexes in which it differs from the version it replaced, as bits.
    var touched: UInt32

    var isDeleted: Bool { values.isEmpty }
}

/// A row: a chain of versions, newest first, with its lock and the sessions that wait for it.
struct RowSlot {
    var newest: UInt32
    /// Session number plus one of the transaction that holds the row's lock; zero when none does.
    var lockOwner: UInt32 = 0
    /// First and last of the sessions that wait for the lock, plus one; zero when none does.
    var firstWaiter: UInt32 = 0
    var lastWaiter: UInt32 = 0
}

/// One table's rows, versions and indexes, without transactions: who may see and change what is decided above.
///
/// Rows and versions live in slabs and are named by number; freed numbers are used again.
struct TableStore {
    static let none = UInt32.max

    private(set) var layout: TableLayout
    private(set) var versions: ContiguousArray<RowVersion> = []
    var rows: ContiguousArray<RowSlot> = []
    private var freeVersions: ContiguousArray<UInt32> = []
    private var freeRows: ContiguousArray<UInt32> = []
    private(set) var uniqueIndexes: ContiguousArray<UniqueIndex>
    /// One for each plain index, then one for each key, made when a statement first wants that key's order.
    private(set) var orderedIndexes: ContiguousArray<OrderedIndex?>

    init(_ layout: TableLayout) {
        self.layout = layout
        uniqueIndexes = ContiguousArray(repeating: UniqueIndex(), count: layout.keys.count)
        orderedIndexes = ContiguousArray(repeating: nil, count: layout.table.indexes.count + layout.keys.count)
        for (number, index) in layout.table.indexes.enumerated() {
            orderedIndexes[number] = OrderedIndex(
                columns: index.columns, types: index.columns.map { layout.columnTypes[$0] })
        }
    }

    /// Rows that hold at least one version, dead ones included.
    var rowCount: Int { rows.count - freeRows.count }
    var versionCount: Int { versions.count - freeVersions.count }
    /// Row numbers in use are below this.
    var rowNumberBound: Int { rows.count }

    // MARK: Reading

    /// The version of the row that the snapshot sees, or `nil` when it sees none or a deleted one.
    func visibleVersion(row: UInt32, _ snapshot: StatementSnapshot) -> UInt32? {
        var version = rows[Int(row)].newest
        while version != Self.none {
            let stamp = versions[Int(version)].stamp
            if stamp <= snapshot.sequence || stamp == snapshot.ownStamp {
                return versions[Int(version)].isDeleted ? nil : version
            }
            version = versions[Int(version)].older
        }
        return nil
    }

    func values(_ version: UInt32) -> [Value] { versions[Int(version)].values }

    func keyHash(_ values: [Value], key: Int) -> UInt64 {
        var hash = KeyHash()
        for column in layout.keys[key].columns { hash.combine(values[column]) }
        return hash.state
    }

    /// Whether the values have no null in the key, so that the key can conflict at all.
    func isKeyComplete(_ values: [Value], key: Int) -> Bool {
        layout.keys[key].columns.allSatisfy { !values[$0].isNull }
    }

    func haveSameKey(_ left: [Value], _ right: [Value], index: Int) -> Bool {
        for column in layout.columns(ofIndex: index)
        where !ValueOrdering.areSame(left[column], right[column]) {
            return false
        }
        return true
    }

    // MARK: Writing

    /// A new row of one version, in no index yet.
    mutating func allocateRow(_ values: [Value], stamp: UInt64, command: UInt32) -> UInt32 {
        let version = allocateVersion(
            RowVersion(stamp: stamp, values: values, older: Self.none, command: command, touched: 0))
        let slot = RowSlot(newest: version)
        if let row = freeRows.popLast() {
            rows[Int(row)] = slot
            return row
        }
        rows.append(slot)
        return UInt32(rows.count - 1)
    }

    /// Puts a new version on top of the row's chain and adds the index entries that it needs.
    ///
    /// - Parameter touched: the keys and indexes in which it differs; none for a delete, which empties `values`.
    mutating func pushVersion(row: UInt32, _ values: [Value], stamp: UInt64, command: UInt32, touched: UInt32) {
        addEntries(values, row: row, touched)
        let older = rows[Int(row)].newest
        rows[Int(row)].newest = allocateVersion(
            RowVersion(stamp: stamp, values: values, older: older, command: command, touched: touched))
    }

    /// Replaces the newest version, which the same transaction wrote, and drops the index entries only it needed.
    mutating func replaceNewest(row: UInt32, _ values: [Value], command: UInt32, touched: UInt32) {
        addEntries(values, row: row, touched)
        let newest = Int(rows[Int(row)].newest)
        let old = versions[newest].values
        versions[newest].values = values
        versions[newest].command = command
        versions[newest].touched |= touched
        dropEntries(of: old, row: row, values.isEmpty ? layout.allIndexesMask : touched)
    }

    /// Makes a version visible to snapshots taken from `sequence` on.
    mutating func stampNewest(row: UInt32, sequence: UInt64) {
        versions[Int(rows[Int(row)].newest)].stamp = sequence
    }

    /// Undoes the newest version of an aborted transaction; frees the row when nothing is left of it.
    mutating func popVersion(row: UInt32) {
        let newest = rows[Int(row)].newest
        let version = versions[Int(newest)]
        rows[Int(row)].newest = version.older
        freeVersion(newest)
        if version.older == Self.none {
            dropEntries(of: version.values, row: row, layout.allIndexesMask)
            freeRow(row)
        } else if !version.isDeleted {
            dropEntries(of: version.values, row: row, version.touched)
        }
    }

    /// Undoes a row whose insertion stopped after the entries of its first `keyCount` keys.
    mutating func withdrawRow(_ row: UInt32, keyCount: Int) {
        let version = rows[Int(row)].newest
        let values = versions[Int(version)].values
        freeVersion(version)
        freeRow(row)
        for key in 0..<keyCount { dropKeyEntry(values, row: row, key) }
    }

    /// Frees the versions that no snapshot from `horizon` on can see, and the row itself once it is dead to all.
    ///
    /// - Returns: whether the row is dead but must stay because its lock is held or waited for.
    mutating func prune(row: UInt32, horizon: UInt64) -> Bool {
        var oldestSeen = rows[Int(row)].newest
        while oldestSeen != Self.none && versions[Int(oldestSeen)].stamp > horizon {
            oldestSeen = versions[Int(oldestSeen)].older
        }
        if oldestSeen == Self.none { return false }
        var newer = oldestSeen
        var touched: UInt32 = 0
        while versions[Int(oldestSeen)].older != Self.none {
            let old = versions[Int(oldestSeen)].older
            let values = versions[Int(old)].values
            // What an older version shares with this one it may still differ in from those that stay.
            touched |= versions[Int(newer)].isDeleted ? layout.allIndexesMask : versions[Int(newer)].touched
            // Unlinked one by one: an older version may still need the entry.
            versions[Int(oldestSeen)].older = versions[Int(old)].older
            if touched != 0 { dropEntries(of: values, row: row, touched) }
            if newer != oldestSeen { freeVersion(newer) }
            newer = old
        }
        if newer != oldestSeen { freeVersion(newer) }
        guard oldestSeen == rows[Int(row)].newest, versions[Int(oldestSeen)].isDeleted else { return false }
        if rows[Int(row)].lockOwner != 0 || rows[Int(row)].firstWaiter != 0 { return true }
        freeVersion(oldestSeen)
        freeRow(row)
        return false
    }

    // MARK: Recovery, when every row has one committed version

    mutating func forgetLock(row: UInt32) {
        rows[Int(row)].lockOwner = 0
        rows[Int(row)].firstWaiter = 0
        rows[Int(row)].lastWaiter = 0
    }

    /// Adds a row that everyone sees.
    mutating func insertCommitted(_ given: [Value]) {
        let values = padded(given)
        let row = allocateRow(values, stamp: 0, command: 0)
        for key in layout.keys.indices { addKeyEntry(row: row, values, key: key) }
        addPlainEntries(row: row, values)
    }

    /// Removes the row that has this primary key.
    mutating func eraseRow(withKeyOf values: [Value]) {
        let row = onlyRow(withKeyOf: values)
        let version = rows[Int(row)].newest
        let current = versions[Int(version)].values
        freeVersion(version)
        freeRow(row)
        dropEntries(of: current, row: row, layout.allIndexesMask)
    }

    /// Gives the row that has this primary key other values.
    mutating func restoreRow(withKeyOf values: [Value], to old: [Value]) {
        let row = onlyRow(withKeyOf: values)
        replaceNewest(row: row, padded(old), command: 0, touched: layout.allIndexesMask)
        versions[Int(rows[Int(row)].newest)].touched = 0
    }

    private func onlyRow(withKeyOf values: [Value]) -> UInt32 {
        let hash = keyHash(values, key: 0)
        var position = uniqueIndexes[0].start(hash: hash)
        while let row = uniqueIndexes[0].next(hash: hash, position: &position) {
            let version = rows[Int(row)].newest
            if haveSameKey(versions[Int(version)].values, values, index: 0) { return row }
        }
        preconditionFailure("recovery of table \(layout.table.name) finds no row of key \(values)")
    }

    /// Values from before columns were added.
    private func padded(_ values: [Value]) -> [Value] {
        values + [Value](repeating: .null, count: layout.columnTypes.count - values.count)
    }

    // MARK: Index entries

    /// Adds the row to a key. A key with a null is not hashed: nothing can be looked up by it.
    mutating func addKeyEntry(row: UInt32, _ values: [Value], key: Int) {
        if isKeyComplete(values, key: key) { uniqueIndexes[key].insert(hash: keyHash(values, key: key), row: row) }
        let ordered = layout.table.indexes.count + key
        if orderedIndexes[ordered] != nil {
            orderedIndexes[ordered]!.insert(orderedIndexes[ordered]!.entry(values, row: row))
        }
    }

    mutating func addPlainEntries(row: UInt32, _ values: [Value]) {
        for number in 0..<layout.table.indexes.count { addPlainEntry(row: row, values, number) }
    }

    private mutating func addPlainEntry(row: UInt32, _ values: [Value], _ number: Int) {
        let entry = orderedIndexes[number]!.entry(values, row: row)
        orderedIndexes[number]!.insert(entry)
    }

    private mutating func addEntries(_ values: [Value], row: UInt32, _ touched: UInt32) {
        var rest = touched
        while rest != 0 {
            let number = rest.trailingZeroBitCount
            rest &= rest - 1
            if hasEntry(values, row: row, index: number) { continue }
            if number < layout.keys.count {
                addKeyEntry(row: row, values, key: number)
            } else {
                addPlainEntry(row: row, values, number - layout.keys.count)
            }
        }
    }

    /// Whether a version in the row's chain has the same key, and so the row already has the entry.
    private func hasEntry(_ values: [Value], row: UInt32, index: Int) -> Bool {
        var version = rows[Int(row)].newest
        while version != Self.none {
            let other = versions[Int(version)].values
            if !other.isEmpty && haveSameKey(values, other, index: index) { return true }
            version = versions[Int(version)].older
        }
        return false
    }

    private mutating func dropEntries(of values: [Value], row: UInt32, _ touched: UInt32) {
        if values.isEmpty { return }
        var rest = touched
        while rest != 0 {
            let number = rest.trailingZeroBitCount
            rest &= rest - 1
            if hasEntry(values, row: row, index: number) { continue }
            if number < layout.keys.count {
                dropKeyEntry(values, row: row, number)
            } else {
                dropOrdered(values, row: row, number - layout.keys.count)
            }
        }
    }

    private mutating func dropKeyEntry(_ values: [Value], row: UInt32, _ key: Int) {
        if isKeyComplete(values, key: key) { uniqueIndexes[key].remove(hash: keyHash(values, key: key), row: row) }
        dropOrdered(values, row: row, layout.table.indexes.count + key)
    }

    private mutating func dropOrdered(_ values: [Value], row: UInt32, _ number: Int) {
        guard orderedIndexes[number] != nil else { return }
        orderedIndexes[number]!.remove(orderedIndexes[number]!.entry(values, row: row))
    }

    /// Makes the order of a key, if a statement has not wanted it before. Linear in the table, once.
    mutating func prepareOrder(ofKey key: Int) {
        let number = layout.table.indexes.count + key
        guard orderedIndexes[number] == nil else { return }
        let columns = layout.keys[key].columns
        var index = OrderedIndex(columns: columns, types: columns.map { layout.columnTypes[$0] })
        for row in 0..<UInt32(rows.count) {
            var version = rows[Int(row)].newest
            while version != Self.none {
                let values = versions[Int(version)].values
                if !values.isEmpty {
                    let entry = index.entry(values, row: row)
                    let found = index.position(notBefore: entry)
                    let isThere =
                        !found.isEnd && index[found].row == row
                        && haveSameKey(index[found].values, values, index: key)
                    if !isThere { index.insert(entry) }
                }
                version = versions[Int(version)].older
            }
        }
        orderedIndexes[number] = index
    }

    /// Takes on a layout with more columns or indexes: every version gets nulls, every index is made anew. Linear.
    mutating func relayOut(_ newLayout: TableLayout) {
        let missing = newLayout.columnTypes.count - layout.columnTypes.count
        let empty = TableStore(newLayout)
        layout = newLayout
        uniqueIndexes = empty.uniqueIndexes
        orderedIndexes = empty.orderedIndexes
        for number in versions.indices where !versions[number].isDeleted {
            versions[number].values += [Value](repeating: .null, count: missing)
        }
        for row in rows.indices {
            // Oldest first, so that each key of the chain is entered once.
            var chain: [RowVersion] = []
            var version = rows[row].newest
            while version != Self.none {
                chain.append(versions[Int(version)])
                version = versions[Int(version)].older
            }
            for (age, version) in chain.enumerated() where !version.isDeleted {
                enter(version.values, row: UInt32(row), unlessIn: chain[(age + 1)...])
            }
        }
    }

    private mutating func enter(_ values: [Value], row: UInt32, unlessIn older: ArraySlice<RowVersion>) {
        for index in 0..<(layout.keys.count + layout.table.indexes.count) {
            if older.contains(where: { !$0.isDeleted && haveSameKey($0.values, values, index: index) }) { continue }
            if index < layout.keys.count {
                addKeyEntry(row: row, values, key: index)
            } else {
                addPlainEntry(row: row, values, index - layout.keys.count)
            }
        }
    }

    // MARK: Slabs

    private mutating func allocateVersion(_ version: RowVersion) -> UInt32 {
        if let number = freeVersions.popLast() {
            versions[Int(number)] = version
            return number
        }
        versions.append(version)
        return UInt32(versions.count - 1)
    }

    private mutating func freeVersion(_ number: UInt32) {
        versions[Int(number)].values = []
        freeVersions.append(number)
    }

    private mutating func freeRow(_ row: UInt32) {
        precondition(rows[Int(row)].firstWaiter == 0, "row \(row) is freed while sessions wait for it")
        rows[Int(row)] = RowSlot(newest: Self.none)
        freeRows.append(row)
    }
}
