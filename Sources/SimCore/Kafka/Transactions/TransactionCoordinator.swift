import Ports

/// A transactional id as its coordinator knows it (TransactionMetadata).
struct TransactionalID: Sendable {
    let id: String
    let partition: PartitionID
    var current: TransactionSnapshot
    /// Where it goes when the write under way is replicated.
    var pending: TransactionSnapshot?
    /// Partitions that still lack the marker of a prepared transaction, sorted.
    var unmarked: [PartitionID] = []
}

/// The transaction coordinator of a broker: the transactional ids whose partition of `__transaction_state` it leads.
///
/// Speaks the protocol before KIP-890: a producer keeps its epoch from one transaction to the next, so a commit or abort that
/// is late may end a later transaction than it was meant for (KAFKA-17754).
package struct TransactionCoordinator: ~Copyable, Sendable {
    /// What a write is for, and what follows it.
    enum PendingWrite: Sendable {
        case initialize(ResponseHandle, transactionalID: String)
        case addPartitions(ResponseHandle, transactionalID: String, [PartitionID])
        case addOffsets(ResponseHandle, transactionalID: String)
        /// A prepared end: the client is answered, and the markers are sent. No handle: it timed out, or is fenced.
        case prepare(ResponseHandle?, transactionalID: String, answer: KafkaErrorCode, forInit: Bool)
        case complete(transactionalID: String)
        case other
    }

    /// A request for markers that is under way.
    struct MarkerRequest: Sendable {
        let transactionalID: String
        let producer: ProducerIdentity
        let coordinatorEpoch: Int32
    }

    let broker: NodeID
    let settings: ClusterSettings
    var metadata = ClusterMetadata()
    private(set) var led: [(partition: PartitionID, epoch: Int32)] = []
    var ids: [TransactionalID] = []
    private var idIndexes: [String: Int] = [:]
    var pendingWrites: [Int64: PendingWrite] = [:]
    var markerRequests: [Int64: MarkerRequest] = [:]
    /// Transactional ids whose markers could not be sent yet, and when to try again.
    var retryMarkersAt: Instant?
    private var nextToken: Int64 = 0
    var checkTimeoutsAt: Instant?
    var expireIDsAt: Instant?

    init(broker: NodeID, settings: ClusterSettings) {
        self.broker = broker
        self.settings = settings
    }

    func index(of id: String) -> Int? { idIndexes[id] }

    mutating func newToken() -> Int64 {
        nextToken += 1
        return nextToken
    }

    mutating func add(_ id: TransactionalID) -> Int {
        idIndexes[id.id] = ids.count
        ids.append(id)
        return ids.count - 1
    }

    mutating func removeIDs(where isGone: (TransactionalID) -> Bool) {
        ids.removeAll(where: isGone)
        idIndexes.removeAll(keepingCapacity: true)
        for (index, id) in ids.enumerated() { idIndexes[id.id] = index }
    }

    /// The partition of a transactional id that this broker coordinates; `nil` when another one does.
    func ownPartition(of id: String) -> PartitionID? {
        guard let topic = metadata.topic(named: InternalTopic.transactionState),
            let partition = topic.partition(CoordinatorPartition.number(of: id, of: topic.partitionCount)),
            led.contains(where: { $0.partition == partition })
        else { return nil }
        return partition
    }

    func coordinatorEpoch(_ partition: PartitionID) -> Int32 {
        led.first { $0.partition == partition }?.epoch ?? -1
    }

    mutating func metadataChanged(
        _ metadata: ClusterMetadata, now: Instant, directives: inout [CoordinatorDirective]
    ) {
        self.metadata = metadata
        // A partition may have a leader again.
        if retryMarkersAt != nil { resendMarkers(now: now, directives: &directives) }
    }

    /// Writes a transactional id's next state; it counts when it is replicated.
    mutating func write(
        _ index: Int, _ next: TransactionSnapshot, _ pending: PendingWrite,
        directives: inout [CoordinatorDirective]
    ) {
        ids[index].pending = next
        let token = newToken()
        pendingWrites[token] = pending
        let record = CoordinatorRecord(key: .transaction(transactionalID: ids[index].id), value: .transaction(next))
        directives.append(.append(.transaction, ids[index].partition, CoordinatorBatch([record]), token: token))
    }

    // MARK: Coming and going

    mutating func load(
        _ partition: PartitionID, epoch: Int32, from log: borrowing PartitionLog, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        led.removeAll { $0.partition == partition }
        led.append((partition, epoch))
        if checkTimeoutsAt == nil { checkTimeoutsAt = now + settings.transactionTimeoutCheckInterval }
        if expireIDsAt == nil { expireIDsAt = now + settings.transactionalIDExpirationCheckInterval }
        directives.append(.wakeUp(at: checkTimeoutsAt!))
        for segment in log.segments {
            for stored in segment.batches {
                guard case .coordinator(let records) = stored.batch.contents else { continue }
                for record in records { restore(record, partition) }
            }
        }
        removeIDs { $0.partition == partition && $0.current.state == .dead }
        for index in ids.indices where ids[index].partition == partition {
            // A prepared end was decided: it is carried out, whoever coordinates now.
            let state = ids[index].current.state
            guard state == .prepareCommit || state == .prepareAbort else { continue }
            ids[index].unmarked = ids[index].current.partitions
            sendMarkers(index, now: now, directives: &directives)
        }
    }

    private mutating func restore(_ record: CoordinatorRecord, _ partition: PartitionID) {
        guard case .transaction(let id) = record.key else { return }
        let index = self.index(of: id)
        guard case .transaction(let snapshot)? = record.value else {
            if let index { ids[index].current.state = .dead }
            return
        }
        if let index {
            ids[index].current = snapshot
        } else {
            _ = add(TransactionalID(id: id, partition: partition, current: snapshot))
        }
    }

    mutating func unload(_ partition: PartitionID, directives: inout [CoordinatorDirective]) {
        led.removeAll { $0.partition == partition }
        removeIDs { $0.partition == partition }
    }

    // MARK: Time

    func collectDeadlines(into earliest: inout EarliestDeadline) {
        guard !led.isEmpty else { return }
        if ids.contains(where: { $0.current.state == .ongoing }) { earliest.consider(checkTimeoutsAt) }
        if !ids.isEmpty { earliest.consider(expireIDsAt) }
        earliest.consider(retryMarkersAt)
    }

    mutating func runTimers(now: Instant, directives: inout [CoordinatorDirective]) {
        if let at = retryMarkersAt, at <= now { resendMarkers(now: now, directives: &directives) }
        if let at = checkTimeoutsAt, at <= now {
            checkTimeoutsAt = now + settings.transactionTimeoutCheckInterval
            abortTimedOut(now: now, directives: &directives)
        }
        if let at = expireIDsAt, at <= now {
            expireIDsAt = now + settings.transactionalIDExpirationCheckInterval
            expireIDs(now: now, directives: &directives)
        }
    }

    /// A transaction that is open for longer than its timeout is aborted under a new epoch, which fences its producer.
    private mutating func abortTimedOut(now: Instant, directives: inout [CoordinatorDirective]) {
        for index in ids.indices where ids[index].pending == nil && ids[index].current.state == .ongoing {
            let snapshot = ids[index].current
            guard now - snapshot.startedAt >= snapshot.timeout else { continue }
            fenceAndAbort(index, nil, answer: .none, forInit: false, now: now, directives: &directives)
        }
    }

    /// Forgets ids that were idle for `transactional.id.expiration.ms`.
    private mutating func expireIDs(now: Instant, directives: inout [CoordinatorDirective]) {
        for index in ids.indices where ids[index].pending == nil {
            let snapshot = ids[index].current
            guard [.empty, .completeCommit, .completeAbort].contains(snapshot.state),
                now - snapshot.updatedAt >= settings.transactionalIDExpiration
            else { continue }
            ids[index].current.state = .dead
            let token = newToken()
            pendingWrites[token] = .other
            let tombstone = CoordinatorRecord(key: .transaction(transactionalID: ids[index].id), value: nil)
            directives.append(
                .append(.transaction, ids[index].partition, CoordinatorBatch([tombstone]), token: token))
        }
        removeIDs { $0.current.state == .dead }
    }
}
