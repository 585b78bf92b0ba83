import Ports

/// When a broker's periodic work is next due.
struct MaintenanceSchedule: Sendable {
    private(set) var shrinkAt: Instant?
    private(set) var retentionAt: Instant?
    private(set) var cleanAt: Instant?
    private(set) var expireProducersAt: Instant?
    private(set) var checkpointAt: Instant?

    func collectDeadlines(into earliest: inout EarliestDeadline) {
        earliest.consider(shrinkAt)
        earliest.consider(retentionAt)
        earliest.consider(cleanAt)
        earliest.consider(expireProducersAt)
        earliest.consider(checkpointAt)
    }

    mutating func start(_ settings: ClusterSettings, now: Instant) {
        shrinkAt = now + settings.replicaLagTimeMaximum / 2
        retentionAt = now + settings.retentionCheckInterval
        cleanAt = now + settings.cleanerInterval
        expireProducersAt = now + settings.producerIDExpirationCheckInterval
        checkpointAt = nil
    }

    /// Something to checkpoint: an idle broker does not wake up for it.
    @inline(__always) mutating func highWatermarkMoved(_ settings: ClusterSettings, now: Instant) {
        if checkpointAt == nil { checkpointAt = now + settings.highWatermarkCheckpointInterval }
    }

    private static func take(_ at: inout Instant?, now: Instant, next: Nanoseconds?) -> Bool {
        guard let due = at, due <= now else { return false }
        at = next.map { now + $0 }
        return true
    }

    mutating func takeShrink(_ settings: ClusterSettings, now: Instant) -> Bool {
        Self.take(&shrinkAt, now: now, next: settings.replicaLagTimeMaximum / 2)
    }
    mutating func takeRetention(_ settings: ClusterSettings, now: Instant) -> Bool {
        Self.take(&retentionAt, now: now, next: settings.retentionCheckInterval)
    }
    mutating func takeCleaning(_ settings: ClusterSettings, now: Instant) -> Bool {
        Self.take(&cleanAt, now: now, next: settings.cleanerInterval)
    }
    mutating func takeProducerExpiry(_ settings: ClusterSettings, now: Instant) -> Bool {
        Self.take(&expireProducersAt, now: now, next: settings.producerIDExpirationCheckInterval)
    }
    mutating func takeCheckpoint(now: Instant) -> Bool { Self.take(&checkpointAt, now: now, next: nil) }
}

/// Periodic work: ISR checks, retention, compaction, expiry of producers, high watermark checkpoints.
extension Broker {
    mutating func maintain(now: Instant, effects: inout [NodeEffect]) {
        if maintenance.takeShrink(settings, now: now) {
            shrinkInSyncReplicas(now: now)
            expandInSyncReplicas(now: now)
        }
        if maintenance.takeRetention(settings, now: now) {
            for index in replicas.indices where replicas[index].log.deleteRetiredSegments(now: now) {
                wakeReadersBelowStart(index)
            }
        }
        if maintenance.takeCleaning(settings, now: now) {
            for index in replicas.indices {
                _ = LogCompaction.compact(
                    &replicas[index].log, dirtyPercent: settings.cleanableDirtyPercent, now: now)
            }
        }
        if maintenance.takeProducerExpiry(settings, now: now) {
            for index in replicas.indices {
                replicas[index].log.expireProducers(now: now, after: settings.producerIDExpiration)
            }
        }
        if maintenance.takeCheckpoint(now: now) {
            for index in replicas.indices {
                replicas[index].log.checkpointedHighWatermark = replicas[index].log.highWatermark
            }
        }
    }

    /// Whoever waits below the log's new start is told that it is out of range.
    private mutating func wakeReadersBelowStart(_ index: Int) {
        if replicas[index].isLeader { wakeWatchers(index) }
    }
}
