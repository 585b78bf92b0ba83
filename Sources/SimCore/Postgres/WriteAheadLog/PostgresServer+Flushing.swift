import Ports

extension PostgresServer {
    /// Syncs what is written, if no sync runs: one sync covers every commit that waits when it starts.
    /// Source: PostgreSQL documentation, 20.5.1 `commit_delay` (group commit), 30.3.
    mutating func syncWAL() {
        if let target = wal.startSync() { effects.append(.syncWAL(upTo: target)) }
    }

    /// Sees to it that WAL which no commit waits for is synced before long.
    mutating func scheduleWALWriter() {
        guard !isWALWriterScheduled else { return }
        isWALWriterScheduled = true
        setTimer(.walWriter, 0, crashCount, at: now + settings.walWriterDelay)
    }

    mutating func walSynced(upTo position: LSN) {
        wal.finishSync(upTo: position)
        while let session = wal.committers.first, sessions[session].transaction.commitEnd <= wal.flushedLSN {
            _ = wal.committers.removeFirst()
            if commitNeedsStandby(session) { waitForStandby(session) } else { finishCommit(session) }
        }
        shipToStandby()
        decodeFlushedCommits()
        releaseRecentCommits()
        finishCheckpoint()
        if !wal.committers.isEmpty {
            syncWAL()
        } else if wal.flushedLSN < wal.insertLSN {
            scheduleWALWriter()
        }
    }

    /// A commit is durable as it must be: it becomes visible, and the client is told.
    mutating func finishCommit(_ session: Int) {
        sessions[session].wait = .nothing
        becomeVisible(session)
        finishBatch(session)
    }

    /// Forgets commit records that neither a crash nor a failover can undo any more, and that have been decoded.
    mutating func releaseRecentCommits() {
        let kept = min(wal.flushedLSN, standby?.acknowledgedLSN ?? wal.flushedLSN)
        while decodedCommitCount > 0, let commit = recentCommits.first, commit.endLSN <= kept {
            var released = recentCommits.removeFirst()
            decodedCommitCount -= 1
            recycle(&released.changes)
        }
    }
}
