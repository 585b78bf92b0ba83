package import Ports

/// Creates topics and looks at topics, logs and groups (KafkaAdminClient).
///
/// Each call is tried again until it has an answer that is worth one, or its time is over.
package struct AdministrationClient: ~Copyable, Sendable {
    enum Operation: Sendable {
        case createTopic(TopicSpecification)
        case partitionCount(String)
        case logOffsets(TopicPartition)
        case committedOffsets(group: String)
        case electLeader(TopicPartition, ElectionKind)
    }

    struct Call: Sendable {
        let id: CallID
        let operation: Operation
        let deadline: Instant
        var isInFlight = false
        var retryAt: Instant?
        /// Found for a group.
        var coordinator: NodeID?
        var earliest: Int64?
        /// A request may have taken effect without an answer.
        var isInDoubt = false
        var lastError: KafkaErrorCode = .none
    }

    var network: ClientNetwork<CallID>
    private var calls: [Call] = []
    private var nextNode = 0

    package init(bootstrap: [NodeID], network: ClientNetworkSettings = ClientNetworkSettings()) {
        self.network = ClientNetwork(bootstrap: bootstrap, settings: network)
    }

    // MARK: Calls

    package mutating func createTopic(
        _ specification: TopicSpecification, call: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        begin(.createTopic(specification), call, now: now, effects: &effects)
    }

    package mutating func partitionCount(
        of topic: String, call: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        network.requestMetadata()
        begin(.partitionCount(topic), call, now: now, effects: &effects)
    }

    package mutating func logOffsets(
        of partition: TopicPartition, call: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        begin(.logOffsets(partition), call, now: now, effects: &effects)
    }

    package mutating func committedOffsets(
        ofGroup group: String, call: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        begin(.committedOffsets(group: group), call, now: now, effects: &effects)
    }

    package mutating func electLeader(
        of partition: TopicPartition, _ kind: ElectionKind, call: CallID, now: Instant,
        effects: inout [ClientEffect]
    ) {
        begin(.electLeader(partition, kind), call, now: now, effects: &effects)
    }

    private mutating func begin(
        _ operation: Operation, _ id: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        let deadline = now + network.settings.callTimeout
        calls.append(Call(id: id, operation: operation, deadline: deadline))
        network.arm(deadline, effects: &effects)
        settle(now: now, effects: &effects)
    }

    // MARK: Events

    package mutating func handle(_ event: ClientEvent, now: Instant, effects: inout [ClientEffect]) {
        for incoming in network.handle(event, now: now, effects: &effects) {
            switch incoming {
            case .none: break
            case .metadataChanged: answerPartitionCounts(effects: &effects)
            case .answered(let id, let body): answered(id, body, now: now, effects: &effects)
            case .failed(let ids, let error):
                for id in ids {
                    retry(id, error, now: now) { call in
                        call.coordinator = nil
                        call.isInDoubt = true
                    }
                }
            }
        }
        let isTimer = if case .timerFired = event { true } else { false }
        if isTimer { expire(now: now, effects: &effects) }
        settle(now: now, effects: &effects)
        if isTimer {
            var earliest = EarliestDeadline(after: now)
            for call in calls {
                earliest.consider(call.deadline)
                earliest.consider(call.retryAt)
            }
            network.rearm(earliest, effects: &effects)
        }
    }

    private mutating func settle(now: Instant, effects: inout [ClientEffect]) {
        for index in calls.indices where !calls[index].isInFlight {
            if let at = calls[index].retryAt {
                guard at <= now else {
                    network.arm(at, effects: &effects)
                    continue
                }
                calls[index].retryAt = nil
            }
            send(index, now: now, effects: &effects)
        }
        network.settle(now: now, effects: &effects)
    }

    private mutating func send(_ index: Int, now: Instant, effects: inout [ClientEffect]) {
        switch calls[index].operation {
        case .createTopic(let specification):
            let request = CreateTopicRequest(
                name: specification.name, partitionCount: specification.partitionCount,
                replicationFactor: specification.replicationFactor,
                configuration: TopicConfiguration(specification))
            sendToAny(index, .createTopic(request), now: now, effects: &effects)
        case .partitionCount:
            break
        case .logOffsets(let name):
            sendToLeader(index, name, now: now, effects: &effects)
        case .committedOffsets(let group):
            guard let coordinator = calls[index].coordinator else {
                return sendToAny(index, .findCoordinator(.group, key: group), now: now, effects: &effects)
            }
            let request = OffsetFetchRequest(group: group, partitions: nil, requiresStable: false)
            send(index, .offsetFetch(request), to: coordinator, now: now, effects: &effects)
        case .electLeader(let name, let kind):
            guard let id = network.metadata.partitionID(name) else { return network.requestMetadata() }
            sendToAny(index, .electLeader(id, kind), now: now, effects: &effects)
        }
    }

    private mutating func sendToLeader(
        _ index: Int, _ name: TopicPartition, now: Instant, effects: inout [ClientEffect]
    ) {
        guard let id = network.metadata.partitionID(name), let image = network.metadata.partition(id),
            image.leader != .none
        else { return network.requestMetadata() }
        let specification: OffsetSpecification =
            calls[index].earliest == nil ? .earliest : .latest(isReadCommitted: false)
        let entry = ListOffsetsEntry(
            partition: id, specification: specification, currentLeaderEpoch: image.leaderEpoch)
        send(index, .listOffsets([entry]), to: image.leader, now: now, effects: &effects)
    }

    private mutating func sendToAny(
        _ index: Int, _ body: KafkaRequestBody, now: Instant, effects: inout [ClientEffect]
    ) {
        for _ in network.bootstrap.indices {
            let node = network.bootstrap[nextNode % network.bootstrap.count]
            if network.isReady(node, .coordinator, now: now, effects: &effects) {
                return send(index, body, to: node, now: now, effects: &effects)
            }
            nextNode += 1
        }
    }

    private mutating func send(
        _ index: Int, _ body: KafkaRequestBody, to node: NodeID, now: Instant, effects: inout [ClientEffect]
    ) {
        guard network.isReady(node, .coordinator, now: now, effects: &effects) else { return }
        calls[index].isInFlight = true
        network.send(body, to: node, .coordinator, calls[index].id, now: now, effects: &effects)
    }

    // MARK: Answers

    private mutating func answered(
        _ id: CallID, _ body: KafkaResponseBody, now: Instant, effects: inout [ClientEffect]
    ) {
        guard let index = calls.firstIndex(where: { $0.id == id }) else { return }
        calls[index].isInFlight = false
        switch body {
        case .createTopic(let error):
            // After a request without an answer, the topic may be this call's own.
            let isOwn = error == .topicAlreadyExists && calls[index].isInDoubt
            conclude(index, isOwn ? .none : error, .done, now: now, effects: &effects)
        case .electLeader(let error):
            conclude(index, error, .done, now: now, effects: &effects)
        case .findCoordinator(let error, let node):
            if error == .none { calls[index].coordinator = node } else { retry(id, error, now: now) { _ in } }
        case .offsetFetch(_, let offsets) where offsets.contains { network.metadata.partition($0.partition) == nil }:
            // The group knows partitions that this client has not heard of yet.
            network.requestMetadata()
            retry(id, .unknownTopicOrPartition, now: now) { _ in }
        case .offsetFetch(let error, let offsets):
            let named = offsets.map {
                CommittedOffset(network.metadata.topicPartition($0.partition), $0.offset)
            }
            if error.isRetriable { calls[index].coordinator = nil }
            conclude(
                index, error, .offsets(named.sorted { $0.topicPartition < $1.topicPartition }), now: now,
                effects: &effects)
        case .listOffsets(let results):
            listed(index, results[0], now: now, effects: &effects)
        default:
            preconditionFailure("an answer of another kind than was asked for: \(body)")
        }
    }

    private mutating func listed(
        _ index: Int, _ result: ListOffsetsResult, now: Instant, effects: inout [ClientEffect]
    ) {
        guard result.error == .none else {
            network.requestMetadata()
            return conclude(index, result.error, .done, now: now, effects: &effects)
        }
        guard let earliest = calls[index].earliest else {
            calls[index].earliest = result.offset
            return
        }
        let offsets = LogOffsets(earliest: earliest, latest: result.offset)
        conclude(index, .none, .logOffsets(offsets), now: now, effects: &effects)
    }

    private mutating func conclude(
        _ index: Int, _ error: KafkaErrorCode, _ result: ClientResult, now: Instant, effects: inout [ClientEffect]
    ) {
        let call = calls[index]
        if error.isRetriable {
            return retry(call.id, error, now: now) { _ in }
        }
        calls.remove(at: index)
        guard error != .none else {
            effects.append(.complete(call.id, result))
            return
        }
        let failure = EventLogError(error, "\(call.operation) was refused", outcome: .noEffect)
        effects.append(.complete(call.id, .failed(failure)))
    }

    private mutating func retry(
        _ id: CallID, _ error: KafkaErrorCode, now: Instant, _ change: (inout Call) -> Void
    ) {
        guard let index = calls.firstIndex(where: { $0.id == id }) else { return }
        calls[index].isInFlight = false
        calls[index].lastError = error
        calls[index].retryAt = now + network.settings.retryBackoff
        nextNode += 1
        change(&calls[index])
    }

    private mutating func answerPartitionCounts(effects: inout [ClientEffect]) {
        var answered: [CallID] = []
        for call in calls {
            guard case .partitionCount(let topic) = call.operation else { continue }
            answered.append(call.id)
            effects.append(
                .complete(call.id, .partitionCount(network.metadata.topic(named: topic)?.partitionCount)))
        }
        calls.removeAll { answered.contains($0.id) }
    }

    private mutating func expire(now: Instant, effects: inout [ClientEffect]) {
        for call in calls where call.deadline <= now {
            let error = EventLogError(
                .requestTimedOutLocally,
                "no answer to \(call.operation) within \(network.settings.callTimeout); the last error was \(call.lastError)",
                outcome: .unknown)
            effects.append(.complete(call.id, .failed(error)))
        }
        calls.removeAll { $0.deadline <= now }
    }
}
