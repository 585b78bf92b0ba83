import Ports

extension PostgresServer {
    /// Runs the session's current statement from where it stands.
    ///
    /// - Returns: whether it is done; if not, the session waits.
    mutating func executeStatement(_ session: Int) throws(DatabaseError) -> Bool {
        if !sessions[session].progress.isStarted {
            if !revocations.isEmpty { try requirePrivilege(session) }
            try prepareStatement(session)
        }
        let statement = sessions[session].statements[sessions[session].statementIndex]
        let isDone =
            switch statement {
            case .select(let select): try executeSelect(session, select)
            case .insert(let insert): try executeInsert(session, insert)
            case .update(let update): try executeUpdate(session, update)
            case .delete(let delete): try executeDelete(session, delete)
            }
        guard isDone else { return false }
        projectRows(session)
        let affected = sessions[session].progress.affected
        sessions[session].results.append(
            StatementResult(affectedRowCount: affected, rows: sessions[session].progress.rows))
        sessions[session].progress.reset()
        if sessions[session].transaction.isolation == .readCommitted { releaseSnapshot(session) }
        return true
    }

    /// Begins a statement: takes its snapshot and counts the command.
    mutating func beginStatement(_ session: Int) throws(DatabaseError) -> StatementSnapshot {
        let snapshot = takeSnapshot(session)
        try checkDoom(session)
        sessions[session].progress.isStarted = true
        sessions[session].progress.sequence = snapshot.sequence
        sessions[session].transaction.command += 1
        return snapshot
    }

    func statementSnapshot(_ session: Int) -> StatementSnapshot {
        StatementSnapshot(sequence: sessions[session].progress.sequence, ownStamp: VersionStamp.own(session: session))
    }

    /// Fetches candidates of a condition in the order of an access path.
    mutating func fetchCandidates(
        _ session: Int, _ table: Int, _ path: AccessPath, _ condition: [Comparison], limit: Int?
    ) throws(DatabaseError) {
        if case .index(let scan) = path, scan.number >= tables[table].layout.table.indexes.count {
            tables[table].prepareOrder(ofKey: scan.number - tables[table].layout.table.indexes.count)
        }
        let snapshot = statementSnapshot(session)
        var candidates = ContiguousArray<UInt32>()
        swap(&candidates, &sessions[session].progress.candidates)
        var resumesAfter = sessions[session].progress.resumesAfter
        tables[table].search(
            path, condition, snapshot, limit: limit, resumesAfter: &resumesAfter, into: &candidates)
        sessions[session].progress.resumesAfter = resumesAfter
        swap(&candidates, &sessions[session].progress.candidates)
        if sessions[session].transaction.isolation == .serializable {
            try trackReads(session, table, path, condition)
        }
    }

    /// The version of a row, locked by the session, that a statement may act on.
    ///
    /// - Returns: `nil` when the row was concurrently deleted, or no longer satisfies the condition (READ COMMITTED).
    /// - Throws: 40001 above READ COMMITTED when it was concurrently changed.
    func currentVersion(
        _ session: Int, _ row: RowReference, _ condition: [Comparison]
    ) throws(DatabaseError) -> UInt32? {
        let table = Int(row.table)
        let newest = tables[table].rows[Int(row.row)].newest
        let stamp = tables[table].versions[Int(newest)].stamp
        let isDeleted = tables[table].versions[Int(newest)].isDeleted
        if stamp <= sessions[session].progress.sequence || stamp == VersionStamp.own(session: session) {
            return isDeleted ? nil : newest
        }
        precondition(stamp < VersionStamp.uncommitted, "a row locked by one session was written by another")
        if sessions[session].transaction.isolation != .readCommitted {
            let what = isDeleted ? "delete" : "update"
            throw failure(.serializationFailure, "could not serialize access due to concurrent \(what)")
        }
        if isDeleted { return nil }
        return RowCondition.isSatisfied(condition, by: tables[table].values(newest)) ? newest : nil
    }

    /// Takes the next candidate's lock.
    ///
    /// - Returns: whether the session has it; if not, it waits.
    mutating func lockCandidate(_ session: Int, _ row: RowReference) -> Bool {
        if tryLock(session, row) == .granted { return true }
        waitForRow(session, row)
        return false
    }

    // MARK: Select

    private mutating func executeSelect(_ session: Int, _ select: Select) throws(DatabaseError) -> Bool {
        let table = sessions[session].progress.table
        let layout = tables[table].layout
        let limit = select.limit
        let path = AccessPath.plan(layout, select.condition, select.sortKeys, limit: limit)
        if !sessions[session].progress.isStarted {
            try validate(select.condition, layout)
            try validate(select.sortKeys)
            if let limit = select.limit, limit < 0 {
                throw failure(SQLState(rawValue: "2201W"), "LIMIT must not be negative")
            }
            _ = try beginStatement(session)
            if limit == 0 { return true }
            try fetchCandidates(session, table, path, select.condition, limit: limit)
            sortCandidates(session, table, path, select.sortKeys)
        }
        if select.lock == .none {
            readCandidates(session, table, limit: limit)
            return true
        }
        return try lockCandidates(session, table, select, path, limit: limit)
    }

    private mutating func readCandidates(_ session: Int, _ table: Int, limit: Int?) {
        let snapshot = statementSnapshot(session)
        let count = min(sessions[session].progress.candidates.count, limit ?? .max)
        sessions[session].progress.rows.reserveCapacity(count)
        for index in 0..<count {
            let row = sessions[session].progress.candidates[index]
            let version = tables[table].visibleVersion(row: row, snapshot)!
            sessions[session].progress.rows.append(Row(tables[table].values(version)))
        }
        sessions[session].progress.affected = count
    }

    /// Locks rows one by one, in the order of the result, until the limit is reached. A row that no longer satisfies
    /// the condition once it is locked is left out, and stays locked.
    private mutating func lockCandidates(
        _ session: Int, _ table: Int, _ select: Select, _ path: AccessPath, limit: Int?
    ) throws(DatabaseError) -> Bool {
        while sessions[session].progress.affected < limit ?? .max {
            if sessions[session].progress.position == sessions[session].progress.candidates.count {
                guard sessions[session].progress.resumesAfter != nil else { return true }
                let missing = limit.map { $0 - sessions[session].progress.affected }
                try fetchCandidates(session, table, path, select.condition, limit: missing)
                continue
            }
            let position = sessions[session].progress.position
            let row = RowReference(table: Int32(table), row: sessions[session].progress.candidates[position])
            if tryLock(session, row) == .isTaken {
                switch select.lock {
                case .forUpdateSkipLocked:
                    sessions[session].progress.position += 1
                    continue
                case .forUpdateNoWait:
                    let text = "could not obtain lock on row in relation \"\(select.table.name)\""
                    throw failure(.lockNotAvailable, text)
                case .forUpdate, .none:
                    waitForRow(session, row)
                    return false
                }
            }
            assignTransactionID(session)
            if let version = try currentVersion(session, row, select.condition) {
                _ = wal.append(byteCount: WriteAheadLog.lockByteCount)
                sessions[session].progress.rows.append(Row(tables[table].values(version)))
                sessions[session].progress.affected += 1
            }
            sessions[session].progress.position += 1
        }
        return true
    }

    private mutating func sortCandidates(_ session: Int, _ table: Int, _ path: AccessPath, _ sortKeys: [SortKey]) {
        if sortKeys.isEmpty || sessions[session].progress.candidates.count < 2 { return }
        if case .index(let scan) = path, scan.providesOrder { return }
        let snapshot = statementSnapshot(session)
        var rows: ContiguousArray<(row: UInt32, values: [Value])> = []
        rows.reserveCapacity(sessions[session].progress.candidates.count)
        for row in sessions[session].progress.candidates {
            rows.append((row, tables[table].values(tables[table].visibleVersion(row: row, snapshot)!)))
        }
        rows.sort { left, right in
            for sortKey in sortKeys {
                let ordinal = sortKey.column.ordinal
                let order = ValueOrdering.compare(left.values[ordinal], right.values[ordinal])
                if order != 0 { return sortKey.isDescending ? order > 0 : order < 0 }
            }
            return left.row < right.row
        }
        for index in rows.indices { sessions[session].progress.candidates[index] = rows[index].row }
    }

    // MARK: Delete

    private mutating func executeDelete(_ session: Int, _ delete: Delete) throws(DatabaseError) -> Bool {
        let table = sessions[session].progress.table
        if !sessions[session].progress.isStarted {
            let layout = tables[table].layout
            try validate(delete.condition, layout)
            _ = try beginStatement(session)
            let path = AccessPath.plan(layout, delete.condition, [], limit: nil)
            try fetchCandidates(session, table, path, delete.condition, limit: nil)
        }
        while sessions[session].progress.position < sessions[session].progress.candidates.count {
            let position = sessions[session].progress.position
            let row = RowReference(table: Int32(table), row: sessions[session].progress.candidates[position])
            guard lockCandidate(session, row) else { return false }
            if let version = try currentVersion(session, row, delete.condition) {
                let old = tables[table].values(version)
                try writeVersion(session, row, old: old, new: [], touched: 0, kind: .delete)
                if delete.isReturning { sessions[session].progress.rows.append(Row(old)) }
                sessions[session].progress.affected += 1
            }
            sessions[session].progress.position += 1
        }
        return true
    }
}
