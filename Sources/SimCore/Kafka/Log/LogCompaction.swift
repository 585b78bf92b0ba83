import Ports

/// Log compaction (LogCleaner): keeps at least the last record of each key, never changes an offset, and keeps tombstones
/// for `delete.retention.ms` after it first saw them.
enum LogCompaction {
    private enum Key: Hashable {
        case text(String)
        case coordinator(CoordinatorKey)
    }

    /// Compacts the closed segments of a log when at least `dirtyPercent` of their bytes are new since the last time.
    /// Linear in the closed segments. Returns whether it did.
    static func compact(_ log: inout PartitionLog, dirtyPercent: Int, now: Instant) -> Bool {
        guard log.configuration.isCompacted else { return false }
        let retention = log.configuration.tombstoneRetention
        // Never the active segment, and nothing that a transaction may still abort.
        let limit = min(log.activeSegment.baseOffset, log.lastStableOffset)
        let closed = log.segments.prefix { segment in segment.baseOffset < limit }
        let end = closed.count < log.segments.count ? log.segments[closed.count].baseOffset : limit
        guard end <= limit, end > log.cleanedOffset || hasExpiredTombstone(closed, retention, now) else { return false }
        let dirty = closed.filter { $0.baseOffset >= log.cleanedOffset }.reduce(0) { $0 + $1.byteCount }
        let total = closed.reduce(0) { $0 + $1.byteCount }
        let isDirtyEnough = dirty > 0 && dirty * 100 >= total * dirtyPercent
        guard isDirtyEnough || hasExpiredTombstone(closed, retention, now) else { return false }

        let aborted = log.abortedTransactions
        let latest = latestOffsets(in: closed, aborted: aborted)
        let segmentByteLimit = log.configuration.segmentByteLimit
        var cleaned: [LogSegment] = []
        for segment in closed {
            for stored in segment.batches {
                guard
                    let kept = retained(
                        stored, latest: latest, aborted: aborted, tombstoneRetention: retention, now: now)
                else { continue }
                let isNew =
                    cleaned.last.map {
                        $0.byteCount + kept.batch.byteCount > segmentByteLimit
                    } ?? true
                if isNew { cleaned.append(LogSegment(baseOffset: segment.baseOffset, producers: segment.producers)) }
                cleaned[cleaned.count - 1].append(kept)
            }
        }
        log.replaceSegments(below: end, by: cleaned)
        return true
    }

    private static func hasExpiredTombstone(
        _ segments: ArraySlice<LogSegment>, _ retention: Nanoseconds, _ now: Instant
    ) -> Bool {
        segments.contains { segment in
            segment.batches.contains { stored in
                stored.tombstoneHorizon.map { now - $0 >= retention } ?? false
            }
        }
    }

    private static func latestOffsets(
        in segments: ArraySlice<LogSegment>, aborted: [AbortedTransaction]
    ) -> [Key: Int64] {
        var latest: [Key: Int64] = [:]
        for segment in segments {
            for stored in segment.batches where !isAborted(stored, aborted) {
                forEachRecord(of: stored) { key, _, offset in
                    if let key { latest[key] = offset }
                }
            }
        }
        return latest
    }

    private static func forEachRecord(
        of stored: StoredBatch, _ body: (_ key: Key?, _ isTombstone: Bool, _ offset: Int64) -> Void
    ) {
        switch stored.batch.contents {
        case .records(let records):
            for (index, record) in records.enumerated() {
                body(record.key.map { .text($0) }, record.value == nil, stored.offset(ofRecord: index))
            }
        case .coordinator(let records):
            for (index, record) in records.enumerated() {
                body(.coordinator(record.key), record.value == nil, stored.offset(ofRecord: index))
            }
        case .marker:
            break
        }
    }

    private static func isAborted(_ stored: StoredBatch, _ aborted: [AbortedTransaction]) -> Bool {
        guard stored.batch.isTransactional, !stored.batch.isControl else { return false }
        return aborted.contains {
            $0.producerID == stored.batch.producer.id && $0.firstOffset <= stored.baseOffset
                && stored.lastOffset <= $0.lastOffset
        }
    }

    /// What is left of a batch; `nil` for nothing.
    private static func retained(
        _ stored: StoredBatch, latest: [Key: Int64], aborted: [AbortedTransaction], tombstoneRetention: Nanoseconds,
        now: Instant
    ) -> StoredBatch? {
        let horizonPassed = stored.tombstoneHorizon.map { now - $0 >= tombstoneRetention } ?? false
        if stored.batch.isControl {
            // A marker is a tombstone of its transaction: kept until slow readers have passed it.
            return horizonPassed ? nil : withHorizon(stored, now)
        }
        if isAborted(stored, aborted) { return nil }
        var keep: [Int] = []
        var offsets: [Int64] = []
        var hasTombstone = false
        var index = 0
        forEachRecord(of: stored) { key, isTombstone, offset in
            // A record without a key can never be superseded, and a compacted topic refuses it anyway.
            let isLatest = key.map { latest[$0] == offset } ?? true
            if isLatest, !(isTombstone && horizonPassed) {
                keep.append(index)
                offsets.append(offset)
                hasTombstone = hasTombstone || isTombstone
            }
            index += 1
        }
        guard !keep.isEmpty else { return nil }
        let horizon = hasTombstone ? stored.tombstoneHorizon ?? now : nil
        guard keep.count < Int(stored.batch.recordCount) else {
            return horizon == stored.tombstoneHorizon ? stored : withHorizon(stored, now)
        }
        return StoredBatch(
            subset(of: stored.batch, keep), baseOffset: stored.baseOffset, lastOffset: stored.lastOffset,
            leaderEpoch: stored.leaderEpoch, offsets: offsets, tombstoneHorizon: horizon)
    }

    private static func withHorizon(_ stored: StoredBatch, _ now: Instant) -> StoredBatch {
        guard stored.tombstoneHorizon == nil else { return stored }
        return StoredBatch(
            stored.batch, baseOffset: stored.baseOffset, lastOffset: stored.lastOffset,
            leaderEpoch: stored.leaderEpoch, offsets: stored.offsets, tombstoneHorizon: now)
    }

    private static func subset(of batch: RecordBatch, _ keep: [Int]) -> RecordBatch {
        let share = batch.byteCount * keep.count / Int(batch.recordCount)
        let contents: BatchContents =
            switch batch.contents {
            case .records(let records): .records(keep.map { records[$0] })
            case .coordinator(let records): .coordinator(keep.map { records[$0] })
            case .marker: batch.contents
            }
        return RecordBatch(
            contents, producer: batch.producer, baseSequence: batch.baseSequence,
            isTransactional: batch.isTransactional, byteCount: max(share, RecordBatch.headerByteCount),
            maximumTimestamp: batch.maximumTimestamp)
    }
}
