import Ports

/// A record of the transactions that run, as the WAL has it: what logical decoding can begin at, and so what a slot's
/// `restart_lsn` moves to.
///
/// Source: PostgreSQL, src/backend/storage/ipc/standby.c (`LogStandbySnapshot`) and
/// src/backend/replication/logical/snapbuild.c (`SnapBuildProcessRunningXacts`).
struct RunningTransactionsRecord {
    var lsn: LSN
    /// Where decoding has to begin for a consumer that needs nothing below this record: here, or at the last such record
    /// before the oldest transaction that is open. `nil` when that one was before the first slot.
    var restartLSN: LSN?
}

/// The records that some slot may still come by, in the order of the WAL.
struct RunningTransactionsLog {
    private var records = FIFOQueue<RunningTransactionsRecord>()
    /// Number of the first that is kept; numbers grow by one.
    private var firstNumber: UInt64 = 0

    var endNumber: UInt64 { firstNumber + UInt64(records.count) }

    subscript(number: UInt64) -> RunningTransactionsRecord { records[Int(number - firstNumber)] }

    mutating func append(_ record: RunningTransactionsRecord) { records.append(record) }

    /// The number of the first record at or after `position`. Logarithmic.
    func firstNumber(from position: LSN) -> UInt64 {
        var low = 0
        var high = records.count
        while low < high {
            let middle = (low + high) / 2
            if records[middle].lsn < position { low = middle + 1 } else { high = middle }
        }
        return firstNumber + UInt64(low)
    }

    /// The last record at or below `position`.
    func last(upTo position: LSN) -> LSN? {
        let next = firstNumber(from: LSN(position.rawValue + 1))
        return next > firstNumber ? self[next - 1].lsn : nil
    }

    /// Forgets what lies below `position`.
    mutating func release(below position: LSN) {
        while let first = records.first, first.lsn < position {
            _ = records.removeFirst()
            firstNumber += 1
        }
    }

    /// Forgets what lies at or after `position`, which is no more.
    mutating func truncate(from position: LSN) {
        while records.count > 0, records[records.count - 1].lsn >= position { _ = records.removeLast() }
    }
}

extension PostgresServer {
    /// How often the background writer records what runs, as long as there is WAL to follow.
    /// Source: src/backend/postmaster/bgwriter.c (`LOG_SNAPSHOT_INTERVAL_MS`).
    static let runningTransactionsInterval = Nanoseconds.seconds(15)

    /// Writes a record of the running transactions, when there is a slot that it can be of use to.
    mutating func logRunningTransactions() {
        guard !slots.isEmpty || !slotCreations.isEmpty else { return }
        let oldest = oldestOpenTransactionLSN()
        let position = wal.append(byteCount: WriteAheadLog.runningTransactionsByteCount)
        runningTransactions.append(
            RunningTransactionsRecord(
                lsn: position, restartLSN: oldest.map { runningTransactions.last(upTo: $0) } ?? position))
        lastRunningTransactions = now
        scheduleWALWriter()
    }

    /// Sees to it that what is written from now on is followed by such a record before long.
    mutating func scheduleRunningTransactions() {
        guard !isRunningTransactionsScheduled, !slots.isEmpty else { return }
        isRunningTransactionsScheduled = true
        let due = lastRunningTransactions + Self.runningTransactionsInterval
        setTimer(.runningTransactions, 0, crashCount, at: max(due, now))
    }

    mutating func runningTransactionsTimerFired(_ number: UInt32) {
        guard number == crashCount, isRunningTransactionsScheduled else { return }
        isRunningTransactionsScheduled = false
        if now >= lastRunningTransactions + Self.runningTransactionsInterval { logRunningTransactions() }
    }

    /// Lets the consumer of a slot come by the records that it has decoded: each may offer a new `restart_lsn`, to be taken
    /// once the consumer has confirmed what lies before the record.
    ///
    /// Source: src/backend/replication/logical/logical.c, `LogicalIncreaseRestartDecodingForSlot`: while one offer waits
    /// for its confirmation, later ones are not kept.
    mutating func passRunningTransactions(_ slot: Int, upTo limit: LSN) {
        while slots[slot].nextRecord < runningTransactions.endNumber {
            let record = runningTransactions[slots[slot].nextRecord]
            guard record.lsn < limit else { return }
            slots[slot].nextRecord += 1
            guard let restart = record.restartLSN, restart > slots[slot].restartLSN else { continue }
            let isConfirmed = record.lsn <= slots[slot].confirmedFlushLSN
            guard isConfirmed || slots[slot].offeredRestart == nil else { continue }
            slots[slot].offeredRestart = LogicalSlot.RestartOffer(validFrom: record.lsn, restartLSN: restart)
            takeOfferedRestart(slot)
        }
    }

    /// Moves `restart_lsn` as offered, if what was confirmed allows it. That saves the slot, and with it what is confirmed.
    mutating func takeOfferedRestart(_ slot: Int) {
        guard let offer = slots[slot].offeredRestart, offer.validFrom <= slots[slot].confirmedFlushLSN else { return }
        slots[slot].offeredRestart = nil
        slots[slot].restartLSN = offer.restartLSN
        slots[slot].save()
        releaseDecoded()
    }
}
