import Ports

extension PostgresServer {
    /// Hands the commit records that have become durable to the slots: logical decoding reads flushed WAL only, and of
    /// synchronised slots only what the standby has too (`synchronized_standby_slots`).
    mutating func decodeFlushedCommits() {
        var limit = wal.flushedLSN
        if settings.synchronizesSlots, let acknowledged = standby?.acknowledgedLSN { limit = min(limit, acknowledged) }
        while decodedCommitCount < recentCommits.count {
            let commit = recentCommits[decodedCommitCount]
            guard commit.endLSN <= limit else { break }
            decodedCommitCount += 1
            if recordsDurableCommits { durableCommits.append(commit) }
            if !slots.isEmpty { decode(commit) }
        }
        if !slots.isEmpty { deliverToAll() }
    }

    private mutating func decode(_ commit: PostgresCommitRecord) {
        var published = commit
        published.changes = commit.changes.filter { change in
            slots.contains { $0.isPublished(change.table) && !$0.isLost }
        }
        guard !published.changes.isEmpty else { return }
        decodedLog.append(DecodedTransaction(commit: published, oldestOpenLSN: commit.oldestOpenLSN))
    }

    mutating func deliverToAll() {
        for slot in slots.indices where slots[slot].consumer >= 0 && slots[slot].credit > 0 { deliver(slot) }
    }

    /// Sends the consumer of a slot what it has credit for.
    mutating func deliver(_ slot: Int) {
        var batch: [CommittedTransaction] = []
        while slots[slot].credit > 0 && slots[slot].nextNumber < decodedLog.endNumber {
            let commit = decodedLog[slots[slot].nextNumber].commit
            slots[slot].nextNumber += 1
            let changes = changes(of: commit, for: slots[slot])
            if changes.isEmpty { continue }
            batch.append(
                CommittedTransaction(
                    transactionID: commit.transactionID, commitLSN: commit.commitLSN, endLSN: commit.endLSN,
                    committedAt: commit.committedAt, changes: changes))
            slots[slot].credit -= 1
        }
        if !batch.isEmpty { effects.append(.deliver(sessions[slots[slot].consumer].connection, batch)) }
    }

    private func changes(of commit: PostgresCommitRecord, for slot: LogicalSlot) -> [ChangeEvent] {
        var events: [ChangeEvent] = []
        for change in commit.changes where slot.isPublished(change.table) {
            let layout = tables[Int(change.table)].layout
            let event: RowChange =
                switch change.kind {
                case .insert: .insert(new: Row(change.new))
                case .delete: .delete(oldKey: keyRow(change.old, layout))
                case .update: .update(oldKey: changedKey(change, layout), new: Row(change.new))
                }
            events.append(ChangeEvent(table: layout.table.name, change: event, lsn: change.lsn))
        }
        return events
    }

    /// The old key of an update, present only when the key changed (REPLICA IDENTITY DEFAULT).
    private func changedKey(_ change: LoggedChange, _ layout: TableLayout) -> Row? {
        let isSame = layout.table.primaryKey.columns.allSatisfy {
            ValueOrdering.areSame(change.old[$0], change.new[$0])
        }
        return isSame ? nil : keyRow(change.old, layout)
    }

    private func keyRow(_ values: [Value], _ layout: TableLayout) -> Row {
        var row = [Value](repeating: .null, count: values.count)
        for column in layout.table.primaryKey.columns { row[column] = values[column] }
        return Row(row)
    }

    // MARK: What slots hold back

    /// First record of the oldest transaction that has written and is open; the end of the WAL when there is none.
    mutating func oldestOpenLSN() -> LSN {
        while let first = openTransactions.first {
            if sessions[first.session].transaction.id == first.id {
                return sessions[first.session].transaction.firstLSN
            }
            _ = openTransactions.removeFirst()
        }
        return wal.insertLSN
    }

    /// Moves a slot's `restart_lsn` up to what decoding from its confirmed position needs.
    mutating func advanceRestart(_ slot: Int) {
        let pending = decodedLog.firstNumber(from: slots[slot].confirmedFlushLSN)
        let needed =
            pending < decodedLog.endNumber ? decodedLog[pending].oldestOpenLSN : undecodedOrOpenLSN()
        slots[slot].restartLSN = max(slots[slot].restartLSN, min(needed, slots[slot].confirmedFlushLSN))
    }

    private mutating func undecodedOrOpenLSN() -> LSN {
        let open = oldestOpenLSN()
        guard decodedCommitCount < recentCommits.count else { return open }
        return min(open, recentCommits[decodedCommitCount].oldestOpenLSN)
    }

    /// Forgets decoded transactions that every slot has confirmed and would not ask for again after a crash.
    mutating func releaseDecoded() {
        var needed: LSN?
        for slot in slots where !slot.isLost {
            let kept = min(slot.persistedConfirmedFlushLSN, slot.confirmedFlushLSN)
            needed = needed.map { min($0, kept) } ?? kept
        }
        decodedLog.release(below: needed ?? wal.insertLSN)
    }
}
