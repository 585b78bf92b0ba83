import Ports

/// The end of a transaction: prepared in the log, marked in every partition, then complete.
extension TransactionCoordinator {
    /// Aborts a transaction under an epoch that its producer does not have (PrepareEpochFence).
    mutating func fenceAndAbort(
        _ index: Int, _ handle: ResponseHandle?, answer: KafkaErrorCode, forInit: Bool, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        ids[index].current.producer.epoch += 1
        prepareEnd(
            index, isCommit: false, handle, answer: answer, forInit: forInit, now: now, directives: &directives)
    }

    mutating func prepareEnd(
        _ index: Int, isCommit: Bool, _ handle: ResponseHandle?, answer: KafkaErrorCode, forInit: Bool, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        var next = ids[index].current
        next.state = isCommit ? .prepareCommit : .prepareAbort
        next.updatedAt = now
        write(
            index, next,
            .prepare(handle, transactionalID: ids[index].id, answer: answer, forInit: forInit),
            directives: &directives)
    }

    /// A write is replicated, or failed.
    mutating func written(
        token: Int64, _ error: KafkaErrorCode, now: Instant, directives: inout [CoordinatorDirective]
    ) {
        guard let pending = pendingWrites.removeValue(forKey: token) else { return }
        let translated = GroupCoordinator.translated(error)
        let id: String
        switch pending {
        case .initialize(_, let transactionalID), .addPartitions(_, let transactionalID, _),
            .addOffsets(_, let transactionalID), .prepare(_, let transactionalID, _, _),
            .complete(let transactionalID):
            id = transactionalID
        case .other:
            return
        }
        guard let index = index(of: id), let next = ids[index].pending else {
            // Another broker coordinates it by now.
            return answer(pending, error == .none ? .notCoordinator : translated, nil, directives: &directives)
        }
        ids[index].pending = nil
        if error == .none { ids[index].current = next }
        answer(pending, translated, next, directives: &directives)
        switch pending {
        case .prepare where error == .none:
            ids[index].unmarked = ids[index].current.partitions
            sendMarkers(index, now: now, directives: &directives)
        case .complete where error != .none:
            // The markers are all there; that they are has to be written some time.
            retryMarkersAt = now + .milliseconds(100)
            directives.append(.wakeUp(at: retryMarkersAt!))
        default:
            break
        }
    }

    private func answer(
        _ pending: PendingWrite, _ error: KafkaErrorCode, _ next: TransactionSnapshot?,
        directives: inout [CoordinatorDirective]
    ) {
        switch pending {
        case .initialize(let handle, _):
            let identity = error == .none ? next?.producer ?? .none : .none
            directives.append(.respond(handle, .initProducerID(error, identity)))
        case .addPartitions(let handle, _, let partitions):
            let errors = partitions.map { PartitionError(partition: $0, error: error) }
            directives.append(.respond(handle, .addPartitionsToTransaction(errors)))
        case .addOffsets(let handle, _):
            directives.append(.respond(handle, .addOffsetsToTransaction(error)))
        case .prepare(let handle?, _, let answer, let forInit):
            let told = error == .none ? answer : error
            directives.append(
                .respond(handle, forInit ? .initProducerID(told, .none) : .endTransaction(told)))
        case .prepare(nil, _, _, _), .complete, .other:
            break
        }
    }

    // MARK: Markers

    /// Sends the markers of a prepared transaction to the leaders of the partitions that lack them.
    mutating func sendMarkers(_ index: Int, now: Instant, directives: inout [CoordinatorDirective]) {
        guard !ids[index].unmarked.isEmpty else { return complete(index, now: now, directives: &directives) }
        let current = ids[index].current
        let epoch = coordinatorEpoch(ids[index].partition)
        let marker = TransactionMarker(isCommit: current.state == .prepareCommit, coordinatorEpoch: epoch)
        var leaders: [NodeID] = []
        var isMissingLeader = false
        for partition in ids[index].unmarked {
            let leader = metadata.partition(partition)?.leader ?? .none
            if leader == .none { isMissingLeader = true } else if !leaders.contains(leader) { leaders.append(leader) }
        }
        for leader in leaders {
            let partitions = ids[index].unmarked.filter { metadata.partition($0)?.leader == leader }
            let token = newToken()
            markerRequests[token] = MarkerRequest(
                transactionalID: ids[index].id, producer: current.producer, coordinatorEpoch: epoch)
            let request = WriteTransactionMarkersRequest(
                producer: current.producer, marker: marker, partitions: partitions)
            directives.append(.sendMarkers(leader, request, token: token))
        }
        if isMissingLeader { retryMarkers(now: now, directives: &directives) }
    }

    private mutating func retryMarkers(now: Instant, directives: inout [CoordinatorDirective]) {
        let at = now + .milliseconds(100)
        retryMarkersAt = min(retryMarkersAt ?? at, at)
        directives.append(.wakeUp(at: retryMarkersAt!))
    }

    /// Sends again what has no request under way.
    mutating func resendMarkers(now: Instant, directives: inout [CoordinatorDirective]) {
        retryMarkersAt = nil
        let underWay = markerRequests.values.map(\.transactionalID)
        for index in ids.indices where ids[index].pending == nil {
            let state = ids[index].current.state
            guard state == .prepareCommit || state == .prepareAbort, !underWay.contains(ids[index].id) else { continue }
            sendMarkers(index, now: now, directives: &directives)
        }
    }

    mutating func markersWritten(
        token: Int64, _ results: [PartitionError], now: Instant, directives: inout [CoordinatorDirective]
    ) {
        guard let request = markerRequests.removeValue(forKey: token),
            let index = index(of: request.transactionalID),
            ids[index].current.producer == request.producer,
            coordinatorEpoch(ids[index].partition) == request.coordinatorEpoch
        else { return }
        let state = ids[index].current.state
        guard ids[index].pending == nil, state == .prepareCommit || state == .prepareAbort else { return }
        for result in results {
            switch result.error {
            case .none:
                ids[index].unmarked.removeAll { $0 == result.partition }
            case .invalidProducerEpoch, .transactionCoordinatorFenced:
                // A newer coordinator or producer has been there: nothing is left to do in this partition.
                ids[index].unmarked.removeAll { $0 == result.partition }
            default:
                break
            }
        }
        let isWaiting = markerRequests.values.contains { $0.transactionalID == request.transactionalID }
        if ids[index].unmarked.isEmpty {
            complete(index, now: now, directives: &directives)
        } else if !isWaiting {
            retryMarkers(now: now, directives: &directives)
        }
    }

    mutating func markersFailed(
        token: Int64, _ partitions: [PartitionID], now: Instant, directives: inout [CoordinatorDirective]
    ) {
        guard markerRequests.removeValue(forKey: token) != nil else { return }
        retryMarkers(now: now, directives: &directives)
    }

    private mutating func complete(_ index: Int, now: Instant, directives: inout [CoordinatorDirective]) {
        var next = ids[index].current
        next.state = next.state == .prepareCommit ? .completeCommit : .completeAbort
        next.partitions = []
        next.updatedAt = now
        write(index, next, .complete(transactionalID: ids[index].id), directives: &directives)
    }
}
