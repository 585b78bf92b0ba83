import Ports

extension PostgresServer {
    // MARK: Snapshots

    /// What the running statement of a session sees. Taken per statement at READ COMMITTED, once above it.
    mutating func takeSnapshot(_ session: Int) -> StatementSnapshot {
        let sequence: UInt64
        if sessions[session].transaction.isolation == .readCommitted {
            sequence = commitSequence
        } else if let taken = sessions[session].transaction.snapshot {
            sequence = taken
        } else {
            sequence = sessions[session].exportedSnapshot ?? commitSequence
            sessions[session].transaction.snapshot = sequence
            if sessions[session].exportedSnapshot == nil { holdSnapshot(session, sequence) }
            if sessions[session].transaction.isolation == .serializable { beginSerializable(session, sequence) }
        }
        return StatementSnapshot(sequence: sequence, ownStamp: VersionStamp.own(session: session))
    }

    /// Keeps what a waiting statement sees from being freed.
    mutating func holdStatementSnapshot(_ session: Int) {
        if sessions[session].heldSnapshot < 0 && sessions[session].wait.isForLock {
            holdSnapshot(session, sessions[session].progress.sequence)
        }
    }

    private mutating func holdSnapshot(_ session: Int, _ sequence: UInt64) {
        sessions[session].heldSnapshot = heldSnapshots.count
        heldSnapshots.append(HeldSnapshot(session: session, sequence: sequence))
    }

    /// Keeps what is committed now in sight of the session's next transaction.
    mutating func exportSnapshot(_ session: Int) {
        releaseSnapshot(session)
        sessions[session].exportedSnapshot = commitSequence
        holdSnapshot(session, commitSequence)
    }

    /// The newest transaction that has an id.
    var newestTransactionID: UInt64 { nextTransactionID - 1 }

    mutating func releaseSnapshot(_ session: Int) {
        sessions[session].exportedSnapshot = nil
        let index = sessions[session].heldSnapshot
        guard index >= 0 else { return }
        sessions[session].heldSnapshot = -1
        let last = heldSnapshots.removeLast()
        if index < heldSnapshots.count {
            heldSnapshots[index] = last
            sessions[last.session].heldSnapshot = index
        }
    }

    // MARK: Identity and changes

    /// Gives the transaction its id with its first write or row lock, as PostgreSQL does.
    mutating func assignTransactionID(_ session: Int) {
        guard sessions[session].transaction.id == 0 else { return }
        sessions[session].transaction.id = nextTransactionID
        sessions[session].transaction.firstLSN = wal.insertLSN
        openTransactions.append(OpenTransaction(session: session, id: nextTransactionID))
        nextTransactionID += 1
        if openTransactions.count > 1_024 { compactOpenTransactions() }
        scheduleCheckpoint()
        scheduleRunningTransactions()
        if let spare = spareChanges.popLast() { sessions[session].transaction.changes = spare }
    }

    /// Drops ended transactions behind a long one.
    private mutating func compactOpenTransactions() {
        guard openTransactions.count > 8 * sessions.count else { return }
        let sessions = sessions
        openTransactions.filter { sessions[$0.session].transaction.id == $0.id }
    }

    mutating func logChange(_ session: Int, _ change: LoggedChange) {
        sessions[session].transaction.changes.append(change)
    }

    // MARK: Ending

    /// Commits: answers at once when nothing was written, otherwise when the commit record is durable as required.
    mutating func commit(_ session: Int) {
        do throws(DatabaseError) {
            try prepareSerializable(session)
        } catch {
            fail(session, error)
            return
        }
        guard sessions[session].transaction.id != 0 else {
            commitSerializable(session, isReadOnly: true)
            endTransaction(session)
            finishBatch(session)
            return
        }
        let start = wal.append(byteCount: WriteAheadLog.commitByteCount)
        let end = wal.insertLSN
        sessions[session].transaction.commitEnd = end
        recentCommits.append(
            PostgresCommitRecord(
                transactionID: sessions[session].transaction.id, firstLSN: sessions[session].transaction.firstLSN,
                commitLSN: start, endLSN: end, committedAt: now, changes: sessions[session].transaction.changes))
        sessions[session].transaction.changes = []
        checkpointIfWALIsLarge()
        if sessions[session].synchronousCommit == .off {
            scheduleWALWriter()
            becomeVisible(session)
            finishBatch(session)
            return
        }
        sessions[session].transaction.state = .committing
        sessions[session].wait = .walSync
        wal.committers.append(session)
        syncWAL()
    }

    /// The transaction is over for everyone: its versions are visible, its locks free.
    mutating func becomeVisible(_ session: Int) {
        let isReadOnly = sessions[session].transaction.writes.isEmpty
        stampWrites(session)
        commitSerializable(session, isReadOnly: isReadOnly)
        endTransaction(session)
        vacuum()
    }

    /// Makes what the transaction wrote visible to snapshots taken from now on.
    mutating func stampWrites(_ session: Int) {
        commitSequence += 1
        let sequence = commitSequence
        for index in 0..<sessions[session].transaction.writes.count {
            let row = sessions[session].transaction.writes[index]
            tables[Int(row.table)].stampNewest(row: row.row, sequence: sequence)
            garbage.append(Garbage(row: row, sequence: sequence))
        }
        sessions[session].transaction.writes.removeAll(keepingCapacity: true)
    }

    /// Undoes everything the transaction wrote and frees its locks. Its state becomes the caller's to set.
    mutating func abortTransaction(_ session: Int) {
        withdrawUnfinishedInsert(session)
        abortSerializable(session)
        while let row = sessions[session].transaction.writes.popLast() {
            tables[Int(row.table)].popVersion(row: row.row)
        }
        if sessions[session].transaction.id != 0 {
            _ = wal.append(byteCount: WriteAheadLog.abortByteCount)
            scheduleWALWriter()
        }
        var changes = ContiguousArray<LoggedChange>()
        swap(&changes, &sessions[session].transaction.changes)
        recycle(&changes)
        releaseLocks(session)
        releaseSnapshot(session)
        sessions[session].transaction.id = 0
        finishSlotCreations()
    }

    /// Leaves no transaction open. What it wrote has been made visible or undone before.
    mutating func endTransaction(_ session: Int) {
        releaseLocks(session)
        releaseSnapshot(session)
        sessions[session].transaction.state = .none
        sessions[session].transaction.id = 0
        sessions[session].transaction.command = 0
        sessions[session].transaction.snapshot = nil
        finishSlotCreations()
    }

    /// Keeps the room of a list of changes for another transaction.
    mutating func recycle(_ changes: inout ContiguousArray<LoggedChange>) {
        guard changes.capacity > 0, changes.capacity <= 256, spareChanges.count < 256 else { return }
        changes.removeAll(keepingCapacity: true)
        spareChanges.append(changes)
        changes = []
    }

    // MARK: Vacuum

    /// The oldest sequence that some snapshot sees.
    var horizon: UInt64 {
        var oldest = commitSequence
        for held in heldSnapshots where held.sequence < oldest { oldest = held.sequence }
        return oldest
    }

    /// Frees versions that nobody can see any more. Constant for each version freed.
    mutating func vacuum() {
        guard let first = garbage.first else { return }
        let horizon = horizon
        guard first.sequence <= horizon else { return }
        while let item = garbage.first, item.sequence <= horizon {
            _ = garbage.removeFirst()
            if tables[Int(item.row.table)].prune(row: item.row.row, horizon: horizon) {
                // Dead, but locked: seen again with the next commit.
                garbage.append(Garbage(row: item.row, sequence: commitSequence + 1))
            }
        }
    }
}
