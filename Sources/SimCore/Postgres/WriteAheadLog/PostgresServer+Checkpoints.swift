import Ports

extension PostgresServer {
    /// Has a checkpoint begin `checkpoint_timeout` after the last one, once there is WAL to make it worth while.
    /// Source: PostgreSQL documentation, 30.5 WAL Configuration.
    mutating func scheduleCheckpoint() {
        guard !isCheckpointScheduled else { return }
        isCheckpointScheduled = true
        let due = lastCheckpoint + settings.checkpointTimeout
        setTimer(.checkpoint, 0, crashCount, at: max(due, now))
    }

    /// Begins a checkpoint: notes where recovery would start. It counts once its record is durable.
    mutating func startCheckpoint() {
        guard runningCheckpoint == nil else { return }
        isCheckpointScheduled = false
        lastCheckpoint = now
        let redo = wal.insertLSN
        if availability == .running { logRunningTransactions() }
        _ = wal.append(byteCount: WriteAheadLog.checkpointByteCount)
        runningCheckpoint = Checkpoint(
            redoLSN: redo, endLSN: wal.insertLSN, isForShutdown: availability == .shuttingDown)
        invalidateSlots()
        invalidateStandby()
        syncWAL()
    }

    mutating func finishCheckpoint() {
        guard let checkpoint = runningCheckpoint, checkpoint.endLSN <= wal.flushedLSN else { return }
        runningCheckpoint = nil
        redoLSN = checkpoint.redoLSN
        if checkpoint.isForShutdown { return finishShutdown() }
        if availability == .shuttingDown { startCheckpoint() }
    }

    /// Whether a checkpoint is under way.
    public var isCheckpointRunning: Bool { runningCheckpoint != nil }

    // MARK: Shutdown

    /// Ends in good order: sessions first, then a last checkpoint.
    /// Source: PostgreSQL documentation, 18.5 Shutting Down the Server (fast shutdown).
    mutating func shutDown() {
        guard availability == .running else { return }
        for connection in connectionsNewestFirst { terminate(connection) }
        availability = .shuttingDown
        startCheckpoint()
    }

    /// Slots are saved with what was confirmed since (slot.c, `CheckPointReplicationSlots`, from PostgreSQL 17 on).
    private mutating func finishShutdown() {
        for slot in slots.indices { slots[slot].save() }
        availability = .stopped
        effects.append(.stopped)
    }

    /// Goes on at the beginning of the next segment.
    mutating func switchWAL() {
        let rest = WriteAheadLog.segmentByteCount - wal.insertLSN.rawValue % WriteAheadLog.segmentByteCount
        _ = wal.append(byteCount: Int(rest))
        syncWAL()
    }

    /// Begins a checkpoint early when much WAL was written since the last one. Source: PostgreSQL documentation, 30.5
    /// (`max_wal_size`, `checkpoint_completion_target`): so that two checkpoints' WAL fits.
    mutating func checkpointIfWALIsLarge() {
        if wal.insertLSN.rawValue - redoLSN.rawValue > settings.maximumWALByteCount / 2 { startCheckpoint() }
    }

    struct Checkpoint {
        var redoLSN: LSN
        var endLSN: LSN
        var isForShutdown: Bool
    }
}
