import Ports

/// Accepted connections: one request of each at a time, answered in order (SocketServer).
extension Broker {
    mutating func accept(
        _ request: KafkaRequest, from connection: KafkaConnectionID, now: Instant, effects: inout [NodeEffect]
    ) {
        // Requests are read once the broker has the metadata it needs to answer them.
        guard brokerEpoch >= 0, metadata.version > 0 else {
            effects.append(.close(connection))
            return
        }
        let slot = connectionSlots[connection] ?? addConnection(connection)
        if connections[Int(slot)].isBusy {
            connections[Int(slot)].waiting.append(request)
        } else {
            begin(request, slot: slot, connection: connection, now: now, effects: &effects)
        }
    }

    private mutating func addConnection(_ connection: KafkaConnectionID) -> Int32 {
        let slot: Int32
        if let free = freeConnectionSlots.popLast() {
            slot = free
            connections[Int(slot)] = AcceptedConnection(id: connection)
        } else {
            slot = Int32(connections.count)
            connections.append(AcceptedConnection(id: connection))
        }
        connectionSlots[connection] = slot
        return slot
    }

    private mutating func begin(
        _ request: KafkaRequest, slot: Int32, connection: KafkaConnectionID, now: Instant, effects: inout [NodeEffect]
    ) {
        connections[Int(slot)].isBusy = true
        let handle = ResponseHandle(slot: slot, connection: connection, correlation: request.correlation)
        serve(request.body, handle, now: now, effects: &effects)
    }

    /// Answers a request. Nothing happens when its connection is gone.
    mutating func respond(_ handle: ResponseHandle, _ body: KafkaResponseBody, effects: inout [NodeEffect]) {
        guard release(handle) else { return }
        effects.append(
            .respond(to: handle.connection, KafkaResponse(correlation: handle.correlation, body: body)))
    }

    /// Lets the connection's next request be read. Returns whether the connection is still there.
    mutating func release(_ handle: ResponseHandle) -> Bool {
        let slot = Int(handle.slot)
        guard connections[slot].id == handle.connection else { return false }
        connections[slot].isBusy = false
        if !connections[slot].waiting.isEmpty { unmuted.append(handle.slot) }
        return true
    }

    mutating func readUnmuted(now: Instant, effects: inout [NodeEffect]) {
        while let slot = unmuted.popLast() {
            guard let connection = connections[Int(slot)].id, !connections[Int(slot)].isBusy,
                !connections[Int(slot)].waiting.isEmpty
            else { continue }
            let request = connections[Int(slot)].waiting.removeFirst()
            begin(request, slot: slot, connection: connection, now: now, effects: &effects)
        }
    }

    mutating func forget(_ connection: KafkaConnectionID) {
        guard let slot = connectionSlots.removeValue(forKey: connection) else { return }
        endSession(slot)
        connections[Int(slot)] = AcceptedConnection(id: nil)
        freeConnectionSlots.append(slot)
    }

    /// Dispatches a request.
    private mutating func serve(
        _ body: KafkaRequestBody, _ handle: ResponseHandle, now: Instant, effects: inout [NodeEffect]
    ) {
        switch body {
        case .produce(let request):
            produce(request, handle, now: now, effects: &effects)
        case .fetch(let request):
            fetch(request, handle, now: now, effects: &effects)
        case .metadata:
            respond(handle, .metadata(metadata), effects: &effects)
        case .listOffsets(let entries):
            respond(handle, .listOffsets(entries.map { listOffset($0) }), effects: &effects)
        case .offsetsForLeaderEpoch(let queries):
            respond(handle, .offsetsForLeaderEpoch(queries.map { epochEnd($0) }), effects: &effects)
        case .findCoordinator(let kind, let key):
            findCoordinator(kind, key, handle, now: now, effects: &effects)
        case .createTopic(let request):
            createTopic(request, handle, now: now, effects: &effects)
        case .electLeader:
            forward(body, handle, now: now, effects: &effects)
        case .writeTransactionMarkers(let request):
            writeMarkers(request, handle, now: now, effects: &effects)
        case .joinGroup, .syncGroup, .heartbeat, .leaveGroup, .offsetCommit, .offsetFetch,
            .transactionalOffsetCommit:
            serveGroup(body, handle, now: now)
        case .initProducerID, .addPartitionsToTransaction, .addOffsetsToTransaction, .endTransaction:
            serveTransaction(body, handle, now: now, effects: &effects)
        case .registerBroker, .brokerHeartbeat, .fetchMetadata, .alterPartition, .allocateProducerIDs:
            preconditionFailure("a broker does not serve the controller's requests: \(body)")
        }
    }
}
