import Ports

/// The broker as host of coordinators: carries out their directives and brings them requests.
extension Broker {
    mutating func runDirectives(now: Instant, effects: inout [NodeEffect]) {
        while !directives.isEmpty {
            let taken = directives
            directives.removeAll()
            for directive in taken { run(directive, now: now, effects: &effects) }
        }
    }

    private mutating func run(_ directive: CoordinatorDirective, now: Instant, effects: inout [NodeEffect]) {
        switch directive {
        case .respond(let handle, let body):
            respond(handle, body, effects: &effects)
        case .append(let kind, let partition, let batch, let token):
            write(batch, to: partition, kind, token, now: now, effects: &effects)
        case .appended(.group, let token, let error):
            groups.written(token: token, error, now: now, directives: &directives)
        case .appended(.transaction, let token, let error):
            transactions.written(token: token, error, now: now, directives: &directives)
        case .markersWritten(let token, let results):
            transactions.markersWritten(token: token, results, now: now, directives: &directives)
        case .wakeUp(let at):
            arm(at, effects: &effects)
        case .sendMarkers(let leader, let request, let token):
            if leader == id {
                write(request, .local(token: token), now: now, effects: &effects)
            } else {
                ask(
                    leader, .coordinator, .writeTransactionMarkers(request),
                    .markers(token: token, request.partitions), now: now, effects: &effects)
            }
        }
    }

    /// A coordinator's write: acks=all on a partition that this broker leads.
    private mutating func write(
        _ coordinatorBatch: CoordinatorBatch, to partition: PartitionID, _ kind: CoordinatorKind, _ token: Int64,
        now: Instant, effects: inout [NodeEffect]
    ) {
        func fail(_ error: KafkaErrorCode) { directives.append(.appended(kind, token: token, error)) }
        guard !hasStorageFailed else { return fail(.storageError) }
        guard let index = replicaIndex(partition), replicas[index].isLeader else { return fail(.notLeaderOrFollower) }
        guard !replicas[index].isUnderMinimumISR else { return fail(.notEnoughReplicas) }
        let records = coordinatorBatch.records
        let batch = RecordBatch(
            .coordinator(records), producer: coordinatorBatch.producer,
            isTransactional: !coordinatorBatch.producer.isNone,
            byteCount: records.reduce(RecordBatch.headerByteCount) { $0 + $1.estimatedByteCount },
            maximumTimestamp: now)
        append(batch, index, now: now, effects: &effects)
        let required = replicas[index].log.endOffset
        guard replicas[index].log.highWatermark < required else { return fail(.none) }
        let deadline = now + settings.offsetsCommitTimeout
        let slot = beginDelayedProduce(.coordinator(kind, token: token), deadline: deadline, effects: &effects)
        delayedProduces[slot].results = [ProduceResult(partition: partition, error: .none, baseOffset: -1)]
        wait(index, requiredOffset: required, slot: slot, resultIndex: 0)
    }

    // MARK: Markers

    mutating func writeMarkers(
        _ request: WriteTransactionMarkersRequest, _ handle: ResponseHandle, now: Instant,
        effects: inout [NodeEffect]
    ) {
        write(request, .remote(handle), now: now, effects: &effects)
    }

    private mutating func write(
        _ request: WriteTransactionMarkersRequest, _ destination: MarkerDestination, now: Instant,
        effects: inout [NodeEffect]
    ) {
        var results: [ProduceResult] = []
        var delayed = -1
        for (position, partition) in request.partitions.enumerated() {
            let error = append(marker: request, to: partition, now: now, effects: &effects)
            results.append(ProduceResult(partition: partition, error: error, baseOffset: -1))
            guard error == .none, let index = replicaIndex(partition) else { continue }
            let required = replicas[index].log.endOffset
            guard replicas[index].log.highWatermark < required else { continue }
            if delayed < 0 {
                delayed = beginDelayedProduce(
                    .markers(destination, producerID: request.producer.id, isCommit: request.marker.isCommit),
                    deadline: now + settings.interBrokerRequestTimeout, effects: &effects)
            }
            wait(index, requiredOffset: required, slot: delayed, resultIndex: position)
        }
        if delayed >= 0 {
            delayedProduces[delayed].results = results
        } else {
            finishMarkers(
                results, destination, request.producer.id, isCommit: request.marker.isCommit, effects: &effects)
        }
    }

    private mutating func append(
        marker request: WriteTransactionMarkersRequest, to partition: PartitionID, now: Instant,
        effects: inout [NodeEffect]
    ) -> KafkaErrorCode {
        if hasStorageFailed { return .storageError }
        guard let index = replicaIndex(partition) else { return .unknownTopicOrPartition }
        guard replicas[index].isLeader else { return .notLeaderOrFollower }
        guard !replicas[index].isUnderMinimumISR else { return .notEnoughReplicas }
        let error = replicas[index].log.producers.decide(marker: request.marker, of: request.producer)
        guard error == .none else { return error }
        let batch = RecordBatch(
            .marker(request.marker), producer: request.producer, isTransactional: true,
            byteCount: RecordBatch.headerByteCount + 16, maximumTimestamp: now)
        append(batch, index, now: now, effects: &effects)
        return .none
    }

    /// Every marker of a request is replicated or refused.
    mutating func finishMarkers(
        _ results: [ProduceResult], _ destination: MarkerDestination, _ producerID: Int64, isCommit: Bool,
        effects: inout [NodeEffect]
    ) {
        for result in results where result.error == .none {
            guard let index = replicaIndex(result.partition), replicas[index].coordinator == .group else { continue }
            groups.endTransaction(of: producerID, in: result.partition, isCommit: isCommit)
        }
        let errors = results.map { PartitionError(partition: $0.partition, error: $0.error) }
        switch destination {
        case .remote(let handle): respond(handle, .writeTransactionMarkers(errors), effects: &effects)
        case .local(let token): directives.append(.markersWritten(token: token, errors))
        }
    }

    // MARK: Requests

    mutating func serveGroup(_ body: KafkaRequestBody, _ handle: ResponseHandle, now: Instant) {
        groups.serve(body, handle, now: now, directives: &directives)
    }

    mutating func serveTransaction(
        _ body: KafkaRequestBody, _ handle: ResponseHandle, now: Instant, effects: inout [NodeEffect]
    ) {
        switch body {
        case .initProducerID(let request):
            initProducerID(request, handle, now: now, effects: &effects)
        case .addPartitionsToTransaction(let request):
            transactions.addPartitions(request, handle, now: now, directives: &directives)
        case .addOffsetsToTransaction(let request):
            transactions.addOffsets(request, handle, now: now, directives: &directives)
        case .endTransaction(let request):
            transactions.end(request, handle, now: now, directives: &directives)
        default:
            preconditionFailure("not a request to a transaction coordinator: \(body)")
        }
    }

    private mutating func initProducerID(
        _ request: InitProducerIDRequest, _ handle: ResponseHandle, now: Instant, effects: inout [NodeEffect]
    ) {
        let needsID = request.transactionalID.map { transactions.needsProducerID($0) } ?? true
        if needsID, producerIDs.isEmpty {
            waitingForProducerIDs.append((handle, request))
            guard waitingForProducerIDs.count == 1 else { return }
            let body = KafkaRequestBody.allocateProducerIDs(broker: id, brokerEpoch: brokerEpoch)
            return ask(controller, .coordinator, body, .allocateProducerIDs, now: now, effects: &effects)
        }
        guard let transactionalID = request.transactionalID else {
            let identity = ProducerIdentity(id: producerIDs.removeFirstID(), epoch: 0)
            return respond(handle, .initProducerID(.none, identity), effects: &effects)
        }
        transactions.initialize(
            request, transactionalID, handle, producerIDs: &producerIDs, now: now, directives: &directives)
    }

    /// The controller's answer to a request for producer ids.
    mutating func received(
        producerIDsFrom first: Int64, count: Int64, _ error: KafkaErrorCode, now: Instant,
        effects: inout [NodeEffect]
    ) {
        let waiting = waitingForProducerIDs
        waitingForProducerIDs.removeAll()
        guard error == .none else {
            for (handle, _) in waiting {
                respond(handle, .initProducerID(.coordinatorLoadInProgress, .none), effects: &effects)
            }
            return
        }
        producerIDs = first..<(first + count)
        for (handle, request) in waiting { initProducerID(request, handle, now: now, effects: &effects) }
    }

    /// Where a group or transactional id has its coordinator. Creates the internal topic when it is asked for first.
    mutating func findCoordinator(
        _ kind: CoordinatorKind, _ key: String, _ handle: ResponseHandle, now: Instant,
        effects: inout [NodeEffect]
    ) {
        let name = kind == .group ? InternalTopic.consumerOffsets : InternalTopic.transactionState
        guard let topic = metadata.topic(named: name) else {
            create(internalTopic: name, kind, now: now, effects: &effects)
            return respond(handle, .findCoordinator(.coordinatorNotAvailable, .none), effects: &effects)
        }
        let number = CoordinatorPartition.number(of: key, of: topic.partitionCount)
        let leader = topic.partition(number).flatMap { metadata.partition($0)?.leader } ?? .none
        let error: KafkaErrorCode = leader == .none ? .coordinatorNotAvailable : .none
        respond(handle, .findCoordinator(error, leader), effects: &effects)
    }

    private mutating func create(
        internalTopic name: String, _ kind: CoordinatorKind, now: Instant, effects: inout [NodeEffect]
    ) {
        var configuration = TopicConfiguration()
        let factor = min(settings.internalTopicReplicationFactor, Int16(metadata.brokers.count))
        configuration.isCompacted = true
        configuration.minimumInSyncReplicas = min(settings.internalTopicMinimumInSyncReplicas, Int(factor))
        configuration.segmentByteLimit = settings.internalTopicSegmentByteLimit
        let count =
            kind == .group ? settings.offsetsTopicPartitionCount : settings.transactionTopicPartitionCount
        let request = CreateTopicRequest(
            name: name, partitionCount: count, replicationFactor: factor, configuration: configuration)
        ask(controller, .coordinator, .createTopic(request), .createInternalTopic(kind), now: now, effects: &effects)
    }

    mutating func createTopic(
        _ request: CreateTopicRequest, _ handle: ResponseHandle, now: Instant, effects: inout [NodeEffect]
    ) {
        forward(.createTopic(request), handle, now: now, effects: &effects)
    }

    /// Passes a client's request on to the controller (Envelope).
    mutating func forward(
        _ body: KafkaRequestBody, _ handle: ResponseHandle, now: Instant, effects: inout [NodeEffect]
    ) {
        ask(controller, .coordinator, body, .forwarded(handle), now: now, effects: &effects)
    }
}
