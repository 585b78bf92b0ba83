import Ports

extension PostgresServer {
    mutating func executeInsert(_ session: Int, _ insert: Insert) throws(DatabaseError) -> Bool {
        let table = sessions[session].progress.table
        if !sessions[session].progress.isStarted {
            try validate(insert.onConflict, tables[table].layout)
            _ = try beginStatement(session)
        }
        while sessions[session].progress.position < insert.rows.count {
            let values = insert.rows[sessions[session].progress.position]
            guard try insertRow(session, table, values, insert) else { return false }
            sessions[session].progress.position += 1
        }
        return true
    }

    /// Inserts one row, or does what is to be done on conflict. Called again after a wait.
    private mutating func insertRow(
        _ session: Int, _ table: Int, _ given: [Value], _ insert: Insert
    ) throws(DatabaseError) -> Bool {
        if sessions[session].progress.insertedRow != TableStore.none {
            return try finishInsert(session, table, isReturning: insert.isReturning)
        }
        let values = try storable(given, tables[table].layout)
        switch insert.onConflict {
        case .error: break
        case .doNothing(let key):
            for number in tables[table].layout.keys.indices {
                if let key, tables[table].layout.keys[number] != key { continue }
                switch rival(session, table, values, key: number, except: TableStore.none) {
                case .nobody: continue
                case .uncommitted(let other):
                    waitForTransaction(session, of: other)
                    return false
                case .row(let row):
                    try checkVisibility(session, table, row)
                    // That the row exists decided what the statement did.
                    try trackRead(session, RowReference(table: Int32(table), row: row))
                    return true
                }
            }
        case .doUpdate(let key, let assignments, let condition):
            let number = tables[table].layout.keys.firstIndex(of: key)!
            switch rival(session, table, values, key: number, except: TableStore.none) {
            case .nobody: break
            case .uncommitted(let other):
                waitForTransaction(session, of: other)
                return false
            case .row(let row):
                let reference = RowReference(table: Int32(table), row: row)
                return try updateConflicting(session, reference, values, assignments, condition, insert.isReturning)
            }
        }
        let own = VersionStamp.own(session: session)
        let command = sessions[session].transaction.command
        assignTransactionID(session)
        sessions[session].progress.insertedRow = tables[table].allocateRow(values, stamp: own, command: command)
        sessions[session].progress.insertedKeys = 0
        return try finishInsert(session, table, isReturning: insert.isReturning)
    }

    /// Enters a row that is in the heap into one key after the other, as the server does: a row that waits for a rival
    /// of its second key already blocks those that want its first.
    private mutating func finishInsert(
        _ session: Int, _ table: Int, isReturning: Bool
    ) throws(DatabaseError) -> Bool {
        let row = sessions[session].progress.insertedRow
        let values = tables[table].values(tables[table].rows[Int(row)].newest)
        let layout = tables[table].layout
        while sessions[session].progress.insertedKeys < layout.keys.count {
            let key = sessions[session].progress.insertedKeys
            guard try claimKey(session, table, values, key, by: row) else { return false }
            // Readers that looked for the key while this waited have not seen the row.
            try trackWrite(session, table, row: nil, new: values, touched: 1 << UInt32(key))
            tables[table].addKeyEntry(row: row, values, key: key)
            sessions[session].progress.insertedKeys += 1
        }
        let plainIndexes = layout.allIndexesMask & ~((1 << UInt32(layout.keys.count)) - 1)
        try trackWrite(session, table, row: nil, new: values, touched: plainIndexes)
        tables[table].addPlainEntries(row: row, values)
        sessions[session].progress.insertedRow = TableStore.none
        let reference = RowReference(table: Int32(table), row: row)
        sessions[session].transaction.writes.append(reference)
        let entryCount = layout.keys.count + layout.table.indexes.count
        let lsn = wal.append(
            byteCount: WriteAheadLog.insertByteCount + WriteAheadLog.byteCount(values)
                + entryCount * WriteAheadLog.indexEntryByteCount)
        logChange(
            session, LoggedChange(table: reference.table, kind: .insert, old: [], new: values, lsn: lsn))
        if isReturning { sessions[session].progress.rows.append(Row(values)) }
        sessions[session].progress.affected += 1
        return true
    }

    /// Takes back a row whose insertion has not finished.
    mutating func withdrawUnfinishedInsert(_ session: Int) {
        let row = sessions[session].progress.insertedRow
        guard row != TableStore.none else { return }
        sessions[session].progress.insertedRow = TableStore.none
        let statement = sessions[session].statements[sessions[session].statementIndex]
        guard let table = tableNumbers[statement.table.name] else {
            preconditionFailure("a row was inserted into table \(statement.table.name), which does not exist")
        }
        tables[table].withdrawRow(row, keyCount: sessions[session].progress.insertedKeys)
    }

    // MARK: On conflict

    /// Above READ COMMITTED a conflicting row that the snapshot does not see is a serialization failure.
    /// Source: src/backend/executor/nodeModifyTable.c, ExecOnConflictNothing.
    private func checkVisibility(_ session: Int, _ table: Int, _ row: UInt32) throws(DatabaseError) {
        guard sessions[session].transaction.isolation != .readCommitted else { return }
        let newest = tables[table].rows[Int(row)].newest
        let stamp = tables[table].versions[Int(newest)].stamp
        if stamp > sessions[session].progress.sequence && stamp != VersionStamp.own(session: session) {
            throw failure(.serializationFailure, "could not serialize access due to concurrent update")
        }
    }

    private mutating func updateConflicting(
        _ session: Int, _ row: RowReference, _ values: [Value], _ assignments: [Assignment],
        _ condition: [Comparison], _ isReturning: Bool
    ) throws(DatabaseError) -> Bool {
        guard lockCandidate(session, row) else { return false }
        let table = Int(row.table)
        try checkVisibility(session, table, row.row)
        let newest = tables[table].rows[Int(row.row)].newest
        let version = tables[table].versions[Int(newest)]
        if version.stamp == VersionStamp.own(session: session)
            && version.command == sessions[session].transaction.command
        {
            let text = "ON CONFLICT DO UPDATE command cannot affect row a second time"
            throw failure(.cardinalityViolation, text)
        }
        try trackRead(session, row)
        assignTransactionID(session)
        guard RowCondition.isSatisfied(condition, by: version.values) else {
            _ = wal.append(byteCount: WriteAheadLog.lockByteCount)
            return true
        }
        return try updateRow(session, row, newest, assignments, excluded: values, isReturning: isReturning)
    }
}
