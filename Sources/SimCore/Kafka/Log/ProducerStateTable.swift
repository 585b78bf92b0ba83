import Ports

/// What a log remembers of one producer (KIP-98): enough to tell a retry from a new batch.
struct ProducerState: Sendable {
    struct Batch: Sendable {
        let firstSequence: Int32
        let lastSequence: Int32
        let baseOffset: Int64
    }

    let producerID: Int64
    var epoch: Int16
    /// The last five, oldest first. Empty after a marker of a new epoch.
    var batches: [Batch] = []
    var lastTimestamp: Instant
    var coordinatorEpoch: Int32 = -1
    /// First offset of the transaction that is open in this partition.
    var openTransactionOffset: Int64?
}

/// A transaction that has no marker yet, or whose marker is not below the high watermark yet: it holds back the last
/// stable offset.
struct UnstableTransaction: Sendable {
    let producerID: Int64
    let firstOffset: Int64
    /// Offset of its marker, once it has one.
    var lastOffset: Int64?
}

/// What a leader makes of a batch with a producer id before it appends it.
enum SequenceDecision: Equatable {
    case append
    /// One of the last five batches came again: answered with the offset it was given then.
    case duplicate(baseOffset: Int64)
    case refuse(KafkaErrorCode)
}

/// The producers of one partition: sequence numbers, open transactions, and who is fenced.
///
/// A snapshot is kept with each segment, so that a truncation rebuilds the table from the log.
struct ProducerStateTable: Sendable {
    /// How many batches of a producer are remembered (ProducerStateEntry.NUM_BATCHES_TO_RETAIN).
    static let rememberedBatchCount = 5

    private var states: [ProducerState] = []
    /// Index of the producer that appended last: most appends come from it again.
    private var hint = 0
    /// Sorted by first offset.
    private(set) var unstable: [UnstableTransaction] = []

    var count: Int { states.count }

    func state(of producerID: Int64) -> ProducerState? {
        guard let index = index(of: producerID) else { return nil }
        return states[index]
    }

    @inline(__always) private func index(of producerID: Int64) -> Int? {
        if hint < states.count, states[hint].producerID == producerID { return hint }
        return states.firstIndex { $0.producerID == producerID }
    }

    /// Judges a client's batch (ProducerAppendInfo and UnifiedLog.analyzeAndValidateProducerState).
    func decide(_ batch: RecordBatch) -> SequenceDecision {
        guard let index = index(of: batch.producer.id) else {
            // A producer nobody remembers may begin anywhere: its state may have expired.
            return .append
        }
        return decide(batch, states[index])
    }

    private func decide(_ batch: RecordBatch, _ state: ProducerState) -> SequenceDecision {
        if batch.producer.epoch == state.epoch {
            let lastSequence = batch.lastSequence
            for known in state.batches
            where known.firstSequence == batch.baseSequence && known.lastSequence == lastSequence {
                return .duplicate(baseOffset: known.baseOffset)
            }
            guard let last = state.batches.last else {
                // Known through a marker only: as after the bump of an epoch, it begins at 0.
                return batch.baseSequence == 0 ? .append : .refuse(.outOfOrderSequenceNumber)
            }
            return SequenceNumber.follows(batch.baseSequence, last.lastSequence)
                ? .append : .refuse(.outOfOrderSequenceNumber)
        }
        if batch.producer.epoch < state.epoch { return .refuse(.invalidProducerEpoch) }
        return batch.baseSequence == 0 ? .append : .refuse(.outOfOrderSequenceNumber)
    }

    /// Judges a marker: it is refused from a coordinator or producer epoch that is known to be over.
    func decide(marker: TransactionMarker, of producer: ProducerIdentity) -> KafkaErrorCode {
        guard let state = state(of: producer.id) else { return .none }
        if producer.epoch < state.epoch { return .invalidProducerEpoch }
        if marker.coordinatorEpoch < state.coordinatorEpoch { return .transactionCoordinatorFenced }
        return .none
    }

    /// Takes an appended batch into account. Returns the transaction that it aborted, if it is an abort marker.
    mutating func update(_ stored: StoredBatch) -> AbortedTransaction? {
        let batch = stored.batch
        guard !batch.producer.isNone else { return nil }
        let index = self.index(of: batch.producer.id) ?? states.count
        if index == states.count {
            states.append(
                ProducerState(
                    producerID: batch.producer.id, epoch: batch.producer.epoch, lastTimestamp: batch.maximumTimestamp))
        }
        hint = index
        if states[index].epoch != batch.producer.epoch {
            states[index].epoch = batch.producer.epoch
            states[index].batches.removeAll(keepingCapacity: true)
        }
        states[index].lastTimestamp = batch.maximumTimestamp
        if case .marker(let marker) = batch.contents {
            return end(transactionOf: index, by: marker, at: stored.lastOffset)
        }
        if states[index].batches.count == Self.rememberedBatchCount { states[index].batches.removeFirst() }
        states[index].batches.append(
            ProducerState.Batch(
                firstSequence: batch.baseSequence, lastSequence: batch.lastSequence, baseOffset: stored.baseOffset))
        if batch.isTransactional, states[index].openTransactionOffset == nil {
            states[index].openTransactionOffset = stored.baseOffset
            unstable.append(UnstableTransaction(producerID: batch.producer.id, firstOffset: stored.baseOffset))
        }
        return nil
    }

    private mutating func end(
        transactionOf index: Int, by marker: TransactionMarker, at offset: Int64
    ) -> AbortedTransaction? {
        states[index].coordinatorEpoch = marker.coordinatorEpoch
        guard let firstOffset = states[index].openTransactionOffset else { return nil }
        states[index].openTransactionOffset = nil
        if let open = unstable.firstIndex(where: { $0.firstOffset == firstOffset }) {
            unstable[open].lastOffset = offset
        }
        guard !marker.isCommit else { return nil }
        return AbortedTransaction(
            producerID: states[index].producerID, firstOffset: firstOffset, lastOffset: offset)
    }

    /// First offset of the oldest transaction that is open, or whose marker may still be lost.
    @inline(__always) var firstUnstableOffset: Int64? { unstable.isEmpty ? nil : unstable[0].firstOffset }

    /// Markers below the high watermark are committed: their transactions no longer hold anything back.
    mutating func highWatermarkAdvanced(to highWatermark: Int64) {
        guard !unstable.isEmpty else { return }
        unstable.removeAll { transaction in
            if let last = transaction.lastOffset { last < highWatermark } else { false }
        }
    }

    /// Forgets producers that have been silent for `expiration` and have no open transaction.
    mutating func expire(now: Instant, after expiration: Nanoseconds) {
        states.removeAll { $0.openTransactionOffset == nil && now - $0.lastTimestamp >= expiration }
        hint = 0
    }
}
