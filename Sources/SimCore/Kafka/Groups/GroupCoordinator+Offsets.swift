import Ports

/// Committed offsets: OffsetCommit, TxnOffsetCommit, OffsetFetch, and expiry.
extension GroupCoordinator {
    mutating func commit(
        _ request: OffsetCommitRequest, _ handle: ResponseHandle, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        func refuse(_ error: KafkaErrorCode) {
            directives.append(
                .respond(
                    handle,
                    .offsetCommit(request.offsets.map { PartitionError(partition: $0.partition, error: error) })))
        }
        guard let partition = ownPartition(of: request.group) else { return refuse(.notCoordinator) }
        if index(of: request.group) == nil {
            guard request.generation < 0 else { return refuse(.illegalGeneration) }
            _ = addGroup(request.group, partition, now: now)
        }
        let index = self.index(of: request.group)!
        let error = check(
            index, memberID: request.memberID, instanceID: request.instanceID, generation: request.generation,
            isTransactional: false)
        guard error == .none else { return refuse(error) }
        if let member = groups[index].memberIndex(request.memberID) {
            groups[index].members[member].touch(now: now)
        }
        let offsets = stamped(request.offsets, now: now)
        write(
            CoordinatorBatch(records(offsets, group: request.group)), to: partition,
            .offsets(handle, group: request.group, offsets), directives: &directives)
    }

    /// Offsets as a part of a producer's transaction: they count when its commit marker is written.
    mutating func commit(
        _ request: TransactionalOffsetCommitRequest, _ handle: ResponseHandle, now: Instant,
        directives: inout [CoordinatorDirective]
    ) {
        func refuse(_ error: KafkaErrorCode) {
            let errors = request.offsets.map { PartitionError(partition: $0.partition, error: error) }
            directives.append(.respond(handle, .transactionalOffsetCommit(errors)))
        }
        guard let partition = ownPartition(of: request.group) else { return refuse(.notCoordinator) }
        let index = self.index(of: request.group) ?? addGroup(request.group, partition, now: now)
        let error = check(
            index, memberID: request.memberID, instanceID: request.instanceID, generation: request.generation,
            isTransactional: true)
        guard error == .none else { return refuse(error) }
        let offsets = stamped(request.offsets, now: now)
        write(
            CoordinatorBatch(records(offsets, group: request.group), producer: request.producer), to: partition,
            .transactionalOffsets(handle, group: request.group, producerID: request.producer.id, offsets),
            directives: &directives)
    }

    private func stamped(_ offsets: [PartitionOffset], now: Instant) -> [(PartitionID, OffsetAndTimestamp)] {
        offsets.map { ($0.partition, OffsetAndTimestamp(offset: $0.offset, committedAt: now)) }
    }

    private func records(_ offsets: [(PartitionID, OffsetAndTimestamp)], group: String) -> [CoordinatorRecord] {
        offsets.map { CoordinatorRecord(key: .offset(group: group, partition: $0.0), value: .offset($0.1)) }
    }

    /// Who may commit (ClassicGroup.validateOffsetCommit): only members of the current generation, while there are any.
    private func check(
        _ index: Int, memberID: String, instanceID: String?, generation: Int32, isTransactional: Bool
    ) -> KafkaErrorCode {
        let group = groups[index]
        if generation < 0, group.state == .empty { return .none }
        if generation >= 0 || !memberID.isEmpty || instanceID != nil {
            let error = group.check(memberID: memberID, instanceID: instanceID)
            if error != .none { return error }
            if generation != group.generation { return .illegalGeneration }
        } else if !isTransactional {
            return .unknownMemberID
        }
        if !isTransactional, group.state == .completingRebalance { return .rebalanceInProgress }
        return .none
    }

    /// A write is replicated, or failed.
    mutating func written(
        token: Int64, _ error: KafkaErrorCode, now: Instant, directives: inout [CoordinatorDirective]
    ) {
        guard let pending = pendingWrites.removeValue(forKey: token) else { return }
        let translated = Self.translated(error)
        switch pending {
        case .offsets(let handle, let group, let offsets):
            if translated == .none, let index = index(of: group) {
                for (partition, value) in offsets { groups[index].setOffset(of: partition, value) }
            }
            let results = offsets.map { PartitionError(partition: $0.0, error: translated) }
            directives.append(.respond(handle, .offsetCommit(results)))
        case .transactionalOffsets(let handle, let group, let producerID, let offsets):
            if translated == .none, let index = index(of: group) {
                groups[index].addPending(offsets, producerID: producerID)
            }
            let results = offsets.map { PartitionError(partition: $0.0, error: translated) }
            directives.append(.respond(handle, .transactionalOffsetCommit(results)))
        case .assignment(let group, let generation):
            assignmentWritten(group, generation: generation, translated, now: now, directives: &directives)
        case .other:
            break
        }
    }

    /// What a client is told of a coordinator's failed write (GroupMetadataManager.storeOffsets).
    static func translated(_ error: KafkaErrorCode) -> KafkaErrorCode {
        switch error {
        case .unknownTopicOrPartition, .notEnoughReplicas, .notEnoughReplicasAfterAppend, .requestTimedOut:
            .coordinatorNotAvailable
        case .notLeaderOrFollower, .storageError: .notCoordinator
        default: error
        }
    }

    /// A marker was written to a partition of `__consumer_offsets`: the transaction's offsets count now, or never.
    mutating func endTransaction(of producerID: Int64, in partition: PartitionID, isCommit: Bool) {
        for index in groups.indices where groups[index].partition == partition {
            guard let pending = groups[index].pendingTransactions.firstIndex(where: { $0.producerID == producerID })
            else { continue }
            let offsets = groups[index].pendingTransactions.remove(at: pending).offsets
            guard isCommit else { continue }
            for (topicPartition, value) in offsets { groups[index].setOffset(of: topicPartition, value) }
        }
    }

    func fetchOffsets(_ request: OffsetFetchRequest) -> KafkaResponseBody {
        guard ownPartition(of: request.group) != nil else { return .offsetFetch(.notCoordinator, []) }
        guard let index = index(of: request.group) else { return .offsetFetch(.none, []) }
        let group = groups[index]
        let partitions = request.partitions ?? group.offsets.map(\.partition)
        if request.requiresStable {
            let isPending = group.pendingTransactions.contains { transaction in
                transaction.offsets.contains { partitions.contains($0.0) }
            }
            if isPending { return .offsetFetch(.unstableOffsetCommit, []) }
        }
        let offsets = partitions.compactMap { partition in
            group.offset(of: partition).map { PartitionOffset(partition: partition, offset: $0.offset) }
        }
        return .offsetFetch(.none, offsets)
    }

    // MARK: Expiry

    /// Removes offsets that `offsets.retention.minutes` are over for, and groups that nothing is left of (KIP-211).
    mutating func expireOffsets(now: Instant, directives: inout [CoordinatorDirective]) {
        for index in groups.indices {
            let expired = expiredOffsets(groups[index], now: now)
            for partition in expired { groups[index].setOffset(of: partition, nil) }
            var tombstones = expired.map {
                CoordinatorRecord(key: .offset(group: groups[index].id, partition: $0), value: nil)
            }
            if Self.isFinished(groups[index]), groups[index].hasHadMembers || !expired.isEmpty {
                tombstones.append(CoordinatorRecord(key: .group(groups[index].id), value: nil))
            }
            guard !tombstones.isEmpty else { continue }
            write(CoordinatorBatch(tombstones), to: groups[index].partition, .other, directives: &directives)
        }
        removeGroups(where: Self.isFinished)
    }

    private static func isFinished(_ group: Group) -> Bool {
        group.state == .empty && group.offsets.isEmpty && group.pendingTransactions.isEmpty
            && group.pendingMembers.isEmpty
    }

    private func expiredOffsets(_ group: Group, now: Instant) -> [PartitionID] {
        func isOld(_ since: Instant) -> Bool { now - since >= settings.offsetsRetention }
        func unsubscribed() -> [PartitionID] {
            group.offsets.filter { entry in
                isOld(entry.value.committedAt)
                    && !group.subscribedTopics.contains(metadata.topicPartition(entry.partition).topic)
            }.map(\.partition)
        }
        guard group.hasHadMembers else {
            return group.offsets.filter { isOld($0.value.committedAt) }.map(\.partition)
        }
        switch group.state {
        case .empty:
            return isOld(group.stateChangedAt) ? group.offsets.map(\.partition) : []
        case .stable:
            return unsubscribed()
        case .preparingRebalance, .completingRebalance:
            // What is subscribed is not known during a rebalance (KAFKA-13636).
            return settings.protectsOffsetsWhileRebalancing ? [] : unsubscribed()
        }
    }
}
