import Ports

/// What a consumer keeps of an assigned partition (SubscriptionState, CompletedFetch).
struct ConsumerPartition: Sendable {
    enum Position: Sendable {
        /// The group's committed offset is asked for.
        case unknown
        /// `auto.offset.reset` decides; the leader is asked for the offset.
        case resetting(OffsetReset)
        case at(Int64)
    }

    let id: PartitionID
    let topicPartition: TopicPartition
    var position: Position
    /// Leader epoch of the last record that was returned or passed over; -1 before any.
    var lastEpoch: Int32 = -1
    var isPaused = false
    /// Batches that were fetched and not returned yet; empty, or beginning around the position.
    private var buffered: [StoredBatch] = []
    /// Index of the first batch that is not used up.
    private var nextBatch = 0
    /// Bytes of the batches that are not used up.
    private(set) var bufferedByteCount = 0
    /// Aborted transactions that overlap what is buffered, by first offset.
    private var aborted: [AbortedTransaction] = []
    private var abortedProducers: [Int64] = []
    /// The position a broker's fetch session knows, and which broker.
    var told: (node: NodeID, offset: Int64)?
    /// After an error, no request before then.
    var retryAt: Instant?
    var isOffsetRequestInFlight = false

    /// Told of the assignment, but the listener has not returned: nothing is fetched yet.
    init(id: PartitionID, topicPartition: TopicPartition, position: Position) {
        self.id = id
        self.topicPartition = topicPartition
        self.position = position
    }

    var offset: Int64? { if case .at(let offset) = position { offset } else { nil } }
    var hasBuffered: Bool { nextBatch < buffered.count }

    /// Where the next fetch begins: behind what is buffered.
    var fetchOffset: Int64? { hasBuffered ? buffered[buffered.count - 1].lastOffset + 1 : offset }
    /// Leader epoch of the record before ``fetchOffset``; -1 when none is known.
    var fetchEpoch: Int32 { hasBuffered ? buffered[buffered.count - 1].leaderEpoch : lastEpoch }

    /// Takes in what a broker sent from ``fetchOffset`` on.
    mutating func append(_ batches: [StoredBatch], aborted more: [AbortedTransaction]) {
        if nextBatch > 0 {
            buffered.removeFirst(nextBatch)
            nextBatch = 0
        }
        buffered += batches
        for stored in batches { bufferedByteCount += stored.batch.byteCount }
        // A transaction that reaches from one answer into the next is listed in both; its marker ends both entries.
        aborted = (aborted + more).sorted { $0.firstOffset < $1.firstOffset }
    }

    private mutating func useUpBatch() {
        bufferedByteCount -= buffered[nextBatch].batch.byteCount
        nextBatch += 1
    }

    mutating func dropBuffered() {
        buffered.removeAll()
        nextBatch = 0
        bufferedByteCount = 0
        aborted.removeAll()
        abortedProducers.removeAll()
    }

    /// Moves the position; what was fetched for the old one is void.
    mutating func seek(to offset: Int64) {
        position = .at(offset)
        lastEpoch = -1
        told = nil
        retryAt = nil
        dropBuffered()
    }

    /// Takes up to `limit` records from the buffer, without markers and without those of aborted transactions, and moves
    /// the position past them. Returns how many there were.
    mutating func take(limit: Int, isReadCommitted: Bool, into records: inout [FetchedRecords]) -> Int {
        guard case .at(var offset) = position else { return 0 }
        var count = 0
        while nextBatch < buffered.count, count < limit {
            let stored = buffered[nextBatch]
            // Markers and aborted records count, too: the position behind one is in its epoch.
            lastEpoch = stored.leaderEpoch
            if isReadCommitted, isAborted(stored) || stored.batch.isControl {
                offset = stored.lastOffset + 1
                useUpBatch()
                continue
            }
            let total = Int(stored.batch.recordCount)
            let first = stored.batch.isControl ? total : stored.firstIndex(atOrAfter: offset)
            let last = min(total, first + limit - count)
            if first < last {
                records.append(
                    FetchedRecords(topicPartition: topicPartition, batch: stored, range: first..<last))
                count += last - first
            }
            if last >= total {
                offset = stored.lastOffset + 1
                useUpBatch()
            } else {
                offset = stored.offset(ofRecord: last)
            }
        }
        position = .at(offset)
        if nextBatch >= buffered.count { dropBuffered() }
        return count
    }

    /// Follows the aborted transactions along the log (CompletedFetch.consumeAbortedTransactionsUpTo).
    private mutating func isAborted(_ stored: StoredBatch) -> Bool {
        guard stored.batch.producer.id >= 0 else { return false }
        while let next = aborted.first, next.firstOffset <= stored.lastOffset {
            abortedProducers.append(next.producerID)
            aborted.removeFirst()
        }
        let producer = stored.batch.producer.id
        if case .marker(let marker) = stored.batch.contents {
            if !marker.isCommit { abortedProducers.removeAll { $0 == producer } }
            return true
        }
        return stored.batch.isTransactional && abortedProducers.contains(producer)
    }
}

/// The fetches of a consumer from one broker: one request under way.
struct ConsumerFetcher: Sendable {
    let node: NodeID
    var isInFlight = false
    var needsFullFetch = true
    /// Partitions that the broker's session has.
    var members: [PartitionID] = []
}

/// Known mistakes of real clients, each off unless a test wants to see what it does.
package struct ConsumerDefects: OptionSet, Hashable, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    /// librdkafka#2782: a partition that is assigned again still has the position from before, until the group's committed
    /// offset has been fetched; committing it meanwhile rewinds the group.
    package static let keepsPositionAfterRevoke = ConsumerDefects(rawValue: 1)
}
