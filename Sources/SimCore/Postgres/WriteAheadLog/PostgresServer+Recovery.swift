public import Ports

extension PostgresServer {
    /// Bytes of WAL that recovery would have to replay now: what the time of a restart depends on.
    public var recoveryByteCount: UInt64 { wal.insertLSN.rawValue - redoLSN.rawValue }

    /// Everything below is durable on the server's own disk.
    public var flushedLSN: LSN { wal.flushedLSN }
    /// Where the next WAL record goes.
    public var insertLSN: LSN { wal.insertLSN }

    public var isRecovering: Bool { availability == .recovering }
    /// Ends of the commit records that are not durable yet, in order: where a crash may cut the log.
    public var unsyncedCommitEnds: [LSN] {
        (0..<recentCommits.count).map { recentCommits[$0].endLSN }.filter { $0 > wal.flushedLSN }
    }

    /// Crashes the server and recovers it: what is left is the state of the transactions whose commit records lie in
    /// the WAL that survived.
    ///
    /// Connections are gone, without an effect for any of them. New ones are refused with 57P03 until
    /// ``finishRecovery()``. Source: PostgreSQL documentation, 30.3 and 30.5.
    /// - Parameter survivingWAL: end of the WAL that can be read, between ``flushedLSN`` and ``insertLSN``.
    /// - Complexity: linear in what was not durable, and in the open transactions.
    public mutating func crash(survivingWAL: LSN) {
        precondition(
            survivingWAL >= wal.flushedLSN && survivingWAL <= wal.insertLSN,
            "WAL up to \(wal.flushedLSN) was reported durable, \(survivingWAL) cannot be all that survived")
        rewind(to: survivingWAL)
        for slot in slots.indices {
            slots[slot].restore(upTo: survivingWAL)
        }
        wal.truncate(to: survivingWAL)
        if let acknowledged = standby?.acknowledgedLSN { standby?.shippedLSN = acknowledged }
        decodeFlushedCommits()
        releaseRecentCommits()
        availability = .recovering
    }

    /// Recovery is done: connections are accepted again.
    public mutating func finishRecovery() {
        precondition(availability == .recovering, "the server does not recover")
        availability = .running
    }

    /// Leaves exactly the transactions whose commit records end at or below `position`, and no session.
    mutating func rewind(to position: LSN) {
        crashCount &+= 1
        undoSessions(keeping: position)
        heldSnapshots.removeAll()
        serialization = SerializationGraph()
        commitSequence += 1
        vacuum()
        precondition(garbage.isEmpty, "versions are left that some snapshot of a dead session holds")
        while recentCommits.count > 0, recentCommits[recentCommits.count - 1].endLSN > position {
            let wasDurable = recentCommits.count <= decodedCommitCount
            let commit = recentCommits.removeLast()
            if recordsDurableCommits, wasDurable { lostCommits.append(commit) }
            undo(commit)
        }
        decodedCommitCount = min(decodedCommitCount, recentCommits.count)
        runnable = FIFOQueue()
        standbyWaiters = FIFOQueue()
        openTransactions = FIFOQueue()
        slotCreations = []
        runningCheckpoint = nil
        isWALWriterScheduled = false
        isCheckpointScheduled = false
        isRunningTransactionsScheduled = false
        runningTransactions.truncate(from: position)
        effects = []
    }

    /// Ends every session: what it wrote is undone, unless its commit record survived.
    private mutating func undoSessions(keeping position: LSN) {
        var survivors: [Int] = []
        var lost: [LSN] = []
        for session in sessions.indices where sessions[session].isInUse {
            let isCommitting = sessions[session].transaction.state == .committing
            if isCommitting && sessions[session].transaction.commitEnd <= position {
                survivors.append(session)
            } else {
                if isCommitting { lost.append(sessions[session].transaction.commitEnd) }
                withdrawUnfinishedInsert(session)
                while let row = sessions[session].transaction.writes.popLast() {
                    tables[Int(row.table)].popVersion(row: row.row)
                }
            }
        }
        survivors.sort { sessions[$0].transaction.commitEnd < sessions[$1].transaction.commitEnd }
        for session in survivors { stampWrites(session) }
        // A commit that did not survive was undone above, not by its record.
        for end in lost { forgetCommit(endingAt: end) }
        for session in sessions.indices where sessions[session].isInUse { dropSession(session) }
        sessionOfConnection = [:]
    }

    private mutating func forgetCommit(endingAt end: LSN) {
        for index in 0..<recentCommits.count where recentCommits[index].endLSN == end {
            recentCommits[index].changes = []
        }
    }

    /// Forgets a session without waking anyone.
    private mutating func dropSession(_ session: Int) {
        for row in sessions[session].transaction.locks { tables[Int(row.table)].forgetLock(row: row.row) }
        var fresh = Session()
        // Timers of before the crash stay stale.
        fresh.waitNumber = sessions[session].waitNumber
        fresh.requestNumber = sessions[session].requestNumber
        fresh.useNumber = sessions[session].useNumber
        sessions[session] = fresh
        freeSessions.append(session)
    }

    /// Takes back a committed transaction, newest change first. Each row has one version now.
    private mutating func undo(_ commit: PostgresCommitRecord) {
        for change in commit.changes.reversed() {
            let table = Int(change.table)
            switch change.kind {
            case .insert: tables[table].eraseRow(withKeyOf: change.new)
            case .update: tables[table].restoreRow(withKeyOf: change.new, to: change.old)
            case .delete: tables[table].insertCommitted(change.old)
            }
        }
    }
}
