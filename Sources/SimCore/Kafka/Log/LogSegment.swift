import Ports

/// A stretch of a log: what retention deletes and compaction rewrites as a whole.
struct LogSegment: Sendable {
    let baseOffset: Int64
    private(set) var batches: [StoredBatch] = []
    private(set) var byteCount = 0
    /// Timestamp of its first batch, from which `segment.ms` counts.
    private(set) var firstTimestamp: Instant?
    private(set) var maximumTimestamp: Instant = .epoch
    /// The producers as they were when the segment began: truncation replays the log from here.
    var producers: ProducerStateTable

    init(baseOffset: Int64, producers: ProducerStateTable) {
        self.baseOffset = baseOffset
        self.producers = producers
    }

    mutating func append(_ stored: StoredBatch) {
        batches.append(stored)
        byteCount += stored.batch.byteCount
        if firstTimestamp == nil { firstTimestamp = stored.batch.maximumTimestamp }
        if maximumTimestamp < stored.batch.maximumTimestamp { maximumTimestamp = stored.batch.maximumTimestamp }
    }

    /// Index of the first batch that ends at or after `offset`; the count when there is none. Logarithmic.
    func firstBatch(endingAtOrAfter offset: Int64) -> Int {
        var low = 0
        var high = batches.count
        // A reader is nearly always at the end.
        if high > 0, batches[high - 1].baseOffset <= offset {
            return batches[high - 1].lastOffset >= offset ? high - 1 : high
        }
        while low < high {
            let middle = (low + high) / 2
            if batches[middle].lastOffset < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Drops batches that reach `offset` or beyond.
    mutating func truncate(to offset: Int64) {
        while let last = batches.last, last.lastOffset >= offset {
            byteCount -= last.batch.byteCount
            batches.removeLast()
        }
        firstTimestamp = batches.first?.batch.maximumTimestamp
        maximumTimestamp = batches.reduce(.epoch) { max($0, $1.batch.maximumTimestamp) }
    }
}
