import Ports

/// The fetches of one broker from one leader (ReplicaFetcherThread): one request under way, for all partitions it follows
/// there.
struct ReplicaFetcher: Sendable {
    let leader: NodeID
    /// Indexes of the replicas that follow this leader.
    var members: [Int32] = []
    /// Members whose position the leader does not know yet.
    var dirty: [Int32] = []
    var forgotten: [PartitionID] = []
    /// The next request starts a new session.
    var needsFullFetch = true
    var isInFlight = false
    /// No request before then: the leader could not be reached.
    var blockedUntil: Instant?
}

/// The follower's side of replication.
extension Broker {
    /// Begins to follow the replica's leader, after cutting the log where the protocol of the time says so.
    mutating func follow(_ index: Int, now: Instant, effects: inout [NodeEffect]) {
        let leader = replicas[index].leader
        let fetcher = fetcherIndex(leader)
        fetchers[fetcher].members.append(Int32(index))
        switch settings.truncationProtocol {
        case .divergingEpoch:
            replicas[index].followerState = .fetching
            markDirty(index, fetcher)
        case .highWatermark:
            replicas[index].log.truncate(to: replicas[index].log.highWatermark)
            replicas[index].followerState = .fetching
            markDirty(index, fetcher)
        case .endOffsetForEpoch:
            askForEpochEnd(index, now: now, effects: &effects)
        }
    }

    private mutating func askForEpochEnd(_ index: Int, now: Instant, effects: inout [NodeEffect]) {
        replicas[index].followerState = .awaitingEpochEnd
        let query = EpochEndOffsetQuery(
            partition: replicas[index].id, currentLeaderEpoch: replicas[index].leaderEpoch,
            epoch: replicas[index].log.lastRecordEpoch)
        let leader = replicas[index].leader
        ask(
            leader, .coordinator, .offsetsForLeaderEpoch([query]),
            .epochEnds(leader: leader, partitions: [query.partition]), now: now, effects: &effects)
    }

    private mutating func fetcherIndex(_ leader: NodeID) -> Int {
        if let known = fetchers.firstIndex(where: { $0.leader == leader }) { return known }
        fetchers.append(ReplicaFetcher(leader: leader))
        return fetchers.count - 1
    }

    private mutating func markDirty(_ index: Int, _ fetcher: Int) {
        guard !replicas[index].isDirty else { return }
        replicas[index].isDirty = true
        fetchers[fetcher].dirty.append(Int32(index))
    }

    mutating func leaveFetcher(_ index: Int) {
        guard let fetcher = fetchers.firstIndex(where: { $0.leader == replicas[index].leader }) else { return }
        fetchers[fetcher].members.removeAll { $0 == Int32(index) }
        fetchers[fetcher].dirty.removeAll { $0 == Int32(index) }
        replicas[index].isDirty = false
        fetchers[fetcher].forgotten.append(replicas[index].id)
    }

    /// Sends the next fetch of each fetcher that has none under way.
    mutating func sendFetches(now: Instant, effects: inout [NodeEffect]) {
        for fetcher in fetchers.indices where !fetchers[fetcher].isInFlight {
            if let until = fetchers[fetcher].blockedUntil, until > now {
                arm(until, effects: &effects)
                continue
            }
            guard !fetchers[fetcher].members.isEmpty, !wantsShutdown || isRunning else { continue }
            if !stalledLeaders.isEmpty, stalledLeaders.contains(fetchers[fetcher].leader) { continue }
            sendFetch(fetcher, now: now, effects: &effects)
        }
    }

    private mutating func sendFetch(_ fetcher: Int, now: Instant, effects: inout [NodeEffect]) {
        let isFull = fetchers[fetcher].needsFullFetch
        let candidates = isFull ? fetchers[fetcher].members : fetchers[fetcher].dirty
        var changed: [FetchPosition] = []
        changed.reserveCapacity(candidates.count)
        for candidate in candidates {
            let index = Int(candidate)
            replicas[index].isDirty = false
            guard case .fetching = replicas[index].followerState else { continue }
            replicas[index].toldOffset = replicas[index].log.endOffset
            replicas[index].toldLeaderEpoch = replicas[index].leaderEpoch
            let epoch = settings.truncationProtocol == .divergingEpoch ? replicas[index].log.lastRecordEpoch : -1
            changed.append(
                FetchPosition(
                    partition: replicas[index].id, offset: replicas[index].log.endOffset,
                    currentLeaderEpoch: replicas[index].leaderEpoch, lastFetchedEpoch: epoch))
        }
        if isFull {
            for dirty in fetchers[fetcher].dirty { replicas[Int(dirty)].isDirty = false }
        }
        fetchers[fetcher].dirty.removeAll(keepingCapacity: true)
        let following = fetchers[fetcher].members
        let forgotten =
            isFull
            ? [] : fetchers[fetcher].forgotten.filter { gone in !following.contains { replicas[Int($0)].id == gone } }
        fetchers[fetcher].forgotten.removeAll()
        fetchers[fetcher].needsFullFetch = false
        fetchers[fetcher].isInFlight = true
        let body = KafkaRequestBody.fetch(
            FetchRequest(
                replica: id, brokerEpoch: brokerEpoch, maximumWait: settings.replicaFetchMaximumWait,
                minimumBytes: 1, partitionByteLimit: Int32(settings.replicaFetchPartitionByteLimit),
                isReadCommitted: false, isFull: isFull, changed: changed, forgotten: forgotten))
        let leader = fetchers[fetcher].leader
        ask(
            leader, .data, body, .fetch(leader: leader, partitions: changed.map(\.partition)), now: now,
            effects: &effects)
    }

    mutating func fetched(
        _ results: [FetchedPartition], _ error: KafkaErrorCode, from leader: NodeID, asked: [PartitionID],
        now: Instant, effects: inout [NodeEffect]
    ) {
        guard let fetcher = fetchers.firstIndex(where: { $0.leader == leader }) else { return }
        fetchers[fetcher].isInFlight = false
        guard error == .none else {
            fetchers[fetcher].needsFullFetch = true
            return
        }
        for result in results {
            guard let index = replicaIndex(result.partition), !replicas[index].isLeader,
                replicas[index].leader == leader, case .fetching = replicas[index].followerState
            else { continue }
            guard replicas[index].toldOffset == replicas[index].log.endOffset,
                replicas[index].toldLeaderEpoch == replicas[index].leaderEpoch
            else {
                markDirty(index, fetcher)
                continue
            }
            if result.error == .none {
                take(result, index, fetcher, effects: &effects)
            } else if result.error == .offsetOutOfRange, result.highWatermark >= 0 {
                restart(index, fetcher, leaderStart: result.logStartOffset, leaderEnd: result.highWatermark)
            } else {
                delay(result.partition, now: now, effects: &effects)
            }
        }
    }

    /// What the leader sent for one partition: records, a new high watermark, or where the logs part.
    private mutating func take(
        _ result: FetchedPartition, _ index: Int, _ fetcher: Int, effects: inout [NodeEffect]
    ) {
        if let diverging = result.divergingEpoch {
            let end = replicas[index].log.endOffset
            replicas[index].log.truncate(to: truncationOffset(index, leader: diverging))
            truncatedRecordCount += end - replicas[index].log.endOffset
            markDirty(index, fetcher)
            return
        }
        for stored in result.batches where stored.baseOffset >= replicas[index].log.endOffset {
            let oldEnd = replicas[index].log.endOffset
            if replicas[index].log.append(stored) {
                effects.append(.flush(result.partition, upTo: oldEnd))
            }
        }
        _ = replicas[index].log.setHighWatermark(result.highWatermark)
        replicas[index].log.advanceStart(to: result.logStartOffset)
        if !result.batches.isEmpty { markDirty(index, fetcher) }
    }

    /// AbstractFetcherThread.getOffsetTruncationState: back to the end of the largest epoch that both logs know.
    private func truncationOffset(_ index: Int, leader: EpochEndOffset) -> Int64 {
        let own = replicas[index].log.endOffset(ofEpoch: leader.epoch)
        if own.epoch < 0 { return min(leader.endOffset, replicas[index].log.endOffset) }
        // When the epochs differ, this is a step only: the next fetch shows whether the logs agree now.
        return own.epoch == leader.epoch ? min(own.endOffset, leader.endOffset) : own.endOffset
    }

    /// The leader no longer has, or never had, what comes next here (AbstractFetcherThread.fetchOffsetAndTruncate).
    private mutating func restart(_ index: Int, _ fetcher: Int, leaderStart: Int64, leaderEnd: Int64) {
        if replicas[index].log.endOffset > leaderStart {
            replicas[index].log.truncate(to: leaderEnd)
        } else {
            replicas[index].log.truncateFully(startingAt: leaderStart)
        }
        markDirty(index, fetcher)
    }

    /// The leader's answer to OffsetsForLeaderEpoch, under KIP-101 without KIP-279: only an offset counts.
    mutating func learned(_ results: [EpochEndOffsetResult], from leader: NodeID, now: Instant) {
        for result in results {
            guard let index = replicaIndex(result.partition), replicas[index].leader == leader,
                case .awaitingEpochEnd = replicas[index].followerState
            else { continue }
            guard result.error == .none else {
                replicas[index].followerState = .delayed(until: now + settings.replicaFetchBackoff)
                continue
            }
            let end = result.end.endOffset
            replicas[index].log.truncate(to: end < 0 ? replicas[index].log.highWatermark : end)
            replicas[index].followerState = .fetching
            markDirty(index, fetcherIndex(leader))
        }
    }

    mutating func delay(_ partition: PartitionID, now: Instant, effects: inout [NodeEffect]) {
        guard let index = replicaIndex(partition), !replicas[index].isLeader else { return }
        let until = now + settings.replicaFetchBackoff
        replicas[index].followerState = .delayed(until: until)
        arm(until, effects: &effects)
    }

    mutating func resumeDelayedFollowers(now: Instant) {
        for fetcher in fetchers.indices {
            for member in fetchers[fetcher].members {
                guard case .delayed(let until) = replicas[Int(member)].followerState, until <= now else { continue }
                replicas[Int(member)].followerState = .fetching
                markDirty(Int(member), fetcher)
            }
        }
    }

    mutating func fetchFailed(from leader: NodeID, now: Instant, effects: inout [NodeEffect]) {
        guard let fetcher = fetchers.firstIndex(where: { $0.leader == leader }) else { return }
        fetchers[fetcher].isInFlight = false
        fetchers[fetcher].needsFullFetch = true
        fetchers[fetcher].blockedUntil = now + settings.replicaFetchBackoff
        arm(now + settings.replicaFetchBackoff, effects: &effects)
    }
}
