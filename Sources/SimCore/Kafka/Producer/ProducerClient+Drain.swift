import Ports

/// Sending batches, and what their answers mean.
extension ProducerClient {
    /// Sends every batch that may go now, those for one broker in one request (Sender.sendProducerData).
    mutating func drain(now: Instant, effects: inout [ClientEffect]) {
        guard !activePartitions.isEmpty, fatalError == nil, isIdentityReady else { return }
        var requests: [(node: NodeID, partitions: [PartitionID])] = []
        var position = 0
        while position < activePartitions.count {
            let index = activePartitions[position].index
            if !partitions[index].hasOpenBatch, partitions[index].queue.isEmpty {
                partitions[index].isActive = false
                activePartitions.remove(at: position)
                continue
            }
            position += 1
            guard isSendable(index, now: now, effects: &effects) else { continue }
            guard let image = network.metadata.partition(partitions[index].id), image.leader != .none else {
                network.requestMetadata()
                continue
            }
            guard network.inFlightCount(image.leader, .data) < settings.maximumInFlightRequests,
                network.isReady(image.leader, .data, now: now, effects: &effects)
            else { continue }
            if let known = requests.firstIndex(where: { $0.node == image.leader }) {
                requests[known].partitions.append(partitions[index].id)
            } else {
                requests.append((image.leader, [partitions[index].id]))
            }
        }
        for request in requests { send(request.partitions, to: request.node, now: now, effects: &effects) }
        // More of the same partitions may go at once, as far as requests in flight allow.
        if !requests.isEmpty { drain(now: now, effects: &effects) }
    }

    /// Whether the partition's next batch may be sent. An open batch that has lingered is closed.
    private mutating func isSendable(_ index: Int, now: Instant, effects: inout [ClientEffect]) -> Bool {
        if isTransactional, partitions[index].membership != .added {
            joinTransaction(index)
            return false
        }
        if partitions[index].queue.isEmpty {
            guard partitions[index].hasOpenBatch,
                isFlushing || now - partitions[index].open.createdAt >= settings.linger
            else { return false }
            closeOpenBatch(index)
        }
        let first = partitions[index].queue[0]
        if let at = first.retryAt, at > now {
            network.arm(at, effects: &effects)
            return false
        }
        guard isIdempotent else { return true }
        if first.hasSequence {
            // While something is tried again, only the lowest sequence number may go.
            return partitions[index].inFlight.first.map { first.baseSequence < $0.baseSequence } ?? true
        }
        return !partitions[index].hasUnresolvedSequence
    }

    private mutating func send(
        _ ids: [PartitionID], to node: NodeID, now: Instant, effects: inout [ClientEffect]
    ) {
        var entries: [ProduceEntry] = []
        var sent: [(partition: PartitionID, baseSequence: Int32, serial: Int64)] = []
        entries.reserveCapacity(ids.count)
        sent.reserveCapacity(ids.count)
        let serial = newSerial()
        for id in ids {
            var batch = partitions[id.index].queue.removeFirst()
            number(&batch, id.index)
            batch.attempts += 1
            batch.retryAt = nil
            let encoded =
                batch.encoded
                ?? RecordBatch(
                    .records(batch.records), producer: batch.identity, baseSequence: batch.baseSequence,
                    isTransactional: isTransactional, byteCount: batch.byteCount,
                    maximumTimestamp: batch.maximumTimestamp)
            batch.encoded = encoded
            entries.append(ProduceEntry(partition: id, batch: encoded))
            sent.append((id, batch.baseSequence, serial))
            batch.serial = serial
            if settings.acknowledgement == .none {
                acknowledge(batch, id.index, baseOffset: nil, effects: &effects)
            } else {
                let position =
                    partitions[id.index].inFlight.firstIndex { $0.baseSequence > batch.baseSequence }
                    ?? partitions[id.index].inFlight.count
                partitions[id.index].inFlight.insert(batch, at: position)
                network.arm(batch.createdAt + settings.deliveryTimeout, effects: &effects)
            }
        }
        let body = KafkaRequestBody.produce(
            ProduceRequest(
                acknowledgement: settings.acknowledgement, timeout: settings.requestTimeout, entries: entries))
        if settings.acknowledgement == .none {
            network.sendUnanswered(body, to: node, .data, effects: &effects)
        } else {
            network.send(body, to: node, .data, .produce(sent), now: now, effects: &effects)
        }
    }

    // MARK: Answers

    mutating func produced(
        _ results: [ProduceResult], _ sent: [(partition: PartitionID, baseSequence: Int32, serial: Int64)],
        now: Instant, effects: inout [ClientEffect]
    ) {
        for result in results {
            guard let serial = sent.first?.serial,
                let batch = takeInFlight(result.partition, serial: serial)
            else { continue }
            let index = result.partition.index
            switch result.error {
            case .none, .duplicateSequenceNumber:
                acknowledge(
                    batch, index, baseOffset: result.error == .none ? result.baseOffset : nil, effects: &effects)
            default:
                failed(batch, index, result.error, now: now, effects: &effects)
            }
        }
    }

    /// The request was not answered: its batches may have been written.
    mutating func produceFailed(
        _ sent: [(partition: PartitionID, baseSequence: Int32, serial: Int64)], _ error: KafkaErrorCode,
        now: Instant, effects: inout [ClientEffect]
    ) {
        for (partition, _, serial) in sent {
            guard let batch = takeInFlight(partition, serial: serial) else { continue }
            failed(batch, partition.index, error, now: now, effects: &effects)
        }
    }

    private mutating func takeInFlight(_ id: PartitionID, serial: Int64) -> ProducerBatch? {
        guard id.index < partitions.count,
            let position = partitions[id.index].inFlight.firstIndex(where: { $0.serial == serial })
        else {
            return nil
        }
        return partitions[id.index].inFlight.remove(at: position)
    }

    private mutating func acknowledge(
        _ batch: ProducerBatch, _ index: Int, baseOffset: Int64?, effects: inout [ClientEffect]
    ) {
        if batch.hasSequence, batch.identity == partitions[index].identity {
            partitions[index].lastAcknowledgedSequence = SequenceNumber.adding(
                Int32(batch.records.count) - 1, to: batch.baseSequence)
        }
        let partition = Int32(truncatingIfNeeded: index)
        var written = ProducerCall.Result(partition: partition, offset: baseOffset ?? -1)
        batch.destinations.withUnsafeBufferPointer { destinations in
            for position in destinations.indices {
                resolve(destinations[position], written, nil, effects: &effects)
                if baseOffset != nil { written.offset += 1 }
            }
        }
        settleSequences(index)
    }

    private mutating func failed(
        _ batch: ProducerBatch, _ index: Int, _ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]
    ) {
        if error.invalidatesMetadata { network.requestMetadata() }
        if error == .outOfOrderSequenceNumber { outOfOrderCount += 1 }
        var batch = batch
        batch.lastError = error
        if !isRefusal(error) { batch.isInDoubt = true }
        let isExpired = now - batch.createdAt >= settings.deliveryTimeout
        guard !isExpired, mayRetry(batch, index, error), transaction.state != .aborting else {
            return giveUp(batch, index, error, now: now, effects: &effects)
        }
        if error == .outOfOrderSequenceNumber { noteOutOfOrder(batch, index) }
        batch.retryAt = now + settings.retryBackoff
        network.arm(now + settings.retryBackoff, effects: &effects)
        partitions[index].requeue(batch)
        activate(index)
        settleSequences(index)
    }

    /// A batch that will not be tried again: its records have failed.
    mutating func giveUp(
        _ batch: ProducerBatch, _ index: Int, _ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]
    ) {
        let isExpired = now - batch.createdAt >= settings.deliveryTimeout
        let failure = describe(batch, index, isExpired ? .messageTimedOut : error)
        abandonSequence(of: batch, index, error)
        if isTransactional { transaction.fail(with: failure) }
        if failure.isFatal { fatalError = fatalError ?? failure }
        for destination in batch.destinations { resolve(destination, nil, failure, effects: &effects) }
        settleSequences(index)
        if fatalError != nil { failEverything(effects: &effects) }
    }

    private func describe(_ batch: ProducerBatch, _ index: Int, _ code: KafkaErrorCode) -> EventLogError {
        let name = partitions[index].topicPartition
        let cause = batch.lastError == .none ? "" : "; the last attempt failed with \(batch.lastError)"
        let message =
            code == .messageTimedOut
            ? "\(batch.records.count) records for \(name) were not acknowledged within \(settings.deliveryTimeout)\(cause)"
            : "\(name) refused \(batch.records.count) records with error \(code)"
        // A broker that knows a higher epoch says that there is a newer producer. As librdkafka, which production uses; a
        // Java client aborts first, and learns the same from the coordinator (KIP-588).
        let isFenced = code == .invalidProducerEpoch || code == .producerFenced
        let isFatal = isFenced || (code == .outOfOrderSequenceNumber && defects.contains(.leavesSequenceGap))
        return EventLogError(
            isFenced && isTransactional ? .producerFenced : code, message,
            outcome: batch.isInDoubt ? .unknown : .noEffect, isFatal: isFatal,
            requiresAbort: isTransactional && !isFatal)
    }

    /// Errors with which a broker says that it has not written a batch.
    private func isRefusal(_ error: KafkaErrorCode) -> Bool {
        switch error {
        case .none, .transport, .requestTimedOutLocally, .requestTimedOut, .notEnoughReplicasAfterAppend: false
        // The leader may have written it before it lost its leadership.
        case .notLeaderOrFollower, .storageError: false
        default: true
        }
    }

    mutating func failEverything(effects: inout [ClientEffect]) {
        guard let fatalError else { return }
        for index in partitions.indices where partitions[index].isKnown {
            closeOpenBatch(index)
            let batches = partitions[index].inFlight.inDoubt + partitions[index].queue
            partitions[index].inFlight = []
            partitions[index].queue = []
            for batch in batches {
                let error = EventLogError(
                    fatalError.code, fatalError.message, outcome: batch.isInDoubt ? .unknown : .noEffect,
                    isFatal: true)
                for destination in batch.destinations { resolve(destination, nil, error, effects: &effects) }
            }
        }
        for (call, _, _) in waitingForTopics { effects.append(.complete(call, .failed(fatalError))) }
        waitingForTopics.removeAll()
        failTransactionCalls(fatalError, effects: &effects)
    }

    // MARK: Time

    /// This producer's own deadlines. Linear in partitions; called once per wake-up.
    func collectDeadlines(into earliest: inout EarliestDeadline) {
        for partition in partitions {
            if partition.hasOpenBatch {
                earliest.consider(partition.open.createdAt + settings.linger)
                earliest.consider(partition.open.createdAt + settings.deliveryTimeout)
            }
            for batch in partition.queue {
                earliest.consider(batch.createdAt + settings.deliveryTimeout)
                earliest.consider(batch.retryAt)
            }
            for batch in partition.inFlight { earliest.consider(batch.createdAt + settings.deliveryTimeout) }
        }
        for waiting in waitingForTopics { earliest.consider(waiting.deadline) }
        earliest.consider(askForIdentityAt)
        transaction.collectDeadlines(into: &earliest)
    }

    /// Gives up what is overdue (`delivery.timeout.ms`), whether it is under way or not.
    mutating func expire(now: Instant, effects: inout [ClientEffect]) {
        for index in partitions.indices where partitions[index].isKnown {
            let oldest = now - settings.deliveryTimeout
            if partitions[index].hasOpenBatch, partitions[index].open.createdAt <= oldest { closeOpenBatch(index) }
            let overdue =
                partitions[index].inFlight.filter { $0.createdAt <= oldest }.inDoubt
                + partitions[index].queue.filter { $0.createdAt <= oldest }
            guard !overdue.isEmpty else { continue }
            partitions[index].inFlight.removeAll { $0.createdAt <= oldest }
            partitions[index].queue.removeAll { $0.createdAt <= oldest }
            for batch in overdue { giveUp(batch, index, .messageTimedOut, now: now, effects: &effects) }
        }
        let overdue = waitingForTopics.filter { $0.deadline <= now }
        waitingForTopics.removeAll { $0.deadline <= now }
        for (call, records, _) in overdue {
            let topics = records.map(\.topic).filter { network.metadata.topic(named: $0) == nil }
            let error = EventLogError(
                .unknownTopicOrPartition,
                "no broker knew the topic \(topics.first ?? "?") within \(network.settings.callTimeout); create it first",
                outcome: .noEffect)
            effects.append(.complete(call, .failed(error)))
        }
        expireTransactionCalls(now: now, effects: &effects)
    }
}

extension [ProducerBatch] {
    /// Batches that were sent and will not be heard of any more.
    fileprivate var inDoubt: [ProducerBatch] {
        map { batch in
            var batch = batch
            batch.isInDoubt = true
            return batch
        }
    }
}
