package import Ports

/// The calls of a transactional producer.
extension ProducerClient {
    /// Gets the producer's identity, fencing an older one of the same transactional id.
    package mutating func initializeTransactions(call: CallID, now: Instant, effects: inout [ClientEffect]) {
        guard isTransactional, transaction.state == .uninitialized else {
            effects.append(
                .complete(call, .failed(.refused("only a new producer with a transactional id initialises"))))
            return
        }
        transaction.state = .initializing
        waitForTransaction(call, now: now, effects: &effects)
        settle(now: now, effects: &effects)
    }

    package mutating func beginTransaction() -> EventLogError? {
        if let fatalError { return fatalError }
        guard isTransactional else { return .refused("beginTransaction needs a transactional id") }
        guard transaction.state == .ready else {
            return .refused("beginTransaction while the producer is \(transaction.state)")
        }
        transaction.state = .open
        transaction.abortableError = nil
        transaction.hasStarted = false
        return nil
    }

    /// Adds a group's offsets to the open transaction.
    package mutating func sendOffsets(
        _ offsets: [CommittedOffset], of group: ConsumerGroupMetadata, call: CallID, now: Instant,
        effects: inout [ClientEffect]
    ) {
        if let error = fatalError ?? transaction.abortableError {
            effects.append(.complete(call, .failed(error)))
            return
        }
        guard transaction.state == .open, transaction.pendingOffsets == nil else {
            effects.append(
                .complete(call, .failed(.refused("sendOffsets needs an open transaction, one call at a time"))))
            return
        }
        var positions: [PartitionOffset] = []
        for offset in offsets {
            guard let partition = network.metadata.partitionID(offset.topicPartition) else {
                let error = EventLogError(
                    .unknownPartition, "no partition \(offset.topicPartition) to commit", outcome: .noEffect)
                effects.append(.complete(call, .failed(error)))
                return
            }
            positions.append(PartitionOffset(partition: partition, offset: offset.offset))
        }
        let deadline = now + network.settings.callTimeout
        transaction.pendingOffsets = ProducerTransaction.PendingOffsets(
            call: call, deadline: deadline, group: group, offsets: positions)
        network.arm(deadline, effects: &effects)
        settle(now: now, effects: &effects)
    }

    package mutating func commitTransaction(call: CallID, now: Instant, effects: inout [ClientEffect]) {
        endTransaction(isCommit: true, call: call, now: now, effects: &effects)
    }

    package mutating func abortTransaction(call: CallID, now: Instant, effects: inout [ClientEffect]) {
        endTransaction(isCommit: false, call: call, now: now, effects: &effects)
    }

    private mutating func endTransaction(
        isCommit: Bool, call: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        if let error = fatalError ?? (isCommit ? transaction.abortableError : nil) {
            effects.append(.complete(call, .failed(error)))
            return
        }
        let ending: ProducerTransaction.State = isCommit ? .committing : .aborting
        switch transaction.state {
        case .open: break
        case .committing where !isCommit && transaction.abortableError != nil: break
        case ending where transaction.waiting == nil:
            // Called again after a timeout: it is still under way.
            return waitForTransaction(call, now: now, effects: &effects)
        default:
            effects.append(
                .complete(call, .failed(.refused("the producer is \(transaction.state); there is nothing to end"))))
            return
        }
        transaction.state = ending
        if isCommit {
            for index in partitions.indices { closeOpenBatch(index) }
        } else {
            dropUnsent(now: now, effects: &effects)
        }
        waitForTransaction(call, now: now, effects: &effects)
        settle(now: now, effects: &effects)
    }

    private mutating func waitForTransaction(_ call: CallID, now: Instant, effects: inout [ClientEffect]) {
        let deadline = now + network.settings.callTimeout
        transaction.waiting = (call, deadline)
        network.arm(deadline, effects: &effects)
    }

    /// An abort throws away what has not been sent.
    private mutating func dropUnsent(now: Instant, effects: inout [ClientEffect]) {
        transaction.partitionsToAdd.removeAll()
        for index in partitions.indices where partitions[index].isKnown {
            closeOpenBatch(index)
            let batches = partitions[index].queue
            partitions[index].queue.removeAll()
            for batch in batches { giveUp(batch, index, .purgedFromQueue, now: now, effects: &effects) }
        }
    }

    /// A partition's first batch in a transaction: the coordinator is told before anything is sent.
    mutating func joinTransaction(_ index: Int) {
        guard partitions[index].membership == .none, transaction.abortableError == nil,
            transaction.state == .open || transaction.state == .committing
        else { return }
        partitions[index].membership = .asked
        transaction.partitionsToAdd.append(partitions[index].id)
    }

    /// A commit or close sends what lingers at once.
    var isFlushing: Bool { closing != nil || transaction.state == .committing }

    // MARK: Driving

    /// Sends the next request that the transaction needs, one at a time.
    mutating func driveTransaction(now: Instant, effects: inout [ClientEffect]) {
        guard fatalError == nil, !transaction.isRequestInFlight else { return }
        if let at = transaction.retryAt {
            guard at <= now else { return network.arm(at, effects: &effects) }
            transaction.retryAt = nil
        }
        for partition in activePartitions where partitions[partition.index].membership == .none {
            if partitions[partition.index].hasOpenBatch || !partitions[partition.index].queue.isEmpty {
                joinTransaction(partition.index)
            }
        }
        guard needsCoordinator else { return endLocally(now: now, effects: &effects) }
        guard let coordinator = transaction.coordinator else {
            return find(.transaction, settings.transactionalID!, now: now, effects: &effects)
        }
        guard let (body, context) = nextTransactionRequest() else { return }
        if case .commitOffsets = context {
            guard let group = transaction.groupCoordinator else { return }
            return ask(group.node, body, context, now: now, effects: &effects)
        }
        if case .findCoordinator = context, let group = transaction.pendingOffsets?.group.group {
            return find(.group, group, now: now, effects: &effects)
        }
        ask(coordinator, body, context, now: now, effects: &effects)
    }

    private var needsCoordinator: Bool {
        switch transaction.state {
        case .uninitialized, .ready: false
        case .initializing, .bumpingEpoch: true
        case .open: !transaction.partitionsToAdd.isEmpty || transaction.pendingOffsets != nil
        case .committing, .aborting:
            !transaction.partitionsToAdd.isEmpty || transaction.pendingOffsets != nil || transaction.hasStarted
        }
    }

    private func nextTransactionRequest() -> (KafkaRequestBody, RequestContext)? {
        let id = settings.transactionalID!
        switch transaction.state {
        case .initializing, .bumpingEpoch:
            let request = InitProducerIDRequest(
                transactionalID: id, timeout: settings.transactionTimeout,
                current: transaction.state == .bumpingEpoch ? identity : .none)
            return (.initProducerID(request), .initProducerID)
        case .open, .committing, .aborting:
            break
        case .uninitialized, .ready:
            return nil
        }
        if !transaction.partitionsToAdd.isEmpty {
            let partitions = transaction.partitionsToAdd
            let request = AddPartitionsToTransactionRequest(
                transactionalID: id, producer: identity, partitions: partitions)
            return (.addPartitionsToTransaction(request), .addPartitions(partitions))
        }
        if let pending = transaction.pendingOffsets { return request(for: pending, id) }
        guard transaction.state != .open, !hasUnsent, transaction.hasStarted else { return nil }
        let request = EndTransactionRequest(
            transactionalID: id, producer: identity, isCommit: transaction.state == .committing)
        return (.endTransaction(request), .endTransaction)
    }

    private func request(
        for pending: ProducerTransaction.PendingOffsets, _ id: String
    ) -> (KafkaRequestBody, RequestContext) {
        switch pending.stage {
        case .addGroup:
            let request = AddOffsetsToTransactionRequest(
                transactionalID: id, producer: identity, group: pending.group.group)
            return (.addOffsetsToTransaction(request), .addOffsets)
        case .findCoordinator:
            return (.findCoordinator(.group, key: pending.group.group), .findCoordinator(.group))
        case .commit:
            let request = TransactionalOffsetCommitRequest(
                transactionalID: id, producer: identity, group: pending.group.group,
                memberID: pending.group.memberID, instanceID: pending.group.instanceID,
                generation: pending.group.generation, offsets: pending.offsets)
            return (.transactionalOffsetCommit(request), .commitOffsets)
        }
    }

    private mutating func ask(
        _ node: NodeID, _ body: KafkaRequestBody, _ context: RequestContext, now: Instant,
        effects: inout [ClientEffect]
    ) {
        guard network.isReady(node, .coordinator, now: now, effects: &effects) else { return }
        transaction.isRequestInFlight = true
        network.send(body, to: node, .coordinator, context, now: now, effects: &effects)
    }

    private mutating func find(
        _ kind: CoordinatorKind, _ key: String, now: Instant, effects: inout [ClientEffect]
    ) {
        let candidates = network.bootstrap
        guard let node = candidates.first(where: { network.isReady($0, .metadata, now: now, effects: &effects) })
        else { return }
        transaction.isRequestInFlight = true
        network.send(
            .findCoordinator(kind, key: key), to: node, .metadata, .findCoordinator(kind), now: now,
            effects: &effects)
    }

    /// A transaction that never reached the coordinator ends without it.
    private mutating func endLocally(now: Instant, effects: inout [ClientEffect]) {
        guard transaction.state == .committing || transaction.state == .aborting, !hasUnsent else { return }
        finishTransaction(effects: &effects)
    }

    mutating func finishTransaction(effects: inout [ClientEffect]) {
        for index in partitions.indices { partitions[index].membership = .none }
        transaction.hasStarted = false
        transaction.abortableError = nil
        transaction.pendingOffsets = nil
        transaction.partitionsToAdd = []
        if transaction.needsEpochBump {
            transaction.state = .bumpingEpoch
            return
        }
        transaction.state = .ready
        completeWaiting(.done, effects: &effects)
    }

    mutating func completeWaiting(_ result: ClientResult, effects: inout [ClientEffect]) {
        guard let waiting = transaction.waiting else { return }
        transaction.waiting = nil
        effects.append(.complete(waiting.call, result))
    }

    /// Calls that wait for too long fail; what they asked for may still happen.
    mutating func expireTransactionCalls(now: Instant, effects: inout [ClientEffect]) {
        let limit = network.settings.callTimeout
        if let waiting = transaction.waiting, waiting.deadline <= now {
            completeWaiting(
                .failed(
                    EventLogError(
                        .requestTimedOutLocally,
                        "the transaction was still \(transaction.state) after \(limit); call again",
                        outcome: .unknown)), effects: &effects)
        }
        if let pending = transaction.pendingOffsets, pending.deadline <= now {
            failOffsets(.requestTimedOutLocally, effects: &effects)
        }
    }

    mutating func failTransactionCalls(_ error: EventLogError, effects: inout [ClientEffect]) {
        completeWaiting(.failed(error), effects: &effects)
        if let pending = transaction.pendingOffsets {
            transaction.pendingOffsets = nil
            effects.append(.complete(pending.call, .failed(error)))
        }
    }
}
