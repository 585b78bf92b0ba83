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

    /// Begins a checkpoint: notes where recovery would start and what the slots have confirmed. It counts once its
    /// record is durable.
    mutating func startCheckpoint() {
        guard runningCheckpoint == nil else { return }
        isCheckpointScheduled = false
        lastCheckpoint = now
        for slot in slots.indices { advanceRestart(slot) }
        let redo = wal.insertLSN
        _ = wal.append(byteCount: WriteAheadLog.checkpointByteCount)
        runningCheckpoint = Checkpoint(
            redoLSN: redo, endLSN: wal.insertLSN,
            slots: slots.map { ($0.name, $0.confirmedFlushLSN, $0.restartLSN) })
        invalidateSlots()
        invalidateStandby()
        syncWAL()
    }

    mutating func finishCheckpoint() {
        guard let checkpoint = runningCheckpoint, checkpoint.endLSN <= wal.flushedLSN else { return }
        runningCheckpoint = nil
        redoLSN = checkpoint.redoLSN
        for saved in checkpoint.slots {
            guard let slot = slots.firstIndex(where: { $0.name == saved.name }) else { continue }
            slots[slot].persistedConfirmedFlushLSN = saved.confirmed
            slots[slot].persistedRestartLSN = saved.restart
        }
        releaseDecoded()
    }

    /// Begins a checkpoint early when much WAL was written since the last one. Source: PostgreSQL documentation, 30.5
    /// (`max_wal_size`, `checkpoint_completion_target`): so that two checkpoints' WAL fits.
    mutating func checkpointIfWALIsLarge() {
        if wal.insertLSN.rawValue - redoLSN.rawValue > settings.maximumWALByteCount / 2 { startCheckpoint() }
    }

    struct Checkpoint {
        var redoLSN: LSN
        var endLSN: LSN
        var slots: [(name: String, confirmed: LSN, restart: LSN)]
    }
}
