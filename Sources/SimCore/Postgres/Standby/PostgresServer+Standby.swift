public import Ports

extension PostgresServer {
    /// The primary's view of its streaming standby.
    struct StandbyLink {
        /// What the standby has on its disk, as far as the primary knows.
        var acknowledgedLSN: LSN
        var shippedLSN: LSN
    }

    /// Whether a standby is attached, and up to where it has confirmed the WAL.
    public var standbyAcknowledgedLSN: LSN? { standby?.acknowledgedLSN }

    /// A base backup was taken and streaming begins: the standby has everything that is durable now.
    mutating func attachStandby() {
        standby = StandbyLink(acknowledgedLSN: wal.flushedLSN, shippedLSN: wal.flushedLSN)
        acknowledgeStandby(wal.flushedLSN)
    }

    /// A standby that kept what it had is back, and gets what it missed.
    mutating func resumeStandby(from position: LSN) {
        guard let acknowledged = standby?.acknowledgedLSN else { return }
        standby?.shippedLSN = min(max(position, acknowledged), wal.flushedLSN)
        acknowledgeStandby(position)
        shipToStandby()
    }

    /// The standby is gone for good: nothing is kept for it any more. Commits that need it wait for the next one.
    mutating func detachStandby() {
        standby = nil
        releaseRecentCommits()
    }

    /// Sends what has become durable here: a standby is never ahead of its primary's disk.
    mutating func shipToStandby() {
        guard let shipped = standby?.shippedLSN, shipped < wal.flushedLSN else { return }
        standby?.shippedLSN = wal.flushedLSN
        effects.append(.shipWAL(upTo: wal.flushedLSN))
    }

    /// The standby has synced its copy up to a position: commits that waited for it are done.
    mutating func acknowledgeStandby(_ position: LSN) {
        guard let known = standby?.acknowledgedLSN else { return }
        let acknowledged = max(known, min(position, wal.flushedLSN))
        standby?.acknowledgedLSN = acknowledged
        lastStandbyLSN = acknowledged
        while let session = standbyWaiters.first {
            if case .standby = sessions[session].wait {
                guard sessions[session].transaction.commitEnd <= acknowledged else { break }
                finishCommit(session)
            }
            _ = standbyWaiters.removeFirst()
        }
        if settings.synchronizesSlots {
            for slot in slots.indices {
                slots[slot].synchronizedConfirmedLSN = min(slots[slot].confirmedFlushLSN, acknowledged)
            }
        }
        decodeFlushedCommits()
        releaseRecentCommits()
    }

    /// Whether a commit waits for the standby after its own WAL sync.
    func commitNeedsStandby(_ session: Int) -> Bool {
        settings.hasSynchronousStandby && sessions[session].synchronousCommit == .on
    }

    mutating func waitForStandby(_ session: Int) {
        if let acknowledged = standby?.acknowledgedLSN, sessions[session].transaction.commitEnd <= acknowledged {
            finishCommit(session)
            return
        }
        sessions[session].wait = .standby
        standbyWaiters.append(session)
    }

    /// Ends the wait for the standby: the transaction is committed here, perhaps not there.
    /// Source: src/backend/replication/syncrep.c, SyncRepWaitForLSN.
    mutating func cancelStandbyWait(_ session: Int) {
        sessions[session].warning =
            "canceling wait for synchronous replication due to user request: the transaction has already committed "
            + "locally, but might not have been replicated to the standby"
        let waiters = standbyWaiters
        standbyWaiters = FIFOQueue()
        for index in 0..<waiters.count where waiters[index] != session { standbyWaiters.append(waiters[index]) }
        finishCommit(session)
    }

    /// Gives up a standby that needs more WAL than `max_slot_wal_keep_size` allows to be kept. Done at checkpoints.
    mutating func invalidateStandby() {
        guard let limit = settings.maximumSlotWALByteCount, let acknowledged = standby?.acknowledgedLSN,
            wal.insertLSN.rawValue - acknowledged.rawValue > limit
        else { return }
        detachStandby()
        effects.append(.standbyLost)
    }

    // MARK: Failover

    /// Turns this value into the standby as it is promoted with the WAL that it has: later commits are lost, whoever was
    /// told of them. Slots are lost too, unless they are synchronised.
    ///
    /// The old primary is the value before the call; a copy of it may go on as a split brain. Connections are refused
    /// with 57P03 until ``finishRecovery()``, and no standby is attached any more. Tables created by a migration are
    /// there, whenever it was.
    /// Source: PostgreSQL 17 documentation, Failover; Replication Slot Synchronization.
    /// - Parameter position: end of the standby's WAL, between ``standbyAcknowledgedLSN`` and ``flushedLSN``.
    public mutating func failOver(to position: LSN) {
        guard let acknowledged = standby?.acknowledgedLSN else {
            preconditionFailure("there is no standby to fail over to")
        }
        precondition(
            position >= acknowledged && position <= wal.flushedLSN,
            "the standby acknowledged \(acknowledged) and was sent up to \(wal.flushedLSN): it cannot end at \(position)"
        )
        rewind(to: position)
        wal.truncate(to: position)
        redoLSN = min(redoLSN, position)
        decodedLog.truncate(from: position)
        keepSynchronizedSlots(position)
        standby = nil
        lastStandbyLSN = position
        timeline += 1
        decodeFlushedCommits()
        releaseRecentCommits()
        availability = .recovering
    }

    private mutating func keepSynchronizedSlots(_ position: LSN) {
        guard settings.synchronizesSlots else {
            slots = []
            releaseDecoded()
            return
        }
        for slot in slots.indices {
            let confirmed = min(slots[slot].synchronizedConfirmedLSN, position)
            slots[slot].releaseConsumer()
            slots[slot].confirmedFlushLSN = confirmed
            slots[slot].restartLSN = min(slots[slot].restartLSN, confirmed)
            slots[slot].save()
        }
    }
}
