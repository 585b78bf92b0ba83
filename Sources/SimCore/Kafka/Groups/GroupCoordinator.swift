import Ports

/// The group coordinator of a broker: the groups whose partition of `__consumer_offsets` it leads (classic protocol,
/// GroupMetadataManager). All it knows is in that partition, so another broker can take over.
package struct GroupCoordinator: ~Copyable, Sendable {
    /// A write to the log that is not replicated yet.
    enum PendingWrite: Sendable {
        case offsets(ResponseHandle, group: String, [(PartitionID, OffsetAndTimestamp)])
        case transactionalOffsets(
            ResponseHandle, group: String, producerID: Int64, [(PartitionID, OffsetAndTimestamp)])
        case assignment(group: String, generation: Int32)
        case other
    }

    let broker: NodeID
    let settings: ClusterSettings
    var metadata = ClusterMetadata()
    /// Partitions of `__consumer_offsets` that this broker leads, with the epoch.
    private(set) var led: [(partition: PartitionID, epoch: Int32)] = []
    var groups: [Group] = []
    private var groupIndexes: [String: Int] = [:]
    var pendingWrites: [Int64: PendingWrite] = [:]
    private var nextToken: Int64 = 0
    private var nextMemberNumber: Int64 = 0
    var expireOffsetsAt: Instant?

    init(broker: NodeID, settings: ClusterSettings) {
        self.broker = broker
        self.settings = settings
    }

    func index(of group: String) -> Int? { groupIndexes[group] }

    mutating func addGroup(_ id: String, _ partition: PartitionID, now: Instant) -> Int {
        groupIndexes[id] = groups.count
        groups.append(Group(id: id, partition: partition, now: now))
        return groups.count - 1
    }

    mutating func removeGroups(where isGone: (Group) -> Bool) {
        groups.removeAll(where: isGone)
        groupIndexes.removeAll(keepingCapacity: true)
        for (index, group) in groups.enumerated() { groupIndexes[group.id] = index }
    }

    mutating func newMemberID(_ clientID: String, _ partition: PartitionID) -> String {
        nextMemberNumber += 1
        let epoch = led.first { $0.partition == partition }?.epoch ?? 0
        // Unlike any that another broker, or this one in an earlier term, has handed out.
        return "\(clientID)-\(broker.rawValue)-\(epoch)-\(nextMemberNumber)"
    }

    /// The partition that a group belongs to; `nil` while `__consumer_offsets` does not exist.
    func partition(of group: String) -> PartitionID? {
        guard let topic = metadata.topic(named: InternalTopic.consumerOffsets) else { return nil }
        return topic.partition(CoordinatorPartition.number(of: group, of: topic.partitionCount))
    }

    /// The partition of a group that this broker coordinates; `nil` when another one does.
    func ownPartition(of group: String) -> PartitionID? {
        guard let partition = partition(of: group), led.contains(where: { $0.partition == partition }) else {
            return nil
        }
        return partition
    }

    mutating func metadataChanged(_ metadata: ClusterMetadata) { self.metadata = metadata }

    mutating func write(
        _ batch: CoordinatorBatch, to partition: PartitionID, _ pending: PendingWrite,
        directives: inout [CoordinatorDirective]
    ) {
        nextToken += 1
        pendingWrites[nextToken] = pending
        directives.append(.append(.group, partition, batch, token: nextToken))
    }

    // MARK: Requests

    mutating func serve(
        _ body: KafkaRequestBody, _ handle: ResponseHandle, now: Instant, directives: inout [CoordinatorDirective]
    ) {
        switch body {
        case .joinGroup(let request): join(request, handle, now: now, directives: &directives)
        case .syncGroup(let request): sync(request, handle, now: now, directives: &directives)
        case .heartbeat(let request):
            directives.append(.respond(handle, .heartbeat(heartbeat(request, now: now))))
        case .leaveGroup(let request):
            let error = leave(request, now: now, directives: &directives)
            directives.append(.respond(handle, .leaveGroup(error)))
        case .offsetCommit(let request): commit(request, handle, now: now, directives: &directives)
        case .transactionalOffsetCommit(let request):
            commit(request, handle, now: now, directives: &directives)
        case .offsetFetch(let request): directives.append(.respond(handle, fetchOffsets(request)))
        default: preconditionFailure("the group coordinator does not serve this request: \(body)")
        }
    }

    // MARK: Coming and going

    /// Becomes the coordinator of a partition's groups: reads everything from the log.
    ///
    /// Linear in the log. A real broker answers COORDINATOR_LOAD_IN_PROGRESS meanwhile; here it takes no time.
    mutating func load(_ partition: PartitionID, epoch: Int32, from log: borrowing PartitionLog, now: Instant) {
        led.removeAll { $0.partition == partition }
        led.append((partition, epoch))
        if expireOffsetsAt == nil { expireOffsetsAt = now + settings.offsetsRetentionCheckInterval }
        for segment in log.segments {
            for stored in segment.batches { replay(stored, partition, now: now) }
        }
        for index in groups.indices where groups[index].partition == partition {
            groups[index].restore(state: groups[index].members.isEmpty ? .empty : .stable)
            for member in groups[index].members.indices {
                // Everyone gets a whole session to find the new coordinator.
                groups[index].members[member].heartbeatDeadline =
                    now + groups[index].members[member].sessionTimeout
            }
        }
    }

    private mutating func replay(_ stored: StoredBatch, _ partition: PartitionID, now: Instant) {
        switch stored.batch.contents {
        case .coordinator(let records):
            for record in records {
                if stored.batch.isTransactional {
                    addPending(record, partition, producerID: stored.batch.producer.id, now: now)
                } else {
                    restore(record, partition, now: now)
                }
            }
        case .marker(let marker):
            endTransaction(of: stored.batch.producer.id, in: partition, isCommit: marker.isCommit)
        case .records:
            break
        }
    }

    private mutating func restore(_ record: CoordinatorRecord, _ partition: PartitionID, now: Instant) {
        switch (record.key, record.value) {
        case (.offset(let group, let topicPartition), .offset(let value)?):
            let index = self.index(of: group) ?? addGroup(group, partition, now: now)
            groups[index].setOffset(of: topicPartition, value)
        case (.offset(let group, let topicPartition), nil):
            if let index = index(of: group) { groups[index].setOffset(of: topicPartition, nil) }
        case (.group(let group), .group(let snapshot)?):
            let index = self.index(of: group) ?? addGroup(group, partition, now: now)
            groups[index].restore(snapshot, now: now)
        case (.group(let group), nil):
            if let index = index(of: group) {
                groups[index].members = []
                groups[index].hasHadMembers = false
            }
        default:
            break
        }
    }

    private mutating func addPending(
        _ record: CoordinatorRecord, _ partition: PartitionID, producerID: Int64, now: Instant
    ) {
        guard case (.offset(let group, let topicPartition), .offset(let value)?) = (record.key, record.value) else {
            return
        }
        let index = self.index(of: group) ?? addGroup(group, partition, now: now)
        groups[index].addPending([(topicPartition, value)], producerID: producerID)
    }

    /// Is no longer the coordinator of a partition's groups: whoever waits has to look for the new one.
    mutating func unload(_ partition: PartitionID, directives: inout [CoordinatorDirective]) {
        led.removeAll { $0.partition == partition }
        for group in groups where group.partition == partition {
            for member in group.members {
                if let handle = member.awaitingJoin {
                    directives.append(.respond(handle, .joinGroup(.failed(.notCoordinator, memberID: member.id))))
                }
                if let handle = member.awaitingSync {
                    directives.append(.respond(handle, .syncGroup(.notCoordinator, [])))
                }
            }
        }
        removeGroups { $0.partition == partition }
    }

    // MARK: Time

    func collectDeadlines(into earliest: inout EarliestDeadline) {
        guard !led.isEmpty else { return }
        earliest.consider(expireOffsetsAt)
        for group in groups { group.collectDeadlines(into: &earliest) }
    }

    mutating func runTimers(now: Instant, directives: inout [CoordinatorDirective]) {
        for index in groups.indices {
            expireMembers(index, now: now, directives: &directives)
            if let deadline = groups[index].joinDeadline, deadline <= now {
                joinTimeIsOver(index, now: now, directives: &directives)
            }
            if let deadline = groups[index].syncDeadline, deadline <= now {
                syncTimeIsOver(index, now: now, directives: &directives)
            }
        }
        if let at = expireOffsetsAt, at <= now {
            expireOffsetsAt = now + settings.offsetsRetentionCheckInterval
            expireOffsets(now: now, directives: &directives)
        }
    }
}

extension Group {
    func collectDeadlines(into earliest: inout EarliestDeadline) {
        earliest.consider(joinDeadline)
        earliest.consider(syncDeadline)
        for member in members where member.awaitingJoin == nil && member.awaitingSync == nil {
            earliest.consider(member.heartbeatDeadline)
        }
        for pending in pendingMembers { earliest.consider(pending.deadline) }
    }

    mutating func restore(_ snapshot: GroupSnapshot, now: Instant) {
        generation = snapshot.generation
        protocolName = snapshot.protocolName
        leaderID = snapshot.leaderID
        hasHadMembers = true
        stateChangedAt = snapshot.stateChangedAt
        members = snapshot.members.map {
            GroupMember(
                id: $0.id, instanceID: $0.instanceID, clientID: $0.id, sessionTimeout: $0.sessionTimeout,
                rebalanceTimeout: $0.rebalanceTimeout, protocols: snapshot.protocolName.map { [$0] } ?? [],
                subscription: $0.subscription, assignment: $0.assignment, hasSynced: true,
                heartbeatDeadline: now + $0.sessionTimeout)
        }
        subscribedTopics = members.reduce(into: []) { topics, member in
            for topic in member.subscription.topics where !topics.contains(topic) { topics.append(topic) }
        }
    }

    mutating func addPending(_ offsets: [(PartitionID, OffsetAndTimestamp)], producerID: Int64) {
        if let known = pendingTransactions.firstIndex(where: { $0.producerID == producerID }) {
            pendingTransactions[known].offsets.append(contentsOf: offsets)
        } else {
            pendingTransactions.append((producerID, offsets))
        }
    }
}
