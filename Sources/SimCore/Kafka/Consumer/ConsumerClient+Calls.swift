package import Ports

/// Commits, and what the answers to a consumer's requests mean.
extension ConsumerClient {
    /// Commits offsets for the group and waits for the answer.
    package mutating func commit(
        _ offsets: [CommittedOffset], call: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        guard settings.groupID != nil else {
            let error = EventLogError(.invalidGroupID, "committing needs a group id", outcome: .noEffect)
            effects.append(.complete(call, .failed(error)))
            return
        }
        if isFatal, let pollError {
            effects.append(.complete(call, .failed(pollError)))
            return
        }
        if let membership, !membership.topics.isEmpty, !membership.isInGeneration {
            // Not part of any generation: joining, or dropped from the group (CommitFailedException).
            let isJoining = if case .joining = membership.state { true } else { false }
            return failCommit(call, isJoining ? .rebalanceInProgress : .unknownMemberID, effects: &effects)
        }
        wait(call, .commit(offsets), now: now, effects: &effects)
    }

    /// The group's committed offsets of these partitions.
    package mutating func committed(
        _ names: [TopicPartition], call: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        guard settings.groupID != nil else {
            let error = EventLogError(.invalidGroupID, "committed offsets need a group id", outcome: .noEffect)
            effects.append(.complete(call, .failed(error)))
            return
        }
        wait(call, .committed(names), now: now, effects: &effects)
    }

    private mutating func wait(
        _ call: CallID, _ kind: WaitingCall.Kind, now: Instant, effects: inout [ClientEffect]
    ) {
        let deadline = now + network.settings.callTimeout
        waitingCalls.append(WaitingCall(call: call, kind: kind, deadline: deadline))
        network.arm(deadline, effects: &effects)
        settle(now: now, effects: &effects)
    }

    private func failCommit(_ call: CallID, _ error: KafkaErrorCode, effects: inout [ClientEffect]) {
        let reason =
            switch error {
            case .rebalanceInProgress: "the group is rebalancing; poll, then commit what is still owned"
            case .fencedInstanceID: "another consumer uses this group.instance.id"
            default: "this member is not part of the group's generation; its partitions may have another owner"
            }
        let failure = EventLogError(
            error, "the commit was refused: \(reason)", outcome: .noEffect, isFatal: error == .fencedInstanceID)
        effects.append(.complete(call, .failed(failure)))
    }

    /// Sends the calls that wait for the coordinator.
    mutating func driveCalls(now: Instant, effects: inout [ClientEffect]) {
        guard !waitingCalls.isEmpty, let membership, let coordinator = membership.coordinator,
            membership.retryAt.map({ $0 <= now }) ?? true,
            network.isReady(coordinator, .coordinator, now: now, effects: &effects)
        else { return }
        let calls = waitingCalls
        waitingCalls.removeAll()
        for waiting in calls {
            switch waiting.kind {
            case .commit(let offsets):
                send(commit: offsets, waiting, to: coordinator, now: now, effects: &effects)
            case .committed(let names):
                let request = OffsetFetchRequest(
                    group: membership.group, partitions: names.compactMap { network.metadata.partitionID($0) },
                    requiresStable: true)
                pendingCalls.append((waiting.call, waiting.deadline))
                network.send(
                    .offsetFetch(request), to: coordinator, .coordinator, .committed(call: waiting.call, names),
                    now: now, effects: &effects)
            }
        }
    }

    private mutating func send(
        commit offsets: [CommittedOffset], _ waiting: WaitingCall, to coordinator: NodeID, now: Instant,
        effects: inout [ClientEffect]
    ) {
        var positions: [PartitionOffset] = []
        for offset in offsets {
            guard let id = network.metadata.partitionID(offset.topicPartition) else {
                let error = EventLogError(
                    .unknownTopicOrPartition, "there is no partition \(offset.topicPartition)", outcome: .noEffect)
                effects.append(.complete(waiting.call, .failed(error)))
                return
            }
            positions.append(PartitionOffset(partition: id, offset: offset.offset))
        }
        let isMember = membership!.isInGeneration
        let request = OffsetCommitRequest(
            group: membership!.group, memberID: isMember ? membership!.memberID : "",
            instanceID: isMember ? settings.groupInstanceID : nil,
            generation: isMember ? membership!.generation : -1, offsets: positions)
        pendingCalls.append((waiting.call, waiting.deadline))
        network.send(
            .offsetCommit(request), to: coordinator, .coordinator, .commit(call: waiting.call, request), now: now,
            effects: &effects)
    }

    // MARK: Answers

    mutating func answered(
        _ context: RequestContext, _ body: KafkaResponseBody, now: Instant, effects: inout [ClientEffect]
    ) {
        switch (context, body) {
        case (.fetch(let node), .fetch(let error, let results)):
            fetched(results, error, from: node, now: now)
        case (.heartbeat, .heartbeat(let error)):
            heard(error, now: now)
        case (.commit(let call, let request), .offsetCommit(let errors)):
            let error = errors.first { $0.error != .none }?.error ?? .none
            committed(call, request, error, now: now, effects: &effects)
        case (.findCoordinator, .findCoordinator(let error, let node)):
            membership?.isFindingCoordinator = false
            if error == .none {
                membership?.coordinator = node
            } else {
                membership?.retryAt = now + network.settings.retryBackoff
            }
        case (.join, .joinGroup(let response)):
            joined(response, now: now, effects: &effects)
        case (.sync, .syncGroup(let error, let assigned)):
            synced(error, assigned, now: now, effects: &effects)
        case (.leave, .leaveGroup):
            if isLeaving { finishClosing(effects: &effects) }
        case (.positions(let asked), .offsetFetch(let error, let offsets)):
            positionsFetched(asked, offsets, error, now: now)
        case (.committed(let call, let names), .offsetFetch(let error, let offsets)):
            fetchedCommitted(call, names, offsets, error, now: now, effects: &effects)
        case (.listOffsets, .listOffsets(let results)):
            offsetsListed(results, now: now)
        default:
            preconditionFailure("an answer of another kind than was asked for: \(body)")
        }
    }

    mutating func failed(
        _ context: RequestContext, _ error: KafkaErrorCode, now: Instant, effects: inout [ClientEffect]
    ) {
        switch context {
        case .fetch(let node):
            fetchFailed(from: node)
        case .findCoordinator:
            membership?.isFindingCoordinator = false
            membership?.retryAt = now + network.settings.retryBackoff
        case .positions(let asked), .listOffsets(let asked):
            offsetRequestFailed(asked, now: now)
        case .heartbeat:
            membership?.isHeartbeatInFlight = false
            loseCoordinator(now: now)
        case .join, .sync:
            loseCoordinator(now: now)
            guard case .joining = membership?.state else { return }
            membership!.state = .unjoined
            membership!.needsRejoin = true
            membership!.isPrepared = true
        case .leave:
            if isLeaving { finishClosing(effects: &effects) }
        case .commit(let call, let request):
            loseCoordinator(now: now)
            retry(call, .commit(named(request.offsets)), now: now)
        case .committed(let call, let names):
            loseCoordinator(now: now)
            retry(call, .committed(names), now: now)
        }
    }

    private func named(_ offsets: [PartitionOffset]) -> [CommittedOffset] {
        offsets.map { CommittedOffset(network.metadata.topicPartition($0.partition), $0.offset) }
    }

    private mutating func loseCoordinator(now: Instant) {
        membership?.coordinator = nil
        membership?.retryAt = now + network.settings.retryBackoff
    }

    private mutating func takePending(_ call: CallID) -> Instant? {
        guard let index = pendingCalls.firstIndex(where: { $0.call == call }) else { return nil }
        return pendingCalls.remove(at: index).deadline
    }

    /// Tries a call again, as long as its time is not over.
    private mutating func retry(_ call: CallID, _ kind: WaitingCall.Kind, now: Instant) {
        guard let deadline = takePending(call) else { return }
        waitingCalls.append(WaitingCall(call: call, kind: kind, deadline: deadline))
    }

    private mutating func committed(
        _ call: CallID, _ request: OffsetCommitRequest, _ error: KafkaErrorCode, now: Instant,
        effects: inout [ClientEffect]
    ) {
        switch error {
        case .none:
            guard takePending(call) != nil else { return }
            effects.append(.complete(call, .done))
        case .notCoordinator, .coordinatorNotAvailable, .requestTimedOut:
            loseCoordinator(now: now)
            retry(call, .commit(named(request.offsets)), now: now)
        case .coordinatorLoadInProgress, .unknownTopicOrPartition:
            membership?.retryAt = now + network.settings.retryBackoff
            retry(call, .commit(named(request.offsets)), now: now)
        case .rebalanceInProgress:
            guard takePending(call) != nil else { return }
            if membership?.needsRejoin == false {
                membership!.needsRejoin = true
                membership!.isPrepared = false
            }
            failCommit(call, error, effects: &effects)
        case .unknownMemberID, .illegalGeneration:
            guard takePending(call) != nil else { return }
            if membership?.isInGeneration == true, membership!.generation == request.generation {
                membership!.reset(keepsMemberID: error == .illegalGeneration)
            }
            failCommit(call, error, effects: &effects)
        default:
            guard takePending(call) != nil else { return }
            failCommit(call, error, effects: &effects)
        }
    }

    private mutating func fetchedCommitted(
        _ call: CallID, _ names: [TopicPartition], _ offsets: [PartitionOffset], _ error: KafkaErrorCode, now: Instant,
        effects: inout [ClientEffect]
    ) {
        guard error == .none else {
            if error == .notCoordinator || error == .coordinatorNotAvailable { membership?.coordinator = nil }
            membership?.retryAt = now + network.settings.retryBackoff
            return retry(call, .committed(names), now: now)
        }
        guard takePending(call) != nil else { return }
        effects.append(.complete(call, .offsets(named(offsets))))
    }

    /// What is overdue: the background's watch, and calls that waited too long.
    mutating func expire(now: Instant, effects: inout [ClientEffect]) {
        watchMembership(now: now, effects: &effects)
        let overdue =
            waitingCalls.filter { $0.deadline <= now }.map(\.call)
            + pendingCalls.filter { $0.deadline <= now }.map(\.call)
        waitingCalls.removeAll { $0.deadline <= now }
        pendingCalls.removeAll { $0.deadline <= now }
        for call in overdue {
            let error = EventLogError(
                .requestTimedOutLocally,
                "the coordinator of group \(settings.groupID ?? "?") did not answer within \(network.settings.callTimeout)",
                outcome: .unknown)
            effects.append(.complete(call, .failed(error)))
        }
    }
}
