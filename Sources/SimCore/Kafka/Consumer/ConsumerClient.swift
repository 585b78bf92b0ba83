package import Ports

/// A consumer: membership in a group, positions, fetches, commits (KafkaConsumer, classic protocol).
///
/// Joining goes on only while a poll is under way, and so do the listener's callbacks; heartbeats and the watch over
/// `max.poll.interval.ms` run in the background.
package struct ConsumerClient: ~Copyable, Sendable {
    /// What a request was for.
    enum RequestContext: Sendable {
        case findCoordinator
        case join, sync, leave
        case heartbeat
        case commit(call: CallID, OffsetCommitRequest)
        case positions([PartitionID])
        case committed(call: CallID, [TopicPartition])
        case listOffsets([PartitionID])
        case fetch(NodeID)
    }

    struct Poll: Sendable {
        let call: CallID
        let limit: Int
        let deadline: Instant
    }

    /// A call that needs the coordinator, until it can be sent.
    struct WaitingCall: Sendable {
        enum Kind: Sendable {
            case commit([CommittedOffset])
            case committed([TopicPartition])
        }

        let call: CallID
        let kind: Kind
        let deadline: Instant
    }

    let settings: ConsumerSettings
    let defects: ConsumerDefects
    var network: ClientNetwork<RequestContext>
    var membership: GroupMembership?
    /// Assigned partitions, in the order of their numbers.
    var partitions: [ConsumerPartition] = []
    /// Positions of partitions that were revoked; used by a defect only.
    var formerPositions: [PartitionID: Int64] = [:]
    /// Assigned by hand to topics that the metadata does not know yet.
    var waitingForMetadata: [CommittedOffset] = []
    /// Those of them that are paused.
    var pausedBeforeMetadata: [TopicPartition] = []
    var fetchers: [ConsumerFetcher] = []
    var poll: Poll?
    /// The listener's callback that is running, and what follows it.
    var callback: PendingCallback?
    var waitingCalls: [WaitingCall] = []
    /// Calls under way at the coordinator.
    var pendingCalls: [(call: CallID, deadline: Instant)] = []
    /// Where the next poll begins to take records from, so that no partition starves.
    var nextPartition = 0
    var pollError: EventLogError?
    var isFatal = false
    var closing: CallID?
    var isLeaving = false

    enum PendingCallback: Sendable {
        /// Everything is given up before joining (eager), or was lost.
        case dropAll
        /// These are given up; a rejoin follows (cooperative).
        case drop([PartitionID], then: [PartitionID])
        case added
        case closing
    }

    package init(
        _ settings: ConsumerSettings, bootstrap: [NodeID], network: ClientNetworkSettings = ClientNetworkSettings(),
        defects: ConsumerDefects = []
    ) {
        self.settings = settings
        self.defects = defects
        self.network = ClientNetwork(bootstrap: bootstrap, settings: network)
    }

    // MARK: Calls

    /// Joins the group for these topics, during the next polls.
    package mutating func subscribe(to topics: [String], now: Instant, effects: inout [ClientEffect]) -> EventLogError?
    {
        guard let group = settings.groupID, !group.isEmpty else {
            return EventLogError(.invalidGroupID, "subscribing needs a group id", outcome: .noEffect)
        }
        guard closing == nil, !isFatal else { return .refused("this consumer is closed; open another") }
        if membership == nil {
            membership = GroupMembership(group: group, topics: topics.sorted(), now: now)
        } else {
            membership!.topics = topics.sorted()
            membership!.needsRejoin = true
            membership!.isPrepared = false
        }
        network.requestMetadata()
        settle(now: now, effects: &effects)
        return nil
    }

    /// Takes partitions by hand, outside any group.
    package mutating func assign(
        _ positions: [CommittedOffset], now: Instant, effects: inout [ClientEffect]
    ) -> EventLogError? {
        guard membership == nil else { return .refused("assign after subscribe: use a consumer of its own") }
        guard closing == nil else { return .refused("this consumer is closed; open another") }
        partitions.removeAll()
        pausedBeforeMetadata.removeAll()
        waitingForMetadata = positions
        network.requestMetadata()
        resolveManualAssignment()
        settle(now: now, effects: &effects)
        return nil
    }

    mutating func resolveManualAssignment() {
        let wanted = waitingForMetadata
        waitingForMetadata.removeAll()
        for position in wanted {
            guard let id = network.metadata.partitionID(position.topicPartition) else {
                waitingForMetadata.append(position)
                continue
            }
            var partition = ConsumerPartition(
                id: id, topicPartition: position.topicPartition, position: .at(position.offset))
            partition.isPaused = pausedBeforeMetadata.contains(position.topicPartition)
            insert(partition)
        }
        if !waitingForMetadata.isEmpty { network.requestMetadata() }
    }

    mutating func insert(_ partition: ConsumerPartition) {
        let position = partitions.firstIndex { $0.id > partition.id } ?? partitions.count
        partitions.insert(partition, at: position)
    }

    /// Asks for up to `limit` records; completes with some, or with none after `timeout`.
    package mutating func poll(
        limit: Int, timeout: Nanoseconds, call: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        guard closing == nil, !isFatal else {
            let error = pollError ?? .refused("this consumer is closed; open another")
            effects.append(.complete(call, .failed(error)))
            return
        }
        guard poll == nil else {
            effects.append(.complete(call, .failed(.refused("a consumer is polled by one task at a time"))))
            return
        }
        membership?.lastPollAt = now
        let deadline = now + timeout
        poll = Poll(call: call, limit: max(1, limit), deadline: deadline)
        settle(now: now, effects: &effects)
        if poll != nil { network.arm(deadline, effects: &effects) }
    }

    package mutating func pause(_ names: [TopicPartition]) -> EventLogError? { setPaused(names, true) }

    package mutating func resume(
        _ names: [TopicPartition], now: Instant, effects: inout [ClientEffect]
    ) -> EventLogError? {
        let error = setPaused(names, false)
        settle(now: now, effects: &effects)
        return error
    }

    private mutating func setPaused(_ names: [TopicPartition], _ isPaused: Bool) -> EventLogError? {
        for name in names {
            if let index = index(of: name) {
                partitions[index].isPaused = isPaused
            } else if waitingForMetadata.contains(where: { $0.topicPartition == name }) {
                pausedBeforeMetadata.removeAll { $0 == name }
                if isPaused { pausedBeforeMetadata.append(name) }
            } else {
                return notAssigned(name)
            }
        }
        return nil
    }

    package mutating func seek(
        to position: CommittedOffset, now: Instant, effects: inout [ClientEffect]
    ) -> EventLogError? {
        if let waiting = waitingForMetadata.firstIndex(where: { $0.topicPartition == position.topicPartition }) {
            waitingForMetadata[waiting] = position
            return nil
        }
        guard let index = index(of: position.topicPartition) else { return notAssigned(position.topicPartition) }
        partitions[index].seek(to: position.offset)
        settle(now: now, effects: &effects)
        return nil
    }

    private func notAssigned(_ name: TopicPartition) -> EventLogError {
        .refused("\(name) is not assigned to this consumer")
    }

    func index(of name: TopicPartition) -> Int? { partitions.firstIndex { $0.topicPartition == name } }
    func index(of id: PartitionID) -> Int? { partitions.firstIndex { $0.id == id } }

    /// Offset of the next record that a poll returns; `nil` while there is none.
    package func position(_ name: TopicPartition) -> Int64? {
        guard let index = index(of: name) else {
            return waitingForMetadata.first { $0.topicPartition == name }?.offset
        }
        if let offset = partitions[index].offset { return offset }
        return defects.contains(.keepsPositionAfterRevoke) ? formerPositions[partitions[index].id] : nil
    }

    package var assignment: [TopicPartition] {
        (partitions.map(\.topicPartition) + waitingForMetadata.map(\.topicPartition)).sorted()
    }

    /// Who this consumer is within its group, for a transaction.
    package var groupMetadata: ConsumerGroupMetadata? {
        guard let membership else {
            return settings.groupID.map {
                ConsumerGroupMetadata(group: $0, memberID: "", instanceID: nil, generation: -1)
            }
        }
        return ConsumerGroupMetadata(
            group: membership.group, memberID: membership.lastGeneration.memberID,
            instanceID: settings.groupInstanceID, generation: membership.lastGeneration.number)
    }

    // MARK: Events

    package mutating func handle(_ event: ClientEvent, now: Instant, effects: inout [ClientEffect]) {
        for incoming in network.handle(event, now: now, effects: &effects) {
            switch incoming {
            case .none: break
            case .metadataChanged: metadataChanged(now: now)
            case .answered(let context, let body): answered(context, body, now: now, effects: &effects)
            case .failed(let contexts, let error):
                for context in contexts { failed(context, error, now: now, effects: &effects) }
            }
        }
        let isTimer = if case .timerFired = event { true } else { false }
        if isTimer { expire(now: now, effects: &effects) }
        settle(now: now, effects: &effects)
        guard isTimer else { return }
        var earliest = EarliestDeadline(after: now)
        collectDeadlines(into: &earliest)
        network.rearm(earliest, effects: &effects)
    }

    /// Ends every event: joins, fetches and completes what can be.
    mutating func settle(now: Instant, effects: inout [ClientEffect]) {
        driveMembership(now: now, effects: &effects)
        driveCalls(now: now, effects: &effects)
        drivePositions(now: now, effects: &effects)
        drivePoll(now: now, effects: &effects)
        // A poll may have cleared the way for joining.
        driveMembership(now: now, effects: &effects)
        sendFetches(now: now, effects: &effects)
        network.settle(now: now, effects: &effects)
    }

    private mutating func metadataChanged(now: Instant) {
        resolveManualAssignment()
        guard membership != nil else { return }
        let counts = subscribedPartitionCounts
        if counts.contains(0) { network.requestMetadata() }
        if membership!.isLeader, case .stable = membership!.state, counts != membership!.assignedPartitionCounts {
            // The leader sees that there is more, or less, to assign.
            membership!.needsRejoin = true
            membership!.isPrepared = false
        }
    }

    var subscribedPartitionCounts: [Int32] {
        (membership?.topics ?? []).map { network.metadata.topic(named: $0)?.partitionCount ?? 0 }
    }

    /// This consumer's own deadlines.
    private func collectDeadlines(into earliest: inout EarliestDeadline) {
        earliest.consider(poll?.deadline)
        for call in waitingCalls { earliest.consider(call.deadline) }
        for call in pendingCalls { earliest.consider(call.deadline) }
        for partition in partitions { earliest.consider(partition.retryAt) }
        if let membership {
            earliest.consider(membership.retryAt)
            earliest.consider(membership.nextHeartbeatAt)
            if membership.generation >= 0 {
                earliest.consider(membership.lastPollAt + settings.maximumPollInterval)
                earliest.consider(membership.lastHeartbeatAt + settings.sessionTimeout)
            }
        }
    }
}
