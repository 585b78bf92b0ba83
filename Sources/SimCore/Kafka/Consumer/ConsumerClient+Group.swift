package import Ports

/// Finding the coordinator, joining, heartbeats, leaving.
extension ConsumerClient {
    mutating func driveMembership(now: Instant, effects: inout [ClientEffect]) {
        guard needsCoordinator else { return }
        ensureMembershipForManualGroup(now: now)
        if let at = membership!.retryAt {
            guard at <= now else { return network.arm(at, effects: &effects) }
            membership!.retryAt = nil
        }
        guard let coordinator = membership!.coordinator else { return findCoordinator(now: now, effects: &effects) }
        guard poll != nil, callback == nil, membership!.needsRejoin, membership!.isPrepared, !isFatal,
            !membership!.hasLostPartitions
        else { return }
        switch membership!.state {
        case .unjoined, .stable: join(coordinator, now: now, effects: &effects)
        case .joining, .assigned: break
        }
    }

    private var needsCoordinator: Bool {
        if let membership, !membership.topics.isEmpty { return closing == nil || membership.generation >= 0 }
        return settings.groupID != nil && !waitingCalls.isEmpty
    }

    /// A consumer that is assigned by hand may still commit in a group's name.
    private mutating func ensureMembershipForManualGroup(now: Instant) {
        guard membership == nil, let group = settings.groupID else { return }
        membership = GroupMembership(group: group, topics: [], now: now)
        membership!.needsRejoin = false
    }

    private mutating func findCoordinator(now: Instant, effects: inout [ClientEffect]) {
        guard !membership!.isFindingCoordinator else { return }
        guard let node = network.bootstrap.first(where: { network.isReady($0, .metadata, now: now, effects: &effects) })
        else { return }
        membership!.isFindingCoordinator = true
        network.send(
            .findCoordinator(.group, key: membership!.group), to: node, .metadata, .findCoordinator, now: now,
            effects: &effects)
    }

    private mutating func join(_ coordinator: NodeID, now: Instant, effects: inout [ClientEffect]) {
        guard network.isReady(coordinator, .coordinator, now: now, effects: &effects) else { return }
        membership!.state = .joining
        membership!.needsRejoin = false
        let isCooperative = settings.assignmentStrategy == .cooperativeSticky
        let request = JoinGroupRequest(
            group: membership!.group, memberID: membership!.memberID, instanceID: settings.groupInstanceID,
            clientID: settings.clientID, sessionTimeout: settings.sessionTimeout,
            rebalanceTimeout: settings.maximumPollInterval, protocols: [settings.assignmentStrategy],
            subscription: MemberSubscription(
                topics: membership!.topics, owned: isCooperative ? partitions.map(\.id) : [],
                generation: isCooperative ? membership!.generation : -1))
        // The answer comes when everybody has joined (AbstractCoordinator: rebalance timeout and a little more).
        network.send(
            .joinGroup(request), to: coordinator, .coordinator, .join, now: now,
            timeout: max(network.settings.requestTimeout, settings.maximumPollInterval + .seconds(5)),
            effects: &effects)
    }

    mutating func joined(_ response: JoinGroupResponse, now: Instant, effects: inout [ClientEffect]) {
        guard case .joining = membership?.state else { return }
        switch response.error {
        case .none:
            membership!.memberID = response.memberID
            membership!.generation = response.generation
            membership!.lastHeartbeatAt = now
            membership!.isLeader = response.leader == response.memberID
            sync(response, now: now, effects: &effects)
        case .memberIDRequired:
            membership!.memberID = response.memberID
            rejoin(after: nil, now: now)
        case .unknownMemberID:
            membership!.reset()
            membership!.isPrepared = partitions.isEmpty
        case .fencedInstanceID:
            fail(.fencedInstanceID, "another consumer uses group.instance.id \(settings.groupInstanceID ?? "?")")
        case .notCoordinator, .coordinatorNotAvailable:
            membership!.coordinator = nil
            rejoin(after: network.settings.retryBackoff, now: now)
        case .rebalanceInProgress, .coordinatorLoadInProgress, .illegalGeneration:
            rejoin(after: network.settings.retryBackoff, now: now)
        default:
            fail(response.error, "group \(membership!.group) refused this member")
        }
    }

    private mutating func rejoin(after backoff: Nanoseconds?, now: Instant) {
        membership!.state = .unjoined
        membership!.needsRejoin = true
        membership!.isPrepared = true
        membership!.retryAt = backoff.map { now + $0 }
    }

    private mutating func fail(_ error: KafkaErrorCode, _ message: String) {
        isFatal = true
        membership?.state = .unjoined
        membership?.nextHeartbeatAt = nil
        membership?.generation = -1
        pollError = EventLogError(error, message, outcome: .noEffect, isFatal: true)
    }

    private mutating func sync(_ response: JoinGroupResponse, now: Instant, effects: inout [ClientEffect]) {
        guard let coordinator = membership!.coordinator else { return rejoin(after: nil, now: now) }
        var assignments: [MemberAssignment] = []
        if membership!.isLeader, !response.skipsAssignment, let strategy = response.protocolName {
            assignments = PartitionAssignor.assign(strategy, response.members, network.metadata)
            membership!.assignedPartitionCounts = subscribedPartitionCounts
        }
        let request = SyncGroupRequest(
            group: membership!.group, memberID: membership!.memberID, instanceID: settings.groupInstanceID,
            generation: membership!.generation, assignments: assignments)
        network.send(
            .syncGroup(request), to: coordinator, .coordinator, .sync, now: now,
            timeout: max(network.settings.requestTimeout, settings.maximumPollInterval + .seconds(5)),
            effects: &effects)
    }

    mutating func synced(
        _ error: KafkaErrorCode, _ assigned: [PartitionID], now: Instant, effects: inout [ClientEffect]
    ) {
        guard case .joining = membership?.state else { return }
        switch error {
        case .none:
            membership!.state = .assigned(assigned)
            membership!.lastGeneration = (membership!.memberID, membership!.generation)
            membership!.isPrepared = false
            membership!.lastHeartbeatAt = now
            membership!.nextHeartbeatAt = now + settings.heartbeatInterval
            network.arm(now + settings.heartbeatInterval, effects: &effects)
            network.arm(membership!.lastPollAt + settings.maximumPollInterval, effects: &effects)
        case .fencedInstanceID:
            fail(error, "another consumer uses group.instance.id \(settings.groupInstanceID ?? "?")")
        case .unknownMemberID, .illegalGeneration:
            membership!.reset(keepsMemberID: error == .illegalGeneration)
        case .notCoordinator, .coordinatorNotAvailable:
            membership!.coordinator = nil
            rejoin(after: network.settings.retryBackoff, now: now)
        default:
            rejoin(after: error == .rebalanceInProgress ? nil : network.settings.retryBackoff, now: now)
        }
    }

    // MARK: Heartbeats

    mutating func beat(now: Instant, effects: inout [ClientEffect]) {
        guard let at = membership?.nextHeartbeatAt, at <= now, !membership!.isHeartbeatInFlight,
            membership!.isInGeneration, let coordinator = membership!.coordinator
        else { return }
        membership!.nextHeartbeatAt = now + settings.heartbeatInterval
        guard network.isReady(coordinator, .coordinator, now: now, effects: &effects) else { return }
        membership!.isHeartbeatInFlight = true
        let request = HeartbeatRequest(
            group: membership!.group, memberID: membership!.memberID, instanceID: settings.groupInstanceID,
            generation: membership!.generation)
        network.send(.heartbeat(request), to: coordinator, .coordinator, .heartbeat, now: now, effects: &effects)
    }

    mutating func heard(_ error: KafkaErrorCode, now: Instant) {
        membership?.isHeartbeatInFlight = false
        guard membership?.isInGeneration == true else { return }
        switch error {
        case .none:
            membership!.lastHeartbeatAt = now
        case .rebalanceInProgress:
            membership!.lastHeartbeatAt = now
            if !membership!.needsRejoin {
                membership!.needsRejoin = true
                membership!.isPrepared = false
            }
        case .illegalGeneration, .unknownMemberID:
            membership!.reset(keepsMemberID: error == .illegalGeneration)
        case .fencedInstanceID:
            fail(error, "another consumer uses group.instance.id \(settings.groupInstanceID ?? "?")")
        default:
            membership!.coordinator = nil
            membership!.retryAt = now + network.settings.retryBackoff
        }
    }

    /// The background's watch: heartbeats, the session, and the time since the last poll.
    mutating func watchMembership(now: Instant, effects: inout [ClientEffect]) {
        guard let current = membership, current.generation >= 0 else { return }
        if poll == nil, now - current.lastPollAt >= settings.maximumPollInterval {
            // The application is stuck: leave, so that others get its partitions.
            if settings.groupInstanceID == nil { sendLeave(now: now, effects: &effects) }
            membership!.reset()
            return
        }
        if now - current.lastHeartbeatAt >= settings.sessionTimeout, current.coordinator != nil {
            // Without an answer for a session, the coordinator may be gone: look for it anew.
            membership!.coordinator = nil
            membership!.lastHeartbeatAt = now
        }
        beat(now: now, effects: &effects)
    }

    // MARK: Leaving

    /// Leaves the group; completes when the group knows, or cannot be reached.
    package mutating func close(call: CallID, now: Instant, effects: inout [ClientEffect]) {
        closing = call
        if let poll {
            self.poll = nil
            effects.append(.complete(poll.call, .polled([])))
        }
        for waiting in waitingCalls {
            effects.append(.complete(waiting.call, .failed(.refused("the consumer was closed"))))
        }
        waitingCalls.removeAll()
        if membership != nil, !partitions.isEmpty, !isFatal {
            let isOwner = membership!.generation >= 0
            callback = .closing
            effects.append(
                .callback(isOwner ? .revoked : .lost, partitions.map(\.topicPartition).sorted()))
            return
        }
        leave(now: now, effects: &effects)
    }

    mutating func leave(now: Instant, effects: inout [ClientEffect]) {
        partitions.removeAll()
        guard let membership, membership.generation >= 0, settings.groupInstanceID == nil,
            sendLeave(now: now, effects: &effects)
        else { return finishClosing(effects: &effects) }
        self.membership!.generation = -1
        self.membership!.nextHeartbeatAt = nil
        isLeaving = true
    }

    @discardableResult
    private mutating func sendLeave(now: Instant, effects: inout [ClientEffect]) -> Bool {
        guard let membership, let coordinator = membership.coordinator,
            network.isReady(coordinator, .coordinator, now: now, effects: &effects)
        else { return false }
        let request = LeaveGroupRequest(group: membership.group, memberID: membership.memberID, instanceID: nil)
        network.send(.leaveGroup(request), to: coordinator, .coordinator, .leave, now: now, effects: &effects)
        return true
    }

    mutating func finishClosing(effects: inout [ClientEffect]) {
        isLeaving = false
        isFatal = true
        guard let call = closing else { return }
        closing = nil
        effects.append(.complete(call, .done))
    }
}
