import Ports

extension PostgresServer {
    /// Hands the commit records that have become durable to the slots: logical decoding reads flushed WAL only, and of
    /// synchronised slots only what the standby has too (`synchronized_standby_slots`).
    mutating func decodeFlushedCommits() {
        let limit = decodableEnd
        while decodedCommitCount < recentCommits.count {
            let commit = recentCommits[decodedCommitCount]
            guard commit.endLSN <= limit else { break }
            decodedCommitCount += 1
            if recordsDurableCommits { durableCommits.append(commit) }
            if !slots.isEmpty { decode(commit) }
        }
        if !slots.isEmpty { deliverToAll() }
    }

    /// Where decoding has to stop for now. A standby that has to be there and is not is waited for, as commits wait for it:
    /// otherwise consumers would hear of transactions that nobody can see yet, and that a failover can undo.
    /// Source: PostgreSQL 17 documentation, `synchronized_standby_slots` (a slot that does not exist is waited for).
    private var decodableEnd: LSN {
        guard settings.synchronizesSlots else { return wal.flushedLSN }
        if let acknowledged = standby?.acknowledgedLSN { return min(wal.flushedLSN, acknowledged) }
        return min(wal.flushedLSN, lastStandbyLSN)
    }

    private mutating func decode(_ commit: PostgresCommitRecord) {
        var published = commit
        published.changes = commit.changes.filter { change in
            slots.contains { $0.isPublished(change.table) && !$0.isLost }
        }
        guard !published.changes.isEmpty else { return }
        decodedLog.append(DecodedTransaction(commit: published))
    }

    mutating func deliverToAll() {
        for slot in slots.indices where slots[slot].consumer >= 0 { deliver(slot) }
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
        let next = slots[slot].nextNumber
        passRunningTransactions(
            slot, upTo: next < decodedLog.endNumber ? decodedLog[next].commit.commitLSN : decodableEnd)
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

    /// First record of the oldest transaction that has written and is open; `nil` when there is none.
    mutating func oldestOpenTransactionLSN() -> LSN? {
        while let first = openTransactions.first {
            if sessions[first.session].transaction.id == first.id {
                return sessions[first.session].transaction.firstLSN
            }
            _ = openTransactions.removeFirst()
        }
        return nil
    }

    /// Forgets decoded transactions that every slot has confirmed and would not ask for again after a crash.
    mutating func releaseDecoded() {
        var confirmed: LSN?
        var restart: LSN?
        for slot in slots where !slot.isLost {
            confirmed = min(
                confirmed ?? slot.confirmedFlushLSN, slot.persistedConfirmedFlushLSN, slot.confirmedFlushLSN)
            restart = min(restart ?? slot.restartLSN, slot.persistedRestartLSN, slot.restartLSN)
        }
        decodedLog.release(below: confirmed ?? wal.insertLSN)
        runningTransactions.release(below: restart ?? wal.insertLSN)
    }
}
