package import Ports

/// Polls: callbacks, positions, fetches, and the records that are returned.
extension ConsumerClient {
    /// Goes on with the poll that is under way, as far as it gets.
    mutating func drivePoll(now: Instant, effects: inout [ClientEffect]) {
        guard let poll, callback == nil else { return }
        if let error = pollError {
            if !isFatal { pollError = nil }
            return finish(poll, .failed(error), effects: &effects)
        }
        if runCallbacks(effects: &effects) { return }
        var records: [FetchedRecords] = []
        var count = 0
        for step in partitions.indices {
            guard count < poll.limit else { break }
            let index = (nextPartition + step) % partitions.count
            guard partitions[index].hasBuffered, !partitions[index].isPaused else { continue }
            count += partitions[index].take(
                limit: poll.limit - count, isReadCommitted: settings.isReadCommitted, into: &records)
        }
        if count > 0 {
            nextPartition = (nextPartition + 1) % partitions.count
            return finish(poll, .polled(records), effects: &effects)
        }
        if poll.deadline <= now { finish(poll, .polled([]), effects: &effects) }
    }

    private mutating func finish(_ poll: Poll, _ result: ClientResult, effects: inout [ClientEffect]) {
        self.poll = nil
        effects.append(.complete(poll.call, result))
    }

    // MARK: Callbacks

    /// Tells the application what it has to know now. Returns whether it has to be waited for.
    private mutating func runCallbacks(effects: inout [ClientEffect]) -> Bool {
        guard membership != nil else { return false }
        if membership!.hasLostPartitions {
            membership!.hasLostPartitions = false
            if !partitions.isEmpty { return call(.lost, partitions, .dropAll, effects: &effects) }
        }
        if case .assigned(let new) = membership!.state {
            guard new.allSatisfy({ network.metadata.partition($0) != nil }) else {
                // A member that has just started can be given partitions before it knows where they are. The group's next
                // rebalance does not wait for that.
                network.requestMetadata()
                if membership!.needsRejoin { membership!.state = .stable }
                return false
            }
            return take(new, effects: &effects)
        }
        guard membership!.needsRejoin, !membership!.isPrepared else { return false }
        if case .joining = membership!.state { return false }
        membership!.isPrepared = true
        // Eager: everything is given up before joining. Cooperative: only what is no longer subscribed to.
        let isEager = settings.assignmentStrategy != .cooperativeSticky
        let given = partitions.filter { isEager || !membership!.topics.contains($0.topicPartition.topic) }
        guard !given.isEmpty else { return false }
        return call(
            .revoked, given, isEager ? .dropAll : .drop(given.map(\.id), then: []), effects: &effects)
    }

    /// A new assignment: what is gone is revoked first, then what is new is given out.
    private mutating func take(_ new: [PartitionID], effects: inout [ClientEffect]) -> Bool {
        let gone = partitions.filter { !new.contains($0.id) }
        if !gone.isEmpty {
            return call(.revoked, gone, .drop(gone.map(\.id), then: new), effects: &effects)
        }
        return add(new, hasRevoked: false, effects: &effects)
    }

    private mutating func add(_ new: [PartitionID], hasRevoked: Bool, effects: inout [ClientEffect]) -> Bool {
        membership!.state = .stable
        if hasRevoked {
            // Others wait for what was given up (KIP-429).
            membership!.needsRejoin = true
            membership!.isPrepared = false
        }
        var added: [ConsumerPartition] = []
        for id in new where index(of: id) == nil {
            let partition = ConsumerPartition(
                id: id, topicPartition: network.metadata.topicPartition(id), position: .unknown)
            insert(partition)
            added.append(partition)
        }
        guard !added.isEmpty else { return false }
        return call(.assigned, added, .added, effects: &effects)
    }

    private mutating func call(
        _ kind: RebalanceCallback, _ concerned: [ConsumerPartition], _ pending: PendingCallback,
        effects: inout [ClientEffect]
    ) -> Bool {
        callback = pending
        effects.append(.callback(kind, concerned.map(\.topicPartition).sorted()))
        return true
    }

    /// The application's callback has returned.
    package mutating func callbackFinished(now: Instant, effects: inout [ClientEffect]) {
        guard let finished = callback else { return }
        callback = nil
        switch finished {
        case .dropAll:
            drop(partitions.map(\.id))
        case .drop(let gone, let then):
            drop(gone)
            if case .assigned = membership?.state { _ = add(then, hasRevoked: true, effects: &effects) }
        case .added:
            break
        case .closing:
            drop(partitions.map(\.id))
            leave(now: now, effects: &effects)
        }
        settle(now: now, effects: &effects)
    }

    private mutating func drop(_ gone: [PartitionID]) {
        for partition in partitions where gone.contains(partition.id) {
            formerPositions[partition.id] = partition.offset
        }
        partitions.removeAll { gone.contains($0.id) }
        nextPartition = 0
    }

    // MARK: Positions

    /// Finds where to begin in partitions that have no position: the committed offset, or what the reset policy says.
    mutating func drivePositions(now: Instant, effects: inout [ClientEffect]) {
        var unknown: [PartitionID] = []
        for index in partitions.indices where !partitions[index].isOffsetRequestInFlight {
            if let at = partitions[index].retryAt {
                guard at <= now else {
                    network.arm(at, effects: &effects)
                    continue
                }
                partitions[index].retryAt = nil
            }
            switch partitions[index].position {
            case .at: break
            case .unknown: unknown.append(partitions[index].id)
            case .resetting(let policy): resetOffset(index, policy, now: now, effects: &effects)
            }
        }
        guard !unknown.isEmpty, let membership, let coordinator = membership.coordinator, membership.isInGeneration,
            network.isReady(coordinator, .coordinator, now: now, effects: &effects)
        else { return }
        for id in unknown { partitions[index(of: id)!].isOffsetRequestInFlight = true }
        let request = OffsetFetchRequest(group: membership.group, partitions: unknown, requiresStable: true)
        network.send(
            .offsetFetch(request), to: coordinator, .coordinator, .positions(unknown), now: now, effects: &effects)
    }

    private mutating func resetOffset(
        _ index: Int, _ policy: OffsetReset, now: Instant, effects: inout [ClientEffect]
    ) {
        guard let image = network.metadata.partition(partitions[index].id), image.leader != .none else {
            network.requestMetadata()
            return
        }
        guard network.isReady(image.leader, .metadata, now: now, effects: &effects) else { return }
        partitions[index].isOffsetRequestInFlight = true
        let entry = ListOffsetsEntry(
            partition: image.id,
            specification: policy == .earliest ? .earliest : .latest(isReadCommitted: settings.isReadCommitted),
            currentLeaderEpoch: image.leaderEpoch)
        network.send(
            .listOffsets([entry]), to: image.leader, .metadata, .listOffsets([image.id]), now: now,
            effects: &effects)
    }

    mutating func positionsFetched(
        _ asked: [PartitionID], _ offsets: [PartitionOffset], _ error: KafkaErrorCode, now: Instant
    ) {
        for id in asked {
            guard let index = index(of: id) else { continue }
            partitions[index].isOffsetRequestInFlight = false
            guard case .unknown = partitions[index].position else { continue }
            guard error == .none else {
                partitions[index].retryAt = now + network.settings.retryBackoff
                continue
            }
            if let committed = offsets.first(where: { $0.partition == id }) {
                partitions[index].position = .at(committed.offset)
            } else {
                reset(index, "group \(settings.groupID ?? "?") has no committed offset for it", .noOffset)
            }
        }
        if error == .notCoordinator || error == .coordinatorNotAvailable { membership?.coordinator = nil }
    }

    /// No valid position: `auto.offset.reset` decides, or the next poll fails.
    mutating func reset(_ index: Int, _ reason: String, _ error: KafkaErrorCode) {
        switch settings.offsetReset {
        case .earliest, .latest:
            partitions[index].dropBuffered()
            partitions[index].told = nil
            partitions[index].position = .resetting(settings.offsetReset)
        case .none:
            let name = partitions[index].topicPartition
            pollError = EventLogError(error, "\(name): \(reason), and auto.offset.reset is none", outcome: .noEffect)
            partitions[index].told = nil
            partitions[index].retryAt = nil
        }
    }

    mutating func offsetsListed(_ results: [ListOffsetsResult], now: Instant) {
        for result in results {
            guard let index = index(of: result.partition) else { continue }
            partitions[index].isOffsetRequestInFlight = false
            guard case .resetting = partitions[index].position else { continue }
            guard result.error == .none else {
                partitions[index].retryAt = now + network.settings.retryBackoff
                network.requestMetadata()
                continue
            }
            partitions[index].seek(to: result.offset)
        }
    }

    mutating func offsetRequestFailed(_ asked: [PartitionID], now: Instant) {
        for id in asked {
            guard let index = index(of: id) else { continue }
            partitions[index].isOffsetRequestInFlight = false
            partitions[index].retryAt = now + network.settings.retryBackoff
        }
        network.requestMetadata()
    }
}
