import Ports

extension PostgresServer {
    /// A slot that is being created: it becomes consistent when the transactions that were open at first have ended.
    struct SlotCreation {
        var session: Int
        var request: PostgresRequestID
        var name: String
        var publishes: ContiguousArray<Bool>
        /// Transactions below this id must have ended.
        var barrier: UInt64
        /// The WAL that is reserved for it.
        var restartLSN: LSN
        var exportsSnapshot: Bool
    }

    mutating func receiveReplication(
        _ command: ReplicationRequest, _ request: PostgresRequestID, _ session: Int
    ) {
        switch command {
        case .grant(let credit): grant(credit, session)
        case .confirm(let position): confirm(position, session)
        case .createSlot(let name, let tables, let exportsSnapshot):
            createSlot(session, request, name, tables, exportsSnapshot)
        case .dropSlot(let name): dropSlot(session, name)
        case .slot(let name):
            let index = slots.firstIndex { $0.name == name }
            finishRequest(session, .slot(index.map { report($0) } ?? reportCreation(of: name)))
        case .currentPosition: finishRequest(session, .position(wal.insertLSN))
        case .start(let name, let start, let credit): startStreaming(session, name, from: start, credit: credit)
        case .stop:
            releaseSlot(session)
            finishRequest(session, .done)
        }
    }

    // MARK: Creating and dropping

    private mutating func createSlot(
        _ session: Int, _ request: PostgresRequestID, _ name: String, _ tableNames: [String], _ exportsSnapshot: Bool
    ) {
        guard isValidSlotName(name) else {
            let text = "replication slot name \"\(name)\" contains invalid character"
            finishRequest(session, .failure(failure(.invalidName, text)))
            return
        }
        if slots.contains(where: { $0.name == name }) || slotCreations.contains(where: { $0.name == name }) {
            let text = "replication slot \"\(name)\" already exists"
            finishRequest(session, .failure(failure(.duplicateObject, text)))
            return
        }
        var publishes = ContiguousArray(repeating: false, count: tables.count)
        for tableName in tableNames {
            guard let number = tableNumbers[tableName] else {
                let text = "relation \"\(tableName)\" does not exist"
                finishRequest(session, .failure(failure(.undefinedTable, text)))
                return
            }
            publishes[number] = true
        }
        slotCreations.append(
            SlotCreation(
                session: session, request: request, name: name, publishes: publishes, barrier: nextTransactionID,
                restartLSN: wal.insertLSN, exportsSnapshot: exportsSnapshot))
        finishSlotCreations()
    }

    /// Source: src/backend/replication/slot.c, `ReplicationSlotValidateName`: at most 63 of lower-case letters, digits and
    /// underscores.
    private func isValidSlotName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count < 64
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_")
            }
    }

    /// Gives up the slot that a session waits for.
    mutating func cancelSlotCreation(_ session: Int) {
        guard let index = slotCreations.firstIndex(where: { $0.session == session }) else { return }
        slotCreations.remove(at: index)
        finishRequest(session, .failure(failure(.queryCanceled, "canceling statement due to user request")))
    }

    /// Completes the slots that have become consistent. Source: src/backend/replication/logical/snapbuild.c.
    mutating func finishSlotCreations() {
        guard !slotCreations.isEmpty else { return }
        _ = oldestOpenTransactionLSN()
        let oldestOpen = openTransactions.first?.id ?? .max
        var index = 0
        while index < slotCreations.count {
            let firstInvisible = firstInvisibleCommit()
            let isDecodedAlready = firstInvisible.map { $0.endLSN <= wal.flushedLSN } ?? false
            guard slotCreations[index].barrier <= oldestOpen, !isDecodedAlready else {
                index += 1
                continue
            }
            // Decoding becomes consistent at a record of the running transactions, of which none needs to be waited for.
            logRunningTransactions()
            let creation = slotCreations.remove(at: index)
            let position = firstInvisible?.commitLSN ?? wal.insertLSN
            slots.append(
                LogicalSlot(
                    name: creation.name, publishes: creation.publishes, at: position,
                    restartLSN: creation.restartLSN))
            syncWAL()
            if creation.exportsSnapshot { exportSnapshot(creation.session) }
            finishRequest(creation.session, .position(position))
        }
    }

    /// The first commit record whose transaction nobody sees yet, since it is not durable: a slot that begins now has to hand
    /// it out, or it would be neither in the slot nor in a snapshot taken now.
    private func firstInvisibleCommit() -> PostgresCommitRecord? {
        let ends = sessions.filter { $0.isInUse && $0.transaction.state == .committing }.map(\.transaction.commitEnd)
        guard let first = ends.min() else { return nil }
        for index in 0..<recentCommits.count where recentCommits[index].endLSN == first { return recentCommits[index] }
        return nil
    }

    private mutating func dropSlot(_ session: Int, _ name: String) {
        guard let slot = slots.firstIndex(where: { $0.name == name }) else {
            finishRequest(session, .failure(missingSlot(name)))
            return
        }
        guard slots[slot].consumer < 0 else {
            finishRequest(session, .failure(activeSlot(name)))
            return
        }
        slots.remove(at: slot)
        releaseDecoded()
        finishRequest(session, .done)
    }

    /// Why a slot that is not among the slots cannot be used. One that is being created is there already, and its creator has
    /// it (src/backend/replication/slot.c, `ReplicationSlotAcquire`); so it is for a creator whose client is gone, since a
    /// backend that waits for transactions to end does not look at its connection.
    private func missingSlot(_ name: String) -> DatabaseError {
        if slotCreations.contains(where: { $0.name == name }) { return activeSlot(name) }
        return failure(.undefinedObject, "replication slot \"\(name)\" does not exist")
    }

    private func activeSlot(_ name: String) -> DatabaseError {
        failure(.objectInUse, "replication slot \"\(name)\" is active")
    }

    // MARK: Consuming

    private mutating func startStreaming(_ session: Int, _ name: String, from start: LSN?, credit: Int) {
        guard let slot = slots.firstIndex(where: { $0.name == name }) else {
            finishRequest(session, .failure(missingSlot(name)))
            return
        }
        guard slots[slot].consumer < 0 else {
            finishRequest(session, .failure(activeSlot(name)))
            return
        }
        guard !slots[slot].isLost else {
            let text = "can no longer get changes from replication slot \"\(name)\""
            finishRequest(session, .failure(failure(.objectNotInPrerequisiteState, text)))
            return
        }
        let position = max(slots[slot].confirmedFlushLSN, start ?? .zero)
        slots[slot].consumer = session
        slots[slot].credit = max(credit, 0)
        slots[slot].nextNumber = decodedLog.firstNumber(from: position)
        slots[slot].nextRecord = runningTransactions.firstNumber(from: slots[slot].restartLSN)
        finishRequest(session, .position(position))
        if slots[slot].consumer >= 0 { deliver(slot) }
    }

    /// Whether the connection streams a slot.
    func isConsumer(_ connection: PostgresConnectionID) -> Bool {
        sessionOfConnection[connection].map { consumedSlot($0) != nil } ?? false
    }

    private func consumedSlot(_ session: Int) -> Int? { slots.firstIndex { $0.consumer == session } }

    private mutating func grant(_ credit: Int, _ session: Int) {
        guard let slot = consumedSlot(session) else { return }
        slots[slot].credit += max(credit, 0)
        deliver(slot)
    }

    /// Source: src/backend/replication/logical/logical.c, LogicalConfirmReceivedLocation.
    private mutating func confirm(_ position: LSN, _ session: Int) {
        guard let slot = consumedSlot(session) else { return }
        // A consumer cannot confirm what was not sent yet.
        let confirmed = min(position, wal.flushedLSN)
        slots[slot].confirmedFlushLSN = max(slots[slot].confirmedFlushLSN, confirmed)
        takeOfferedRestart(slot)
    }

    /// The consumer is gone; another may come.
    mutating func releaseSlot(_ session: Int) {
        guard let slot = consumedSlot(session) else { return }
        slots[slot].releaseConsumer()
    }

    // MARK: Retention

    /// Invalidates slots that hold back more WAL than `max_slot_wal_keep_size`. Done at checkpoints.
    mutating func invalidateSlots() {
        guard let limit = settings.maximumSlotWALByteCount else { return }
        for slot in slots.indices where !slots[slot].isLost {
            guard wal.insertLSN.rawValue - slots[slot].restartLSN.rawValue > limit else { continue }
            slots[slot].isLost = true
            let consumer = slots[slot].consumer
            if consumer >= 0 {
                let text = "terminating process to release replication slot \"\(slots[slot].name)\""
                effects.append(.close(sessions[consumer].connection, failure(.adminShutdown, text)))
                endSession(consumer)
            }
        }
        releaseDecoded()
    }

    /// A slot that is being created, as `pg_replication_slots` shows it: active, with nothing confirmed (NULL there).
    private func reportCreation(of name: String) -> ReplicationSlot? {
        guard let creation = slotCreations.first(where: { $0.name == name }) else { return nil }
        return ReplicationSlot(
            name: name, restartLSN: creation.restartLSN, confirmedFlushLSN: .zero, isActive: true, status: .reserved)
    }

    /// A slot as `pg_replication_slots` shows it.
    func report(_ slot: Int) -> ReplicationSlot {
        let kept = wal.insertLSN.rawValue - slots[slot].restartLSN.rawValue
        let status: SlotStatus =
            if slots[slot].isLost {
                .lost
            } else if let limit = settings.maximumSlotWALByteCount, kept > limit {
                .unreserved
            } else if kept > settings.maximumWALByteCount {
                .extended
            } else {
                .reserved
            }
        return ReplicationSlot(
            name: slots[slot].name, restartLSN: slots[slot].restartLSN,
            confirmedFlushLSN: slots[slot].confirmedFlushLSN, isActive: slots[slot].consumer >= 0, status: status)
    }
}
