import Ports

/// The course of a rebalance: waiting for the members, a new generation, waiting for the assignment.
extension GroupCoordinator {
    /// Starts a rebalance: everybody has to join again.
    mutating func prepareRebalance(_ index: Int, now: Instant, directives: inout [CoordinatorDirective]) {
        if groups[index].state == .completingRebalance {
            failSyncs(index, .rebalanceInProgress, directives: &directives)
        }
        let wasEmpty = groups[index].state == .empty
        groups[index].syncDeadline = nil
        groups[index].isStoringAssignment = false
        let timeout = groups[index].rebalanceTimeout
        if wasEmpty {
            // Others are likely to start at the same time: wait for them once (group.initial.rebalance.delay.ms).
            let delay = min(settings.groupInitialRebalanceDelay, timeout)
            groups[index].initialDelayRemaining = timeout - delay
            groups[index].joinDeadline = now + delay
        } else {
            groups[index].initialDelayRemaining = nil
            groups[index].joinDeadline = now + timeout
        }
        groups[index].hasNewMember = false
        groups[index].move(to: .preparingRebalance, now: now)
        directives.append(.wakeUp(at: groups[index].joinDeadline!))
        tryCompleteJoin(index, now: now, directives: &directives)
    }

    /// The rebalance goes on as soon as every member has joined.
    mutating func tryCompleteJoin(_ index: Int, now: Instant, directives: inout [CoordinatorDirective]) {
        let group = groups[index]
        guard group.state == .preparingRebalance, group.initialDelayRemaining == nil, group.pendingMembers.isEmpty,
            group.members.allSatisfy({ $0.awaitingJoin != nil })
        else { return }
        completeJoin(index, now: now, directives: &directives)
    }

    mutating func joinTimeIsOver(_ index: Int, now: Instant, directives: inout [CoordinatorDirective]) {
        if let remaining = groups[index].initialDelayRemaining, groups[index].hasNewMember, remaining > .zero {
            let delay = min(settings.groupInitialRebalanceDelay, remaining)
            groups[index].hasNewMember = false
            groups[index].initialDelayRemaining = remaining - delay
            groups[index].joinDeadline = now + delay
            directives.append(.wakeUp(at: now + delay))
            return
        }
        completeJoin(index, now: now, directives: &directives)
    }

    private mutating func completeJoin(_ index: Int, now: Instant, directives: inout [CoordinatorDirective]) {
        groups[index].joinDeadline = nil
        groups[index].initialDelayRemaining = nil
        // Dynamic members that did not come are out; static ones keep their place until their session ends.
        groups[index].members.removeAll { $0.awaitingJoin == nil && $0.instanceID == nil }
        guard !groups[index].members.isEmpty else { return becomeEmpty(index, now: now, directives: &directives) }
        guard electGroupLeader(index) else {
            groups[index].joinDeadline = now + groups[index].rebalanceTimeout
            directives.append(.wakeUp(at: groups[index].joinDeadline!))
            return
        }
        groups[index].generation += 1
        groups[index].protocolName = groups[index].selectProtocol()
        groups[index].move(to: .completingRebalance, now: now)
        groups[index].subscribedTopics = groups[index].members.reduce(into: []) { topics, member in
            for topic in member.subscription.topics where !topics.contains(topic) { topics.append(topic) }
        }
        groups[index].syncDeadline = now + groups[index].rebalanceTimeout
        directives.append(.wakeUp(at: groups[index].syncDeadline!))
        for member in groups[index].members.indices {
            groups[index].members[member].hasSynced = false
            groups[index].members[member].touch(now: now)
            directives.append(.wakeUp(at: groups[index].members[member].heartbeatDeadline))
            guard let handle = groups[index].members[member].awaitingJoin else { continue }
            groups[index].members[member].awaitingJoin = nil
            directives.append(.respond(handle, .joinGroup(joinResponse(index, to: member))))
        }
    }

    /// The leader stays when it joined again; otherwise the first that did takes over.
    private mutating func electGroupLeader(_ index: Int) -> Bool {
        if let leader = groups[index].leaderID.flatMap({ groups[index].memberIndex($0) }),
            groups[index].members[leader].awaitingJoin != nil
        {
            return true
        }
        guard let next = groups[index].members.first(where: { $0.awaitingJoin != nil }) else { return false }
        groups[index].leaderID = next.id
        return true
    }

    private mutating func becomeEmpty(_ index: Int, now: Instant, directives: inout [CoordinatorDirective]) {
        groups[index].generation += 1
        groups[index].protocolName = nil
        groups[index].leaderID = nil
        groups[index].subscribedTopics = []
        groups[index].syncDeadline = nil
        groups[index].move(to: .empty, now: now)
        write(
            CoordinatorBatch([
                CoordinatorRecord(key: .group(groups[index].id), value: .group(groups[index].snapshot()))
            ]), to: groups[index].partition, .other, directives: &directives)
    }

    /// The assignment is replicated, or could not be written.
    mutating func assignmentWritten(
        _ group: String, generation: Int32, _ error: KafkaErrorCode, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        guard let index = index(of: group), groups[index].state == .completingRebalance,
            groups[index].generation == generation
        else { return }
        groups[index].isStoringAssignment = false
        guard error == .none else {
            for member in groups[index].members.indices { groups[index].members[member].assignment = [] }
            failSyncs(index, error, directives: &directives)
            return prepareRebalance(index, now: now, directives: &directives)
        }
        groups[index].syncDeadline = nil
        groups[index].move(to: .stable, now: now)
        for member in groups[index].members.indices {
            groups[index].members[member].touch(now: now)
            directives.append(.wakeUp(at: groups[index].members[member].heartbeatDeadline))
            guard let handle = groups[index].members[member].awaitingSync else { continue }
            groups[index].members[member].awaitingSync = nil
            directives.append(.respond(handle, .syncGroup(.none, groups[index].members[member].assignment)))
        }
    }

    private mutating func failSyncs(
        _ index: Int, _ error: KafkaErrorCode, directives: inout [CoordinatorDirective]
    ) {
        for member in groups[index].members.indices {
            guard let handle = groups[index].members[member].awaitingSync else { continue }
            groups[index].members[member].awaitingSync = nil
            directives.append(.respond(handle, .syncGroup(error, [])))
        }
    }

    /// Members that joined but never asked for their assignment are dropped.
    mutating func syncTimeIsOver(_ index: Int, now: Instant, directives: inout [CoordinatorDirective]) {
        groups[index].syncDeadline = nil
        guard groups[index].state == .completingRebalance,
            groups[index].members.contains(where: { !$0.hasSynced })
        else { return }
        groups[index].members.removeAll { !$0.hasSynced }
        prepareRebalance(index, now: now, directives: &directives)
    }

    /// Drops members whose session ended, and ids that nobody came back with.
    mutating func expireMembers(_ index: Int, now: Instant, directives: inout [CoordinatorDirective]) {
        let pendingBefore = groups[index].pendingMembers.count
        groups[index].pendingMembers.removeAll { $0.deadline <= now }
        if groups[index].pendingMembers.count < pendingBefore {
            tryCompleteJoin(index, now: now, directives: &directives)
        }
        while let member = groups[index].members.firstIndex(where: {
            // Whoever waits for the coordinator is not silent.
            $0.heartbeatDeadline <= now && $0.awaitingJoin == nil && $0.awaitingSync == nil
        }) {
            remove(member, of: index, now: now, directives: &directives)
        }
    }

    mutating func remove(
        _ member: Int, of index: Int, now: Instant, directives: inout [CoordinatorDirective]
    ) {
        let gone = groups[index].members.remove(at: member)
        if let handle = gone.awaitingJoin {
            directives.append(.respond(handle, .joinGroup(.failed(.unknownMemberID, memberID: gone.id))))
        }
        if let handle = gone.awaitingSync {
            directives.append(.respond(handle, .syncGroup(.unknownMemberID, [])))
        }
        if groups[index].leaderID == gone.id { groups[index].leaderID = nil }
        switch groups[index].state {
        case .stable, .completingRebalance: prepareRebalance(index, now: now, directives: &directives)
        case .preparingRebalance: tryCompleteJoin(index, now: now, directives: &directives)
        case .empty: break
        }
    }
}
