import Ports

/// InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn and EndTxn.
extension TransactionCoordinator {
    /// Whether an InitProducerId needs a producer id that has not been used yet.
    func needsProducerID(_ transactionalID: String) -> Bool {
        guard let index = index(of: transactionalID) else { return true }
        return ids[index].current.producer.epoch >= .max - 1
    }

    /// Hands out the id and epoch of a transactional producer, fencing the one before it.
    ///
    /// - Parameter producerIDs: new ones to take from; not empty when ``needsProducerID(_:)``.
    mutating func initialize(
        _ request: InitProducerIDRequest, _ id: String, _ handle: ResponseHandle, producerIDs: inout Range<Int64>,
        now: Instant, directives: inout [CoordinatorDirective]
    ) {
        func refuse(_ error: KafkaErrorCode) {
            directives.append(.respond(handle, .initProducerID(error, .none)))
        }
        guard !id.isEmpty else { return refuse(.invalidRequest) }
        guard let partition = ownPartition(of: id) else { return refuse(.notCoordinator) }
        guard request.timeout > .zero, request.timeout <= settings.transactionMaximumTimeout else {
            return refuse(.invalidTransactionTimeout)
        }
        let index: Int
        if let known = self.index(of: id) {
            index = known
        } else {
            let fresh = TransactionSnapshot(
                producer: ProducerIdentity(id: producerIDs.removeFirstID(), epoch: -1), lastProducerEpoch: -1,
                timeout: request.timeout, state: .empty, partitions: [], startedAt: now, updatedAt: now)
            index = add(TransactionalID(id: id, partition: partition, current: fresh))
        }
        guard ids[index].pending == nil else { return refuse(.concurrentTransactions) }
        let current = ids[index].current
        if !request.current.isNone, !isKnown(request.current, current) { return refuse(.producerFenced) }
        switch current.state {
        case .prepareCommit, .prepareAbort, .prepareEpochFence, .dead:
            refuse(.concurrentTransactions)
        case .ongoing:
            // The older producer's transaction is aborted first; the caller is told to come again.
            fenceAndAbort(
                index, handle, answer: .concurrentTransactions, forInit: true, now: now, directives: &directives)
        case .empty, .completeCommit, .completeAbort:
            var next = current
            next.timeout = request.timeout
            next.state = .empty
            next.partitions = []
            next.updatedAt = now
            bumpEpoch(&next, asked: request.current, producerIDs: &producerIDs)
            write(index, next, .initialize(handle, transactionalID: id), directives: &directives)
        }
    }

    /// A producer may ask for a bump of the epoch it has, or ask again for the bump whose answer it missed (KIP-360).
    private func isKnown(_ asked: ProducerIdentity, _ current: TransactionSnapshot) -> Bool {
        asked.id == current.producer.id
            && (asked.epoch == current.producer.epoch || asked.epoch == current.lastProducerEpoch)
    }

    private func bumpEpoch(
        _ next: inout TransactionSnapshot, asked: ProducerIdentity, producerIDs: inout Range<Int64>
    ) {
        if !asked.isNone, asked.epoch == next.lastProducerEpoch, asked.epoch != next.producer.epoch { return }
        if next.producer.epoch >= .max - 1 {
            next.lastProducerEpoch = -1
            next.producer = ProducerIdentity(id: producerIDs.removeFirstID(), epoch: 0)
        } else {
            next.lastProducerEpoch = asked.isNone ? -1 : next.producer.epoch
            next.producer.epoch += 1
        }
    }

    private func check(
        _ id: String, _ producer: ProducerIdentity, isFromClient: Bool = true
    ) -> (index: Int, error: KafkaErrorCode) {
        guard ownPartition(of: id) != nil else { return (-1, .notCoordinator) }
        guard let index = index(of: id) else { return (-1, .invalidProducerIDMapping) }
        guard ids[index].current.producer.id == producer.id else { return (index, .invalidProducerIDMapping) }
        guard ids[index].current.producer.epoch == producer.epoch else { return (index, .producerFenced) }
        guard ids[index].pending == nil else { return (index, .concurrentTransactions) }
        return (index, .none)
    }

    mutating func addPartitions(
        _ request: AddPartitionsToTransactionRequest, _ handle: ResponseHandle, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        let (index, error) = checkForAdding(request.transactionalID, request.producer)
        guard error == .none else {
            let errors = request.partitions.map { PartitionError(partition: $0, error: error) }
            directives.append(.respond(handle, .addPartitionsToTransaction(errors)))
            return
        }
        guard let next = adding(request.partitions, to: index, now: now) else {
            let none = request.partitions.map { PartitionError(partition: $0, error: .none) }
            directives.append(.respond(handle, .addPartitionsToTransaction(none)))
            return
        }
        write(
            index, next,
            .addPartitions(handle, transactionalID: request.transactionalID, request.partitions),
            directives: &directives)
        if let at = checkTimeoutsAt { directives.append(.wakeUp(at: at)) }
    }

    mutating func addOffsets(
        _ request: AddOffsetsToTransactionRequest, _ handle: ResponseHandle, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        let (index, error) = checkForAdding(request.transactionalID, request.producer)
        guard error == .none else {
            directives.append(.respond(handle, .addOffsetsToTransaction(error)))
            return
        }
        guard let topic = metadata.topic(named: InternalTopic.consumerOffsets),
            let partition = topic.partition(
                CoordinatorPartition.number(of: request.group, of: topic.partitionCount))
        else {
            directives.append(.respond(handle, .addOffsetsToTransaction(.coordinatorNotAvailable)))
            return
        }
        guard let next = adding([partition], to: index, now: now) else {
            directives.append(.respond(handle, .addOffsetsToTransaction(.none)))
            return
        }
        write(
            index, next, .addOffsets(handle, transactionalID: request.transactionalID), directives: &directives)
        if let at = checkTimeoutsAt { directives.append(.wakeUp(at: at)) }
    }

    private func checkForAdding(
        _ id: String, _ producer: ProducerIdentity
    ) -> (index: Int, error: KafkaErrorCode) {
        let (index, error) = check(id, producer)
        guard error == .none else { return (index, error) }
        switch ids[index].current.state {
        case .prepareCommit, .prepareAbort, .prepareEpochFence: return (index, .concurrentTransactions)
        case .dead: return (index, .invalidProducerIDMapping)
        case .empty, .ongoing, .completeCommit, .completeAbort: return (index, .none)
        }
    }

    /// The state with further partitions; `nil` when they are all in the transaction already.
    private func adding(_ partitions: [PartitionID], to index: Int, now: Instant) -> TransactionSnapshot? {
        var next = ids[index].current
        if next.state == .ongoing {
            guard !partitions.allSatisfy(next.partitions.contains) else { return nil }
        } else {
            next.state = .ongoing
            next.partitions = []
            next.startedAt = now
        }
        for partition in partitions where !next.partitions.contains(partition) { next.partitions.append(partition) }
        next.partitions.sort()
        next.updatedAt = now
        return next
    }

    mutating func end(
        _ request: EndTransactionRequest, _ handle: ResponseHandle, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        var (index, error) = check(request.transactionalID, request.producer)
        if error == .none { error = checkEnd(ids[index].current.state, isCommit: request.isCommit) ?? .none }
        let isDone =
            error == .none
            && (ids[index].current.state == .completeCommit || ids[index].current.state == .completeAbort)
        guard error == .none, !isDone else {
            directives.append(.respond(handle, .endTransaction(error)))
            return
        }
        prepareEnd(
            index, isCommit: request.isCommit, handle, answer: .none, forInit: false, now: now,
            directives: &directives)
    }

    /// Whether a transaction in that state may be ended so; `nil` when it may, or when it has been already.
    private func checkEnd(_ state: TransactionState, isCommit: Bool) -> KafkaErrorCode? {
        switch state {
        case .ongoing: nil
        case .completeCommit: isCommit ? nil : .invalidTransactionState
        case .completeAbort: isCommit ? .invalidTransactionState : nil
        case .prepareCommit: isCommit ? .concurrentTransactions : .invalidTransactionState
        case .prepareAbort: isCommit ? .invalidTransactionState : .concurrentTransactions
        case .empty, .dead: .invalidTransactionState
        case .prepareEpochFence: .producerFenced
        }
    }
}

extension Range where Bound == Int64 {
    mutating func removeFirstID() -> Int64 {
        precondition(!isEmpty, "a producer id is asked for before one was allocated")
        let first = lowerBound
        self = (first + 1)..<upperBound
        return first
    }
}
