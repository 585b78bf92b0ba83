import Ports

extension PostgresServer {
    /// What came of asking for a row's lock.
    enum LockOutcome { case granted, isTaken }

    // MARK: Row locks

    /// Takes the row's lock, or says that another transaction has it.
    mutating func tryLock(_ session: Int, _ row: RowReference) -> LockOutcome {
        let owner = tables[Int(row.table)].rows[Int(row.row)].lockOwner
        if owner == UInt32(session + 1) { return .granted }
        guard owner == 0 else { return .isTaken }
        tables[Int(row.table)].rows[Int(row.row)].lockOwner = UInt32(session + 1)
        sessions[session].transaction.locks.append(row)
        return .granted
    }

    /// Queues the session for the row's lock, behind those that wait already.
    mutating func waitForRow(_ session: Int, _ row: RowReference) {
        startWait(session, .row(row))
        let last = tables[Int(row.table)].rows[Int(row.row)].lastWaiter
        if last == 0 {
            tables[Int(row.table)].rows[Int(row.row)].firstWaiter = UInt32(session + 1)
        } else {
            sessions[Int(last) - 1].nextWaiter = UInt32(session + 1)
        }
        tables[Int(row.table)].rows[Int(row.row)].lastWaiter = UInt32(session + 1)
    }

    /// Blocks the session until another's transaction has ended.
    mutating func waitForTransaction(_ session: Int, of other: Int) {
        startWait(session, .transaction(session: other))
        let last = sessions[other].lastEndWaiter
        if last == 0 {
            sessions[other].firstEndWaiter = UInt32(session + 1)
        } else {
            sessions[Int(last) - 1].nextWaiter = UInt32(session + 1)
        }
        sessions[other].lastEndWaiter = UInt32(session + 1)
    }

    /// Frees the transaction's locks, each to the first that waits for it, and wakes who waits for its end.
    mutating func releaseLocks(_ session: Int) {
        for index in 0..<sessions[session].transaction.locks.count {
            release(sessions[session].transaction.locks[index])
        }
        sessions[session].transaction.locks.removeAll(keepingCapacity: true)
        var waiter = sessions[session].firstEndWaiter
        sessions[session].firstEndWaiter = 0
        sessions[session].lastEndWaiter = 0
        while waiter != 0 {
            let woken = Int(waiter) - 1
            waiter = sessions[woken].nextWaiter
            endWait(woken)
        }
    }

    private mutating func release(_ row: RowReference) {
        let table = Int(row.table)
        let waiter = tables[table].rows[Int(row.row)].firstWaiter
        tables[table].rows[Int(row.row)].lockOwner = waiter
        guard waiter != 0 else { return }
        let granted = Int(waiter) - 1
        let next = sessions[granted].nextWaiter
        tables[table].rows[Int(row.row)].firstWaiter = next
        if next == 0 { tables[table].rows[Int(row.row)].lastWaiter = 0 }
        sessions[granted].transaction.locks.append(row)
        endWait(granted)
    }

    // MARK: Waiting

    private mutating func startWait(_ session: Int, _ wait: Wait) {
        sessions[session].wait = wait
        sessions[session].waitNumber &+= 1
        sessions[session].nextWaiter = 0
        let number = sessions[session].waitNumber
        setTimer(.deadlock, session, number, at: now + settings.deadlockTimeout)
        if let timeout = sessions[session].lockTimeout { setTimer(.lock, session, number, at: now + timeout) }
        if let timeout = sessions[session].statementTimeout {
            setTimer(.statement, session, sessions[session].requestNumber, at: sessions[session].startedAt + timeout)
        }
    }

    private mutating func endWait(_ session: Int) {
        sessions[session].wait = .nothing
        sessions[session].nextWaiter = 0
        runnable.append(session)
    }

    /// Takes a waiting session out of its queue; it holds nothing of what it waited for.
    mutating func leaveQueue(_ session: Int) {
        switch sessions[session].wait {
        case .row(let reference):
            let (table, row) = (Int(reference.table), Int(reference.row))
            var queue = (first: tables[table].rows[row].firstWaiter, last: tables[table].rows[row].lastWaiter)
            remove(session, from: &queue)
            tables[table].rows[row].firstWaiter = queue.first
            tables[table].rows[row].lastWaiter = queue.last
        case .transaction(let other):
            var queue = (first: sessions[other].firstEndWaiter, last: sessions[other].lastEndWaiter)
            remove(session, from: &queue)
            sessions[other].firstEndWaiter = queue.first
            sessions[other].lastEndWaiter = queue.last
        case .nothing, .walSync, .standby: preconditionFailure("session \(session) waits in no lock queue")
        }
        sessions[session].wait = .nothing
        sessions[session].nextWaiter = 0
    }

    private mutating func remove(_ session: Int, from queue: inout (first: UInt32, last: UInt32)) {
        var previous: UInt32 = 0
        var current = queue.first
        while current != UInt32(session + 1) {
            precondition(current != 0, "session \(session) is not in the queue that it waits in")
            previous = current
            current = sessions[Int(current) - 1].nextWaiter
        }
        let next = sessions[session].nextWaiter
        if previous == 0 { queue.first = next } else { sessions[Int(previous) - 1].nextWaiter = next }
        if next == 0 { queue.last = previous }
    }

    /// Ends a session's wait for a lock with an error.
    mutating func interrupt(_ session: Int, _ error: DatabaseError) {
        leaveQueue(session)
        fail(session, error)
    }

    // MARK: Deadlocks and timeouts

    /// The session whose transaction must end, or give way, before this one can go on; `nil` when it is not blocked.
    private func blocker(of session: Int) -> Int? {
        switch sessions[session].wait {
        case .row(let row):
            let owner = tables[Int(row.table)].rows[Int(row.row)].lockOwner
            return owner == 0 ? nil : Int(owner) - 1
        case .transaction(let other): return other
        case .nothing, .walSync, .standby: return nil
        }
    }

    /// Whether the session waits for itself through others. Each waits for one only, so it is a walk, not a search.
    private func isDeadlocked(_ session: Int) -> Bool {
        var steps = 0
        var current = session
        while let next = blocker(of: current) {
            if next == session { return true }
            current = next
            steps += 1
            // A cycle that this session is not part of is found by one of its members.
            if steps > sessions.count { return false }
        }
        return false
    }

    mutating func timerFired(_ timer: PostgresTimerID) {
        guard let (kind, session, number) = decode(timer) else { return }
        switch kind {
        case .walWriter:
            guard number == crashCount else { return }
            isWALWriterScheduled = false
            syncWAL()
        case .checkpoint:
            // One that was requested meanwhile has put it off.
            let isDue = now >= lastCheckpoint + settings.checkpointTimeout
            if number == crashCount && isCheckpointScheduled && isDue { startCheckpoint() }
        case .idle: idleTimerFired(session, number)
        case .runningTransactions: runningTransactionsTimerFired(number)
        case .deadlock:
            guard isCurrentWait(session, number), isDeadlocked(session) else { return }
            interrupt(session, failure(.deadlockDetected, "deadlock detected"))
        case .lock:
            guard isCurrentWait(session, number) else { return }
            interrupt(session, failure(.lockNotAvailable, "canceling statement due to lock timeout"))
        case .statement:
            guard sessions[session].requestNumber == number, sessions[session].wait.isForLock else { return }
            interrupt(session, failure(.queryCanceled, "canceling statement due to statement timeout"))
        }
    }

    private func isCurrentWait(_ session: Int, _ number: UInt32) -> Bool {
        session < sessions.count && sessions[session].waitNumber == number && sessions[session].wait.isForLock
    }
}
