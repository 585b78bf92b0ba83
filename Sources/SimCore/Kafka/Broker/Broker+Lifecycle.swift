import Ports

/// Start, registration, heartbeats, shutdown and crash (BrokerLifecycleManager).
extension Broker {
    mutating func start(_ incarnation: Int64, now: Instant, effects: inout [NodeEffect]) {
        self.incarnation = incarnation
        isRunning = true
        for index in replicas.indices {
            replicas[index].log.recover(survivingEnd: replicas[index].log.endOffset)
        }
        maintenance.start(settings, now: now)
        registerAt = now
        sendToController(now: now, effects: &effects)
        arm(now + settings.cleanerInterval, effects: &effects)
    }

    /// The process is gone, and all that was only in memory with it.
    mutating func stop() {
        isRunning = false
        isFenced = true
        wantsShutdown = false
        brokerEpoch = -1
        metadata = ClusterMetadata()
        connections.removeAll()
        connectionSlots.removeAll()
        freeConnectionSlots.removeAll()
        scheduledFetches.removeAll()
        unmuted.removeAll()
        followerFetches.removeAll()
        delayedProduces.removeAll()
        freeDelayedProduces.removeAll()
        fetchers.removeAll()
        channels.removeAll()
        directives.removeAll()
        producerIDs = 0..<0
        waitingForProducerIDs.removeAll()
        pendingAlterations.removeAll()
        nextHeartbeatAt = nil
        registerAt = nil
        fetchMetadataAt = nil
        wakeUp = WakeUp()
        groups = GroupCoordinator(broker: id, settings: settings)
        transactions = TransactionCoordinator(broker: id, settings: settings)
        for index in replicas.indices {
            replicas[index].forgetAllButLog()
        }
    }

    /// The disk of a stopped broker lost a partition's records from `offset` on, as far as they were not flushed.
    ///
    /// Linear in what is lost.
    package mutating func loseUnflushedTail(of partition: PartitionID, from offset: Int64) {
        precondition(!isRunning, "a running broker loses nothing; stop it first")
        guard let index = replicaIndex(partition) else { return }
        replicas[index].log.recover(survivingEnd: offset)
    }

    /// A partition's data up to `offset` has reached the disk.
    package mutating func flushed(_ partition: PartitionID, upTo offset: Int64) {
        guard let index = replicaIndex(partition) else { return }
        replicas[index].log.flush(upTo: offset)
    }

    /// The disk of a stopped broker was replaced or repaired: storage works again.
    package mutating func repairStorage() { hasStorageFailed = false }

    /// Everything reaches the disk, and a marker that the controller will believe in.
    private mutating func stopCleanly(effects: inout [NodeEffect]) {
        for index in replicas.indices {
            replicas[index].log.flush(upTo: replicas[index].log.endOffset)
            replicas[index].log.checkpointedHighWatermark = replicas[index].log.highWatermark
        }
        cleanShutdownEpoch = brokerEpoch
        effects.append(.halt(isClean: true))
    }

    /// A broker whose only log directory fails answers with KAFKA_STORAGE_ERROR what it can, and ends.
    mutating func failStorage(now: Instant, effects: inout [NodeEffect]) {
        hasStorageFailed = true
        for index in replicas.indices { failWaitingProduces(index, .storageError, effects: &effects) }
        for slot in connections.indices {
            guard connections[slot].session.parked != nil, !connections[slot].session.isFollower else { continue }
            for entry in connections[slot].session.entries.indices { connections[slot].session.markReady(entry) }
            schedule(Int32(slot))
        }
        answerScheduledFetches(now: now, effects: &effects)
        effects.append(.halt(isClean: false))
    }

    /// Sends to the controller what is due: registration, heartbeat, the wait for news.
    mutating func sendToController(now: Instant, effects: inout [NodeEffect]) {
        if let at = registerAt { sendRegistration(dueAt: at, now: now, effects: &effects) }
        if let at = nextHeartbeatAt { sendHeartbeat(dueAt: at, now: now, effects: &effects) }
        if let at = fetchMetadataAt { sendMetadataFetch(dueAt: at, now: now, effects: &effects) }
    }

    private mutating func sendRegistration(dueAt at: Instant, now: Instant, effects: inout [NodeEffect]) {
        guard at <= now else { return arm(at, effects: &effects) }
        registerAt = nil
        let body = KafkaRequestBody.registerBroker(
            BrokerRegistrationRequest(
                broker: id, incarnation: incarnation, previousBrokerEpoch: cleanShutdownEpoch))
        ask(controller, .coordinator, body, .register, now: now, effects: &effects)
    }

    private mutating func sendHeartbeat(dueAt at: Instant, now: Instant, effects: inout [NodeEffect]) {
        guard at <= now else { return arm(at, effects: &effects) }
        nextHeartbeatAt = nil
        let body = KafkaRequestBody.brokerHeartbeat(
            BrokerHeartbeatRequest(
                broker: id, brokerEpoch: brokerEpoch, metadataVersion: metadata.version,
                wantsShutdown: wantsShutdown))
        ask(controller, .coordinator, body, .heartbeat, now: now, effects: &effects)
    }

    private mutating func sendMetadataFetch(dueAt at: Instant, now: Instant, effects: inout [NodeEffect]) {
        guard at <= now else { return arm(at, effects: &effects) }
        fetchMetadataAt = nil
        ask(
            controller, .data, .fetchMetadata(broker: id, version: metadata.version), .fetchMetadata, now: now,
            effects: &effects)
    }

    /// Sends a request to another node and sets the timer that misses its answer.
    mutating func ask(
        _ node: NodeID, _ channel: Channel, _ body: KafkaRequestBody, _ context: RequestContext, now: Instant,
        effects: inout [NodeEffect]
    ) {
        let deadline = now + settings.interBrokerRequestTimeout
        let request = channels.send(body, to: node, channel, context: context, deadline: deadline)
        effects.append(.request(to: node, channel, request))
        arm(deadline, effects: &effects)
    }

    mutating func registered(_ error: KafkaErrorCode, _ epoch: Int64, now: Instant) {
        guard error == .none else {
            // Until the session of its predecessor ends.
            registerAt = now + .seconds(1)
            return
        }
        brokerEpoch = epoch
        cleanShutdownEpoch = -1
        nextHeartbeatAt = now
        fetchMetadataAt = now
    }

    mutating func heard(_ response: BrokerHeartbeatResponse, now: Instant, effects: inout [NodeEffect]) {
        if response.error == .staleBrokerEpoch || response.error == .brokerIDNotRegistered {
            // Registered anew under another epoch, or the controller lost it: register again.
            registerAt = now
            return
        }
        isFenced = response.isFenced
        if wantsShutdown, response.mayShutDown { return stopCleanly(effects: &effects) }
        // While it is fenced or stopping, a broker hurries.
        let hurries = isFenced || wantsShutdown
        nextHeartbeatAt = now + (hurries ? .milliseconds(100) : settings.brokerHeartbeatInterval)
    }

    /// The answer of another node.
    mutating func handle(
        _ body: KafkaResponseBody, for context: RequestContext, now: Instant, effects: inout [NodeEffect]
    ) {
        switch (context, body) {
        case (.fetch(let leader, let partitions), .fetch(let error, let results)):
            fetched(results, error, from: leader, asked: partitions, now: now, effects: &effects)
        case (.epochEnds(let leader, _), .offsetsForLeaderEpoch(let results)):
            learned(results, from: leader, now: now)
        case (.register, .registerBroker(let error, let epoch)):
            registered(error, epoch, now: now)
        case (.heartbeat, .brokerHeartbeat(let response)):
            heard(response, now: now, effects: &effects)
        case (.fetchMetadata, .fetchMetadata(let newer)):
            if let newer, newer.version > metadata.version { apply(newer, now: now, effects: &effects) }
            fetchMetadataAt = now
        case (.alterPartitions(let partitions), .alterPartition(let error, let results)):
            altered(partitions, error, results, now: now, effects: &effects)
        case (.allocateProducerIDs, .allocateProducerIDs(let error, let first, let count)):
            received(producerIDsFrom: first, count: count, error, now: now, effects: &effects)
        case (.forwarded(let handle), _):
            respond(handle, body, effects: &effects)
        case (.createInternalTopic, _):
            break
        case (.markers(let token, _), .writeTransactionMarkers(let results)):
            transactions.markersWritten(token: token, results, now: now, directives: &directives)
        default:
            preconditionFailure("\(id) got an answer of another kind than it asked for: \(body)")
        }
    }

    /// There will be no answer: the connection failed.
    mutating func handleFailure(of context: RequestContext, now: Instant, effects: inout [NodeEffect]) {
        switch context {
        case .register:
            registerAt = now + settings.reconnectBackoffMaximum
        case .heartbeat:
            nextHeartbeatAt = now + .milliseconds(500)
        case .fetchMetadata:
            fetchMetadataAt = now + settings.reconnectBackoffMaximum
        case .fetch(let leader, _):
            fetchFailed(from: leader, now: now, effects: &effects)
        case .epochEnds(_, let partitions):
            for partition in partitions { delay(partition, now: now, effects: &effects) }
        case .alterPartitions(let partitions):
            alterationFailed(partitions)
        case .allocateProducerIDs:
            received(producerIDsFrom: 0, count: 0, .coordinatorNotAvailable, now: now, effects: &effects)
        case .forwarded(let handle):
            // The client does not learn whether the controller did it.
            forget(handle.connection)
            effects.append(.close(handle.connection))
        case .createInternalTopic:
            break
        case .markers(let token, let partitions):
            transactions.markersFailed(token: token, partitions, now: now, directives: &directives)
        }
    }
}
