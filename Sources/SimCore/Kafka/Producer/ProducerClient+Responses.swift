import Ports

/// What the answers to a producer's requests mean.
extension ProducerClient {
    mutating func answered(
        _ context: RequestContext, _ body: KafkaResponseBody, now: Instant, effects: inout [ClientEffect]
    ) {
        switch (context, body) {
        case (.produce(let sent), .produce(let results)):
            produced(results, sent, now: now, effects: &effects)
        case (.initProducerID, .initProducerID(let error, let received)):
            if isTransactional {
                initialized(received, error, now: now, effects: &effects)
            } else {
                self.received(identity: received, error, now: now, effects: &effects)
            }
        case (.findCoordinator(let kind), .findCoordinator(let error, let node)):
            found(kind, node, error, now: now)
        case (.addPartitions(let partitions), .addPartitionsToTransaction(let errors)):
            added(partitions, errors.first { $0.error != .none }?.error ?? .none, now: now, effects: &effects)
        case (.addOffsets, .addOffsetsToTransaction(let error)):
            addedOffsets(error, now: now, effects: &effects)
        case (.commitOffsets, .transactionalOffsetCommit(let errors)):
            committedOffsets(
                errors.first { $0.error != .none }?.error ?? .none, now: now, effects: &effects)
        case (.endTransaction, .endTransaction(let error)):
            ended(error, now: now, effects: &effects)
        default:
            preconditionFailure("an answer of another kind than was asked for: \(body)")
        }
    }

    mutating func failed(
        _ context: RequestContext, _ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]
    ) {
        switch context {
        case .produce(let sent):
            produceFailed(sent, error, now: now, effects: &effects)
        case .initProducerID where !isTransactional:
            received(identity: .none, error, now: now, effects: &effects)
        case .commitOffsets:
            transaction.isRequestInFlight = false
            transaction.groupCoordinator = nil
            transaction.pendingOffsets?.stage = .findCoordinator
            retryTransaction(now: now)
        case .initProducerID, .findCoordinator, .addPartitions, .addOffsets, .endTransaction:
            transaction.isRequestInFlight = false
            transaction.coordinator = nil
            retryTransaction(now: now)
        }
    }

    private mutating func retryTransaction(now: Instant) { transaction.retryAt = now + settings.retryBackoff }

    /// Deals with errors that every request to the coordinator can get. Returns whether the request succeeded.
    private mutating func judge(_ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]) -> Bool {
        transaction.isRequestInFlight = false
        switch error {
        case .none:
            return true
        case .notCoordinator, .coordinatorNotAvailable:
            transaction.coordinator = nil
            retryTransaction(now: now)
        case .concurrentTransactions:
            // The end of the transaction before is still being marked (TransactionManager: 20 ms).
            transaction.retryAt = now + min(settings.retryBackoff, .milliseconds(20))
        case _ where error.isRetriable:
            retryTransaction(now: now)
        case .invalidProducerIDMapping, .unknownProducerID:
            // The id expired (transactional.id.expiration.ms).
            transaction.needsEpochBump = true
            transaction.fail(with: transactionError(error, isFatal: false))
            failWaitingForAbort(effects: &effects)
        default:
            fatalError = transactionError(error, isFatal: true)
            failEverything(effects: &effects)
        }
        return false
    }

    private func transactionError(_ error: KafkaErrorCode, isFatal: Bool) -> EventLogError {
        let isFenced = error == .producerFenced || error == .invalidProducerEpoch
        let name = settings.transactionalID ?? "?"
        let message =
            isFenced
            ? "a newer producer uses transactional id \(name), or the transaction timed out"
            : "the coordinator of transactional id \(name) answered with error \(error)"
        return EventLogError(
            isFenced ? .producerFenced : error, message, outcome: .noEffect, isFatal: isFatal, requiresAbort: !isFatal)
    }

    private mutating func failWaitingForAbort(effects: inout [ClientEffect]) {
        guard let error = transaction.abortableError else { return }
        if transaction.state == .committing { completeWaiting(.failed(error), effects: &effects) }
        if let pending = transaction.pendingOffsets {
            transaction.pendingOffsets = nil
            effects.append(.complete(pending.call, .failed(error)))
        }
    }

    private mutating func initialized(
        _ received: ProducerIdentity, _ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]
    ) {
        guard judge(error, now: now, effects: &effects) else { return }
        identity = received
        transaction.needsEpochBump = false
        transaction.state = .ready
        for index in partitions.indices where partitions[index].isKnown {
            partitions[index].hasUnresolvedSequence = false
        }
        completeWaiting(.done, effects: &effects)
    }

    private mutating func found(
        _ kind: CoordinatorKind, _ node: NodeID, _ error: KafkaErrorCode, now: Instant
    ) {
        transaction.isRequestInFlight = false
        guard error == .none else { return retryTransaction(now: now) }
        switch kind {
        case .transaction:
            transaction.coordinator = node
        case .group:
            guard let group = transaction.pendingOffsets?.group.group else { return }
            transaction.groupCoordinator = (group, node)
            transaction.pendingOffsets?.stage = .commit
        }
    }

    private mutating func added(
        _ asked: [PartitionID], _ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]
    ) {
        guard judge(error, now: now, effects: &effects) else { return }
        transaction.hasStarted = true
        transaction.partitionsToAdd.removeAll(where: asked.contains)
        for partition in asked { partitions[partition.index].membership = .added }
    }

    private mutating func addedOffsets(
        _ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]
    ) {
        guard judge(error, now: now, effects: &effects) else { return }
        transaction.hasStarted = true
        let group = transaction.pendingOffsets?.group.group
        let isKnown = transaction.groupCoordinator.map { $0.group == group } ?? false
        transaction.pendingOffsets?.stage = isKnown ? .commit : .findCoordinator
    }

    private mutating func committedOffsets(
        _ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]
    ) {
        transaction.isRequestInFlight = false
        switch error {
        case .none:
            guard let pending = transaction.pendingOffsets else { return }
            transaction.pendingOffsets = nil
            effects.append(.complete(pending.call, .done))
        case .notCoordinator, .coordinatorNotAvailable, .requestTimedOut:
            transaction.groupCoordinator = nil
            transaction.pendingOffsets?.stage = .findCoordinator
            retryTransaction(now: now)
        case .unknownMemberID, .illegalGeneration, .fencedInstanceID:
            // The consumer is no longer part of its group's generation.
            failOffsets(error, effects: &effects)
        default:
            _ = judge(error, now: now, effects: &effects)
        }
    }

    mutating func failOffsets(_ error: KafkaErrorCode, effects: inout [ClientEffect]) {
        guard let pending = transaction.pendingOffsets else { return }
        transaction.pendingOffsets = nil
        let failure = EventLogError(
            error, "the offsets of group \(pending.group.group) could not be added to the transaction",
            outcome: error == .requestTimedOutLocally ? .unknown : .noEffect, requiresAbort: true)
        transaction.fail(with: failure)
        effects.append(.complete(pending.call, .failed(failure)))
    }

    private mutating func ended(_ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]) {
        guard judge(error, now: now, effects: &effects) else { return }
        finishTransaction(effects: &effects)
    }
}
