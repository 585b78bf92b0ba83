import Ports

/// JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
extension GroupCoordinator {
    mutating func join(
        _ request: JoinGroupRequest, _ handle: ResponseHandle, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        func refuse(_ error: KafkaErrorCode, memberID: String? = nil) {
            directives.append(
                .respond(handle, .joinGroup(.failed(error, memberID: memberID ?? request.memberID))))
        }
        guard !request.group.isEmpty else { return refuse(.invalidGroupID) }
        guard let partition = ownPartition(of: request.group) else { return refuse(.notCoordinator) }
        guard request.sessionTimeout >= settings.groupMinimumSessionTimeout,
            request.sessionTimeout <= settings.groupMaximumSessionTimeout
        else { return refuse(.invalidSessionTimeout) }
        let index: Int
        if let known = self.index(of: request.group) {
            index = known
        } else {
            guard request.memberID.isEmpty else { return refuse(.unknownMemberID) }
            index = addGroup(request.group, partition, now: now)
        }
        let others = groups[index].members.filter { $0.id != request.memberID }
        let shared = request.protocols.contains { candidate in others.allSatisfy { $0.protocols.contains(candidate) } }
        guard others.isEmpty || shared else { return refuse(.inconsistentGroupProtocol) }

        if request.memberID.isEmpty {
            guard groups[index].members.count < settings.groupMaximumSize else {
                return refuse(.groupMaxSizeReached)
            }
            let id = newMemberID(request.instanceID ?? request.clientID, partition)
            if let instanceID = request.instanceID {
                if let existing = groups[index].memberIndex(instanceID: instanceID) {
                    return replaceStatic(existing, of: index, id, request, handle, now: now, directives: &directives)
                }
                return add(request, id, to: index, handle, now: now, directives: &directives)
            }
            // A member must come with its id before it counts (KIP-394); otherwise retries would leave ghosts.
            let deadline = now + request.sessionTimeout
            groups[index].pendingMembers.append((id, deadline))
            directives.append(.wakeUp(at: deadline))
            return refuse(.memberIDRequired, memberID: id)
        }
        if groups[index].pendingMembers.contains(where: { $0.id == request.memberID }) {
            groups[index].pendingMembers.removeAll { $0.id == request.memberID }
            return add(request, request.memberID, to: index, handle, now: now, directives: &directives)
        }
        let error = groups[index].check(memberID: request.memberID, instanceID: request.instanceID)
        guard error == .none, let member = groups[index].memberIndex(request.memberID) else { return refuse(error) }
        rejoin(member, of: index, request, handle, now: now, directives: &directives)
    }

    private mutating func add(
        _ request: JoinGroupRequest, _ id: String, to index: Int, _ handle: ResponseHandle, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        groups[index].members.append(
            GroupMember(
                id: id, instanceID: request.instanceID, clientID: request.clientID,
                sessionTimeout: request.sessionTimeout, rebalanceTimeout: request.rebalanceTimeout,
                protocols: request.protocols, subscription: request.subscription, awaitingJoin: handle,
                heartbeatDeadline: now + request.sessionTimeout))
        groups[index].hasHadMembers = true
        groups[index].hasNewMember = true
        if groups[index].state == .preparingRebalance {
            tryCompleteJoin(index, now: now, directives: &directives)
        } else {
            prepareRebalance(index, now: now, directives: &directives)
        }
    }

    /// A static member came back under its instance id: it takes over, and whoever still uses the old id is fenced.
    private mutating func replaceStatic(
        _ member: Int, of index: Int, _ newID: String, _ request: JoinGroupRequest, _ handle: ResponseHandle,
        now: Instant, directives: inout [CoordinatorDirective]
    ) {
        let old = groups[index].members[member]
        if let waiting = old.awaitingJoin {
            directives.append(.respond(waiting, .joinGroup(.failed(.fencedInstanceID, memberID: old.id))))
        }
        if let waiting = old.awaitingSync {
            directives.append(.respond(waiting, .syncGroup(.fencedInstanceID, [])))
        }
        groups[index].members[member].id = newID
        groups[index].members[member].awaitingJoin = nil
        groups[index].members[member].awaitingSync = nil
        groups[index].members[member].update(request, now: now)
        let wasLeader = groups[index].leaderID == old.id
        if wasLeader { groups[index].leaderID = newID }
        guard groups[index].state == .stable, groups[index].selectProtocol() == groups[index].protocolName else {
            groups[index].members[member].awaitingJoin = handle
            if groups[index].state == .preparingRebalance {
                tryCompleteJoin(index, now: now, directives: &directives)
            } else {
                prepareRebalance(index, now: now, directives: &directives)
            }
            return
        }
        // Same strategy, same partitions: nobody else is disturbed (KIP-345).
        write(
            CoordinatorBatch([
                CoordinatorRecord(key: .group(groups[index].id), value: .group(groups[index].snapshot()))
            ]), to: groups[index].partition, .other, directives: &directives)
        directives.append(
            .respond(handle, .joinGroup(joinResponse(index, to: member, skipsAssignment: wasLeader))))
        directives.append(.wakeUp(at: groups[index].members[member].heartbeatDeadline))
    }

    private mutating func rejoin(
        _ member: Int, of index: Int, _ request: JoinGroupRequest, _ handle: ResponseHandle, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        let hasChanged =
            groups[index].members[member].protocols != request.protocols
            || groups[index].members[member].subscription != request.subscription
        let isLeader = groups[index].leaderID == request.memberID
        switch groups[index].state {
        case .preparingRebalance:
            join(member, of: index, request, handle, now: now)
            tryCompleteJoin(index, now: now, directives: &directives)
        case .completingRebalance where !hasChanged:
            // It did not get the answer to its first JoinGroup.
            directives.append(.respond(handle, .joinGroup(joinResponse(index, to: member))))
        case .stable where !hasChanged && !isLeader:
            directives.append(.respond(handle, .joinGroup(joinResponse(index, to: member))))
        case .completingRebalance, .stable, .empty:
            join(member, of: index, request, handle, now: now)
            prepareRebalance(index, now: now, directives: &directives)
        }
    }

    private mutating func join(
        _ member: Int, of index: Int, _ request: JoinGroupRequest, _ handle: ResponseHandle, now: Instant
    ) {
        groups[index].members[member].update(request, now: now)
        groups[index].members[member].awaitingJoin = handle
    }

    func joinResponse(_ index: Int, to member: Int, skipsAssignment: Bool = false) -> JoinGroupResponse {
        let group = groups[index]
        let isLeader = group.members[member].id == group.leaderID
        return JoinGroupResponse(
            error: .none, generation: group.generation, protocolName: group.protocolName,
            leader: group.leaderID ?? "", memberID: group.members[member].id,
            members: isLeader
                ? group.members.map {
                    GroupMemberDescription(id: $0.id, instanceID: $0.instanceID, subscription: $0.subscription)
                } : [], skipsAssignment: skipsAssignment && isLeader)
    }

    mutating func sync(
        _ request: SyncGroupRequest, _ handle: ResponseHandle, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        func answer(_ error: KafkaErrorCode, _ partitions: [PartitionID] = []) {
            directives.append(.respond(handle, .syncGroup(error, partitions)))
        }
        guard ownPartition(of: request.group) != nil else { return answer(.notCoordinator) }
        guard let index = index(of: request.group) else { return answer(.unknownMemberID) }
        let error = groups[index].check(memberID: request.memberID, instanceID: request.instanceID)
        guard error == .none, let member = groups[index].memberIndex(request.memberID) else { return answer(error) }
        guard request.generation == groups[index].generation else { return answer(.illegalGeneration) }
        switch groups[index].state {
        case .empty:
            answer(.unknownMemberID)
        case .preparingRebalance:
            answer(.rebalanceInProgress)
        case .stable:
            groups[index].members[member].touch(now: now)
            answer(.none, groups[index].members[member].assignment)
        case .completingRebalance:
            groups[index].members[member].awaitingSync = handle
            groups[index].members[member].hasSynced = true
            if request.memberID == groups[index].leaderID, !groups[index].isStoringAssignment {
                store(request.assignments, of: index, directives: &directives)
            }
        }
    }

    /// Writes the leader's assignment; the members get it when it is replicated.
    private mutating func store(
        _ assignments: [MemberAssignment], of index: Int, directives: inout [CoordinatorDirective]
    ) {
        groups[index].isStoringAssignment = true
        for member in groups[index].members.indices {
            let id = groups[index].members[member].id
            groups[index].members[member].assignment = assignments.first { $0.memberID == id }?.partitions ?? []
        }
        write(
            CoordinatorBatch([
                CoordinatorRecord(key: .group(groups[index].id), value: .group(groups[index].snapshot()))
            ]), to: groups[index].partition,
            .assignment(group: groups[index].id, generation: groups[index].generation), directives: &directives)
    }

    mutating func heartbeat(_ request: HeartbeatRequest, now: Instant) -> KafkaErrorCode {
        guard ownPartition(of: request.group) != nil else { return .notCoordinator }
        guard let index = index(of: request.group) else { return .unknownMemberID }
        let error = groups[index].check(memberID: request.memberID, instanceID: request.instanceID)
        guard error == .none, let member = groups[index].memberIndex(request.memberID) else { return error }
        guard request.generation == groups[index].generation else { return .illegalGeneration }
        switch groups[index].state {
        case .empty:
            return .unknownMemberID
        case .completingRebalance, .stable:
            groups[index].members[member].touch(now: now)
            return .none
        case .preparingRebalance:
            groups[index].members[member].touch(now: now)
            return .rebalanceInProgress
        }
    }

    mutating func leave(
        _ request: LeaveGroupRequest, now: Instant, directives: inout [CoordinatorDirective]
    ) -> KafkaErrorCode {
        guard ownPartition(of: request.group) != nil else { return .notCoordinator }
        guard let index = index(of: request.group) else { return .unknownMemberID }
        if groups[index].pendingMembers.contains(where: { $0.id == request.memberID }) {
            groups[index].pendingMembers.removeAll { $0.id == request.memberID }
            if groups[index].state == .preparingRebalance { tryCompleteJoin(index, now: now, directives: &directives) }
            return .none
        }
        let error = groups[index].check(memberID: request.memberID, instanceID: request.instanceID)
        guard error == .none, let member = groups[index].memberIndex(request.memberID) else { return error }
        remove(member, of: index, now: now, directives: &directives)
        return .none
    }
}

extension GroupMember {
    mutating func touch(now: Instant) { heartbeatDeadline = now + sessionTimeout }

    mutating func update(_ request: JoinGroupRequest, now: Instant) {
        protocols = request.protocols
        subscription = request.subscription
        sessionTimeout = request.sessionTimeout
        rebalanceTimeout = request.rebalanceTimeout
        touch(now: now)
    }
}
