import Ports

/// Idempotence: the producer id, sequence numbers, and the bump of the epoch when a number cannot be accounted for
/// (TransactionManager; KIP-98, KIP-360).
extension ProducerClient {
    /// Whether batches may be numbered: an id is there, and no bump is due.
    var isIdentityReady: Bool { !isIdempotent || (!identity.isNone && !needsEpochBump) }

    /// Asks for a producer id, or bumps the epoch, when that is due. Transactional producers do so by their coordinator.
    mutating func driveIdentity(now: Instant, effects: inout [ClientEffect]) {
        guard isIdempotent, !isTransactional, fatalError == nil else { return }
        if needsEpochBump, !identity.isNone { bumpEpoch() }
        guard identity.isNone, !isAskingForIdentity, hasUnsent else { return }
        if let at = askForIdentityAt, at > now { return network.arm(at, effects: &effects) }
        guard
            let node = network.bootstrap.first(where: { network.isReady($0, .coordinator, now: now, effects: &effects) }
            )
        else { return }
        isAskingForIdentity = true
        let request = InitProducerIDRequest(transactionalID: nil, timeout: .zero, current: .none)
        network.send(.initProducerID(request), to: node, .coordinator, .initProducerID, now: now, effects: &effects)
    }

    mutating func received(
        identity received: ProducerIdentity, _ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]
    ) {
        isAskingForIdentity = false
        guard error == .none else {
            askForIdentityAt = now + settings.retryBackoff
            return
        }
        askForIdentityAt = nil
        identity = received
    }

    /// A producer that is only idempotent bumps its epoch by itself; when epochs run out it takes a new id.
    private mutating func bumpEpoch() {
        needsEpochBump = false
        epochBumpCount += 1
        if identity.epoch == .max { identity = .none } else { identity.epoch += 1 }
        for index in partitions.indices where partitions[index].isKnown {
            if partitions[index].needsRestart {
                partitions[index].needsRestart = false
                restartSequence(index)
            } else if partitions[index].inFlight.isEmpty, !defects.contains(.keepsSequenceAfterBump) {
                restartSequence(index)
            } else if defects.contains(.keepsSequenceAfterBump), partitions[index].inFlight.isEmpty {
                // The mistake: the new epoch with the old numbers.
                partitions[index].identity = identity
            }
            // Others finish what is in flight under the old epoch first; see settleSequences.
        }
    }

    /// Numbers start at 0 under the current identity; what waits for another attempt is numbered anew.
    private mutating func restartSequence(_ index: Int) {
        partitions[index].identity = identity
        partitions[index].nextSequence = 0
        partitions[index].lastAcknowledgedSequence = -1
        partitions[index].hasUnresolvedSequence = false
        partitions[index].isOutOfOrder = false
        for position in partitions[index].queue.indices where partitions[index].queue[position].hasSequence {
            let count = Int32(partitions[index].queue[position].records.count)
            let sequence = partitions[index].nextSequence
            partitions[index].queue[position].baseSequence = sequence
            partitions[index].queue[position].identity = identity
            partitions[index].queue[position].encoded = partitions[index].queue[position].encoded?.reidentified(
                as: identity, baseSequence: sequence)
            partitions[index].nextSequence = SequenceNumber.adding(count, to: sequence)
        }
    }

    /// Gives a batch its identity and sequence number, when it has none yet.
    mutating func number(_ batch: inout ProducerBatch, _ index: Int) {
        guard isIdempotent, !batch.hasSequence else { return }
        if partitions[index].identity != identity, partitions[index].inFlight.isEmpty,
            !partitions[index].queue.contains(where: \.hasSequence)
        {
            restartSequence(index)
        }
        batch.identity = partitions[index].identity
        batch.baseSequence = partitions[index].nextSequence
        partitions[index].nextSequence = SequenceNumber.adding(
            Int32(batch.records.count), to: batch.baseSequence)
    }

    /// TransactionManager.canRetry
    func mayRetry(_ batch: ProducerBatch, _ index: Int, _ error: KafkaErrorCode) -> Bool {
        if error == .outOfOrderSequenceNumber {
            let isNext = SequenceNumber.follows(batch.baseSequence, partitions[index].lastAcknowledgedSequence)
            // An earlier batch is missing: after its retry this one fits.
            if !partitions[index].hasUnresolvedSequence, !isNext {
                return !defects.contains(.leavesSequenceGap) || hasEarlier(batch, index)
            }
            return !isTransactional && !defects.contains(.leavesSequenceGap)
        }
        return error.isRetriable
    }

    private func hasEarlier(_ batch: ProducerBatch, _ index: Int) -> Bool {
        (partitions[index].inFlight + partitions[index].queue).contains {
            $0.hasSequence && $0.baseSequence < batch.baseSequence
        }
    }

    /// A batch is given up. If it had a number, nobody knows whether the broker has counted it.
    mutating func abandonSequence(of batch: ProducerBatch, _ index: Int, _ error: KafkaErrorCode) {
        guard isIdempotent else { return }
        if defects.contains(.leavesSequenceGap) {
            // The mistake: its numbers stay taken, even when it was never sent.
            if !batch.hasSequence {
                partitions[index].nextSequence = SequenceNumber.adding(
                    Int32(batch.records.count), to: partitions[index].nextSequence)
            }
            return
        }
        if batch.hasSequence, batch.identity == partitions[index].identity {
            partitions[index].hasUnresolvedSequence = true
        }
    }

    /// When nothing is in flight in a partition any more, a missing number is settled: by the batches after it, which were
    /// acknowledged, or by a bump of the epoch.
    mutating func settleSequences(_ index: Int) {
        guard isIdempotent, partitions[index].hasUnresolvedSequence, partitions[index].inFlight.isEmpty else {
            return
        }
        let isTryingAgain = partitions[index].queue.contains(where: \.hasSequence)
        guard partitions[index].isOutOfOrder || !isTryingAgain else { return }
        if !isTryingAgain,
            SequenceNumber.follows(
                partitions[index].nextSequence, partitions[index].lastAcknowledgedSequence)
        {
            partitions[index].hasUnresolvedSequence = false
            return
        }
        guard isTransactional else {
            partitions[index].needsRestart = true
            needsEpochBump = true
            return
        }
        // Bumped by the coordinator, after the transaction has been aborted.
        transaction.needsEpochBump = true
    }

    /// A retry of the batch that is next in order was refused as out of order: only another epoch helps.
    mutating func noteOutOfOrder(_ batch: ProducerBatch, _ index: Int) {
        guard !isTransactional, !defects.contains(.leavesSequenceGap),
            SequenceNumber.follows(batch.baseSequence, partitions[index].lastAcknowledgedSequence)
                || partitions[index].hasUnresolvedSequence
        else { return }
        partitions[index].hasUnresolvedSequence = true
        partitions[index].isOutOfOrder = true
    }
}
