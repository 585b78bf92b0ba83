import Ports

/// What faults do to a server from inside, beside what its clients and its disk do.
extension PostgresServer {
    /// Changes the server and collects what comes of it, as ``handle(_:now:effects:)`` does for an event.
    mutating func disturb<Result>(
        now: Instant, effects: inout [PostgresEffect], _ body: (inout PostgresServer) -> Result
    ) -> Result {
        self.now = now
        swap(&self.effects, &effects)
        let result = body(&self)
        runRunnable()
        swap(&self.effects, &effects)
        return result
    }

    /// Invalidates every slot, as when the WAL that it needs is gone (`wal_status` is `lost`). Returns how many.
    mutating func loseSlots() -> Int {
        var count = 0
        for slot in slots.indices where !slots[slot].isLost {
            loseSlot(slot)
            count += 1
        }
        releaseDecoded()
        return count
    }

    /// Takes every slot back to what a crash would leave of it: its position at the last checkpoint. Consumers lose their
    /// connections. Returns how many transactions come again.
    mutating func rewindSlots() -> Int {
        var count = 0
        for slot in slots.indices where !slots[slot].isLost {
            endConsumer(slot, "terminating connection because of crash of another server process")
            let from = decodedLog.firstNumber(from: slots[slot].persistedConfirmedFlushLSN)
            let to = decodedLog.firstNumber(from: slots[slot].confirmedFlushLSN)
            for number in from..<max(from, to) where isPublished(decodedLog[number], by: slots[slot]) { count += 1 }
            slots[slot].restore(upTo: wal.flushedLSN)
        }
        return count
    }

    private func isPublished(_ transaction: DecodedTransaction, by slot: LogicalSlot) -> Bool {
        transaction.commit.changes.contains { slot.isPublished($0.table) }
    }

    /// Writes WAL that concerns no slot, as a load into other tables does.
    mutating func writeBulk(byteCount: Int) {
        _ = wal.append(byteCount: byteCount)
        scheduleCheckpoint()
        scheduleWALWriter()
    }

    /// Starts a checkpoint unless one runs, and returns how many slots it made lost.
    mutating func checkpointAndCountLostSlots() -> Int {
        let before = slots.count { $0.isLost }
        startCheckpoint()
        return slots.count { $0.isLost } - before
    }

    /// Opens a session whose transaction has an id and stays open: nothing that began after it can be forgotten.
    ///
    /// - Returns: whether there was room for the connection.
    mutating func openTransaction(on connection: PostgresConnectionID) -> Bool {
        openConnection(connection)
        guard let session = sessionOfConnection[connection] else { return false }
        sessions[session].transaction.state = .active
        assignTransactionID(session)
        return true
    }

    /// How many slots have confirmed what lies behind the transaction's first record, and are held back by it.
    func slotsHeldBack(by connection: PostgresConnectionID) -> Int {
        guard let session = sessionOfConnection[connection] else { return 0 }
        let first = sessions[session].transaction.firstLSN
        return slots.count { !$0.isLost && $0.restartLSN <= first && $0.confirmedFlushLSN > first }
    }

    /// Ends sessions that do nothing and are in no transaction, as an administrator makes room.
    mutating func terminateIdleSessions() {
        for session in sessions.indices
        where sessions[session].isInUse && sessions[session].request == nil
            && sessions[session].transaction.state == .none && !isConsumer(sessions[session].connection)
        {
            terminate(sessions[session].connection)
        }
    }

    var connectionCount: Int { sessionOfConnection.count }

    private mutating func loseSlot(_ slot: Int) {
        slots[slot].isLost = true
        endConsumer(slot, "terminating process to release replication slot \"\(slots[slot].name)\"")
    }

    private mutating func endConsumer(_ slot: Int, _ text: String) {
        let consumer = slots[slot].consumer
        guard consumer >= 0 else { return }
        effects.append(.close(sessions[consumer].connection, failure(.adminShutdown, text)))
        endSession(consumer)
    }
}
