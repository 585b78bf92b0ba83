import Ports

/// One replica's log of a partition: segments of batches, with a start, a high watermark and an end.
///
/// Appends go to the end only; nothing is synced when it is written. What a crash of the machine may take is everything
/// from ``flushedOffset`` on.
struct PartitionLog: ~Copyable, Sendable {
    private(set) var segments: [LogSegment]
    private(set) var startOffset: Int64 = 0
    /// Offset of the next record (LEO).
    private(set) var endOffset: Int64 = 0
    /// Records below it are committed: every in-sync replica has them.
    private(set) var highWatermark: Int64 = 0
    /// Everything below it is known to be on disk (the recovery point).
    private(set) var flushedOffset: Int64 = 0
    /// The high watermark as last written to disk: what a restarted broker begins with.
    var checkpointedHighWatermark: Int64 = 0
    private(set) var epochs = LeaderEpochCache()
    private(set) var producers = ProducerStateTable()
    /// Aborted transactions, sorted by their markers' offsets.
    private(set) var abortedTransactions: [AbortedTransaction] = []
    /// Compaction has rewritten everything below it.
    private(set) var cleanedOffset: Int64 = 0
    let configuration: TopicConfiguration

    init(configuration: TopicConfiguration) {
        self.configuration = configuration
        segments = [LogSegment(baseOffset: 0, producers: ProducerStateTable())]
    }

    var activeSegment: LogSegment { segments[segments.count - 1] }
    var byteCount: Int { segments.reduce(0) { $0 + $1.byteCount } }

    /// Where read_committed ends: the first record of the oldest open transaction, or the high watermark.
    @inline(__always) var lastStableOffset: Int64 {
        guard let unstable = producers.firstUnstableOffset else { return highWatermark }
        return min(unstable, highWatermark)
    }

    // MARK: Appending

    /// Appends a batch as the leader: assigns offsets. Returns whether a segment was closed.
    @discardableResult
    mutating func append(_ batch: RecordBatch, leaderEpoch: Int32) -> Bool {
        append(StoredBatch(batch, baseOffset: endOffset, leaderEpoch: leaderEpoch))
    }

    /// Appends a batch as a follower, with the leader's offsets. Returns whether a segment was closed.
    @discardableResult
    mutating func append(_ stored: StoredBatch) -> Bool {
        precondition(stored.baseOffset >= endOffset, "a follower appends in the order of the leader's offsets")
        let rolled = rollIfFull(for: stored.batch)
        if epochs.latestEpoch < stored.leaderEpoch {
            epochs.assign(epoch: stored.leaderEpoch, startOffset: stored.baseOffset)
        }
        segments[segments.count - 1].append(stored)
        endOffset = stored.lastOffset + 1
        if stored.batch.producer.id >= 0, let aborted = producers.update(stored) {
            abortedTransactions.append(aborted)
        }
        return rolled
    }

    private mutating func rollIfFull(for batch: RecordBatch) -> Bool {
        let active = segments.count - 1
        guard let first = segments[active].firstTimestamp else { return false }
        let isFull = segments[active].byteCount + batch.byteCount > configuration.segmentByteLimit
        guard isFull || batch.maximumTimestamp - first > configuration.segmentSpan else { return false }
        roll()
        return true
    }

    private mutating func roll() {
        segments.append(LogSegment(baseOffset: endOffset, producers: producers))
    }

    /// Notes that a new leader's epoch begins at the end of the log, before it has appended anything.
    mutating func beginEpoch(_ epoch: Int32) {
        epochs.assign(epoch: epoch, startOffset: endOffset)
    }

    /// Moves the high watermark to `offset`, at most to the end. It goes back only when a crash or truncation takes it.
    /// Returns whether it moved.
    mutating func setHighWatermark(_ offset: Int64) -> Bool {
        let bounded = max(min(offset, endOffset), startOffset)
        guard bounded != highWatermark else { return false }
        highWatermark = bounded
        producers.highWatermarkAdvanced(to: bounded)
        return true
    }

    mutating func flush(upTo offset: Int64) {
        flushedOffset = max(flushedOffset, min(offset, endOffset))
    }

    // MARK: Reading

    /// Reads whole batches from the one that holds `offset` up to `end`, about `byteLimit` bytes but at least one batch.
    ///
    /// Logarithmic in the log's size, constant at its end. Appends references only.
    func read(from offset: Int64, upTo end: Int64, byteLimit: Int, into batches: inout [StoredBatch]) {
        guard offset < end else { return }
        var segment = segmentIndex(holding: offset)
        var bytes = 0
        while segment < segments.count {
            var index = segments[segment].firstBatch(endingAtOrAfter: offset)
            let count = segments[segment].batches.count
            while index < count {
                let stored = segments[segment].batches[index]
                guard stored.lastOffset < end else { return }
                bytes += stored.batch.byteCount
                if bytes > byteLimit, !batches.isEmpty { return }
                batches.append(stored)
                index += 1
            }
            segment += 1
        }
    }

    private func segmentIndex(holding offset: Int64) -> Int {
        var low = 0
        var high = segments.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if segments[middle].baseOffset <= offset { low = middle } else { high = middle - 1 }
        }
        return low
    }

    /// Aborted transactions that overlap `from` up to `end` (the transaction index).
    func abortedTransactions(from: Int64, upTo end: Int64) -> [AbortedTransaction] {
        guard !abortedTransactions.isEmpty else { return [] }
        return abortedTransactions.filter { $0.lastOffset >= from && $0.firstOffset < end }
    }

    func endOffset(ofEpoch epoch: Int32) -> EpochEndOffset {
        epochs.endOffset(of: epoch, logEndOffset: endOffset)
    }

    /// Epoch of the last record; -1 for an empty log.
    var lastRecordEpoch: Int32 { epochs.latestEpoch }

    // MARK: Truncation

    /// Cuts the log so that it ends at `offset` at the latest, on a batch boundary.
    mutating func truncate(to offset: Int64) {
        // An epoch that began at the end without a record goes even when no record does.
        guard offset < endOffset else { return epochs.truncate(to: offset) }
        guard offset > startOffset else { return truncateFully(startingAt: max(offset, startOffset)) }
        while segments.count > 1, segments[segments.count - 1].baseOffset >= offset { segments.removeLast() }
        segments[segments.count - 1].truncate(to: offset)
        endOffset = segments[segments.count - 1].batches.last.map { $0.lastOffset + 1 } ?? activeSegment.baseOffset
        flushedOffset = min(flushedOffset, endOffset)
        cleanedOffset = min(cleanedOffset, endOffset)
        epochs.truncate(to: endOffset)
        abortedTransactions.removeAll { $0.lastOffset >= endOffset }
        highWatermark = min(highWatermark, endOffset)
        rebuildProducers()
    }

    /// Throws everything away and begins again at `offset`: the leader's log no longer holds what this one ends with.
    mutating func truncateFully(startingAt offset: Int64) {
        segments = [LogSegment(baseOffset: offset, producers: ProducerStateTable())]
        startOffset = offset
        endOffset = offset
        highWatermark = offset
        checkpointedHighWatermark = min(checkpointedHighWatermark, offset)
        flushedOffset = offset
        cleanedOffset = offset
        epochs.removeAll()
        producers = ProducerStateTable()
        abortedTransactions = []
    }

    /// Producer state as the log's contents say: from the last segment's snapshot on.
    private mutating func rebuildProducers() {
        producers = activeSegment.producers
        for stored in activeSegment.batches { _ = producers.update(stored) }
        producers.highWatermarkAdvanced(to: highWatermark)
    }

    /// The process died: memory is gone, and of the log what was not flushed beyond `survivingEnd` too.
    mutating func recover(survivingEnd: Int64) {
        truncate(to: max(survivingEnd, flushedOffset))
        // A crashed broker knows its high watermark only from the last checkpoint.
        highWatermark = max(startOffset, min(checkpointedHighWatermark, endOffset))
        rebuildProducers()
    }

    // MARK: Retention

    /// Raises the log's start, dropping segments that end below it. What is above the high watermark stays.
    mutating func advanceStart(to offset: Int64) {
        guard offset > startOffset else { return }
        if offset > endOffset { return truncateFully(startingAt: offset) }
        startOffset = offset
        var drop = 0
        while drop + 1 < segments.count, segments[drop + 1].baseOffset <= offset { drop += 1 }
        segments.removeFirst(drop)
        epochs.advanceStart(to: offset)
        abortedTransactions.removeAll { $0.lastOffset < offset }
        if highWatermark < offset { highWatermark = offset }
        flushedOffset = max(flushedOffset, offset)
    }

    /// Deletes whole segments whose newest record is older than the retention (`retention.ms`). The active segment is
    /// closed first when all of it is old. Nothing above the high watermark is deleted. Returns whether anything was.
    mutating func deleteRetiredSegments(now: Instant) -> Bool {
        guard !configuration.isCompacted, let retention = configuration.retention else { return false }
        var newStart = startOffset
        for index in segments.indices {
            let isLast = index == segments.count - 1
            let segmentEnd = isLast ? endOffset : segments[index + 1].baseOffset
            guard !segments[index].batches.isEmpty, segmentEnd <= highWatermark,
                now - segments[index].maximumTimestamp > retention
            else { break }
            newStart = segmentEnd
            if isLast { roll() }
        }
        guard newStart > startOffset else { return false }
        advanceStart(to: newStart)
        return true
    }

    mutating func expireProducers(now: Instant, after expiration: Nanoseconds) {
        producers.expire(now: now, after: expiration)
    }

    /// Puts compacted segments in the place of the closed ones below `end`. Offsets stay what they were.
    mutating func replaceSegments(below end: Int64, by cleaned: [LogSegment]) {
        let kept = segments.filter { $0.baseOffset >= end }
        precondition(!kept.isEmpty, "compaction never touches the active segment")
        segments = cleaned + kept
        cleanedOffset = end
    }
}
