import Ports

extension PostgresServer {
    /// Puts a new version on a row that the session has locked, with its WAL record.
    mutating func writeVersion(
        _ session: Int, _ row: RowReference, old: [Value], new: [Value], touched: UInt32, kind: LoggedChange.Kind
    ) throws(DatabaseError) {
        let table = Int(row.table)
        if sessions[session].transaction.isolation == .serializable {
            try trackWrite(session, table, row: row.row, new: new, touched: touched)
            trackFreedKeys(session, table, old, new: new, touched: touched)
        }
        assignTransactionID(session)
        let newest = tables[table].rows[Int(row.row)].newest
        let own = VersionStamp.own(session: session)
        let command = sessions[session].transaction.command
        if tables[table].versions[Int(newest)].stamp == own {
            tables[table].replaceNewest(row: row.row, new, command: command, touched: touched)
        } else {
            tables[table].pushVersion(row: row.row, new, stamp: own, command: command, touched: touched)
            sessions[session].transaction.writes.append(row)
        }
        let byteCount =
            kind == .delete
            ? WriteAheadLog.deleteByteCount
            : WriteAheadLog.updateByteCount + WriteAheadLog.byteCount(new)
                + touched.nonzeroBitCount * WriteAheadLog.indexEntryByteCount
        let lsn = wal.append(byteCount: byteCount)
        logChange(session, LoggedChange(table: row.table, kind: kind, old: old, new: new, lsn: lsn))
    }

    // MARK: Update

    mutating func executeUpdate(_ session: Int, _ update: Update) throws(DatabaseError) -> Bool {
        let table = sessions[session].progress.table
        if !sessions[session].progress.isStarted {
            let layout = tables[table].layout
            try validate(update.condition, layout)
            try validate(update.assignments, layout, isOnConflict: false)
            _ = try beginStatement(session)
            let path = AccessPath.plan(layout, update.condition, [], limit: nil)
            try fetchCandidates(session, table, path, update.condition, limit: nil)
        }
        while sessions[session].progress.position < sessions[session].progress.candidates.count {
            let position = sessions[session].progress.position
            let row = RowReference(table: Int32(table), row: sessions[session].progress.candidates[position])
            guard lockCandidate(session, row) else { return false }
            if let version = try currentVersion(session, row, update.condition) {
                let isDone = try updateRow(
                    session, row, version, update.assignments, excluded: [], isReturning: update.isReturning)
                guard isDone else { return false }
            }
            sessions[session].progress.position += 1
        }
        return true
    }

    /// Updates one locked row.
    ///
    /// - Returns: whether it is done; if not, the session waits for the rival of a unique key, and tries again.
    mutating func updateRow(
        _ session: Int, _ row: RowReference, _ version: UInt32, _ assignments: [Assignment], excluded: [Value],
        isReturning: Bool
    ) throws(DatabaseError) -> Bool {
        let table = Int(row.table)
        let old = tables[table].values(version)
        var new = old
        var changed: UInt64 = 0
        for assignment in assignments {
            let ordinal = assignment.column.ordinal
            let value = try assignedValue(assignment, old[ordinal], excluded, tables[table].layout)
            if !ValueOrdering.areSame(value, old[ordinal]) {
                changed |= 1 << UInt64(ordinal)
                new[ordinal] = value
            } else if case .json = value {
                // Equal documents may be written differently: 1.0 and 1.
                new[ordinal] = value
            }
        }
        if changed != 0 { try checkConstraints(new, tables[table].layout, changed) }
        let touched = tables[table].layout.indexesTouched(byColumns: changed)
        var key = 0
        while touched != 0 && key < tables[table].layout.keys.count {
            if touched & 1 << UInt32(key) != 0 {
                guard try claimKey(session, table, new, key, by: row.row) else { return false }
            }
            key += 1
        }
        try writeVersion(session, row, old: old, new: new, touched: touched, kind: .update)
        if isReturning { sessions[session].progress.rows.append(Row(new)) }
        sessions[session].progress.affected += 1
        return true
    }

    private func assignedValue(
        _ assignment: Assignment, _ old: Value, _ excluded: [Value], _ layout: TableLayout
    ) throws(DatabaseError) -> Value {
        switch assignment {
        case .set(let column, let value):
            if value.isNull && !column.isNullable { throw notNullViolation(column, layout) }
            return try storedForm(value)
        case .setExcluded(let column): return excluded[column.ordinal]
        case .increment(_, let amount):
            // Null plus anything is null.
            guard case .int64(let value) = old else { return .null }
            let (sum, hasOverflowed) = value.addingReportingOverflow(amount)
            if hasOverflowed { throw failure(.numericValueOutOfRange, "bigint out of range") }
            return .int64(sum)
        }
    }

    // MARK: Unique keys

    /// What stands in the way of a row's having a key.
    enum Rival {
        case nobody
        /// An open transaction has it, or is giving it up.
        case uncommitted(session: Int)
        case row(UInt32)
    }

    /// Looks for another row that has the key now, or will have it when some open transaction ends one way or other.
    func rival(_ session: Int, _ table: Int, _ values: [Value], key: Int, except own: UInt32) -> Rival {
        guard tables[table].isKeyComplete(values, key: key) else { return .nobody }
        let hash = tables[table].keyHash(values, key: key)
        var position = tables[table].uniqueIndexes[key].start(hash: hash)
        while let row = tables[table].uniqueIndexes[key].next(hash: hash, position: &position) {
            if row == own { continue }
            let newest = tables[table].rows[Int(row)].newest
            let stamp = tables[table].versions[Int(newest)].stamp
            if stamp < VersionStamp.uncommitted || stamp == VersionStamp.own(session: session) {
                if hasKey(table, newest, values, key) { return .row(row) }
            } else {
                let older = tables[table].versions[Int(newest)].older
                if hasKey(table, newest, values, key) || older != TableStore.none && hasKey(table, older, values, key) {
                    return .uncommitted(session: VersionStamp.session(of: stamp))
                }
            }
        }
        return .nobody
    }

    private func hasKey(_ table: Int, _ version: UInt32, _ values: [Value], _ key: Int) -> Bool {
        let other = tables[table].versions[Int(version)].values
        return !other.isEmpty && tables[table].haveSameKey(values, other, index: key)
    }

    /// Makes sure that no other row has the key.
    ///
    /// - Returns: whether it is free; if not, the session waits for the transaction that decides it.
    /// - Throws: 23505 when a committed row has it, whatever the snapshot.
    mutating func claimKey(
        _ session: Int, _ table: Int, _ values: [Value], _ key: Int, by row: UInt32
    ) throws(DatabaseError) -> Bool {
        switch rival(session, table, values, key: key, except: row) {
        case .nobody: return true
        case .uncommitted(let other):
            waitForTransaction(session, of: other)
            return false
        case .row:
            try trackViolation(session, table, key: key, values)
            let name = tables[table].layout.keys[key].name
            let text = "duplicate key value violates unique constraint \"\(name)\""
            throw failure(.uniqueViolation, text, constraint: name)
        }
    }
}
