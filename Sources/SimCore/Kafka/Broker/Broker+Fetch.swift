import Ports

/// Fetch requests of consumers and followers, and the fetch purgatory (ReplicaManager.fetchMessages, DelayedFetch).
///
/// What has something to say is queued in its session when it happens, so an answer costs as much as there is news, not as
/// many partitions as the session has.
extension Broker {
    func lastFetch(of node: NodeID) -> Instant? { followerFetches.first { $0.node == node }?.at }

    mutating func fetch(
        _ request: FetchRequest, _ handle: ResponseHandle, now: Instant, effects: inout [NodeEffect]
    ) {
        let slot = Int(handle.slot)
        if request.isFull {
            endSession(handle.slot)
            connections[slot].session = FetchSession(request)
        } else if !connections[slot].session.isOpen {
            return respond(handle, .fetch(.fetchSessionIDNotFound, []), effects: &effects)
        }
        for partition in request.forgotten { forget(partition, slot: slot) }
        for position in request.changed {
            update(position, request, slot: slot, now: now, effects: &effects)
        }
        if request.replica != .none { noteFetch(by: request.replica, now: now) }
        // The connection may have gone meanwhile, with an answer to an acks=0 request.
        guard connections[slot].session.isOpen else { return }
        let deadline = now + request.maximumWait
        connections[slot].session.parked = FetchSession.Parked(
            correlation: handle.correlation, deadline: deadline, minimumBytes: request.minimumBytes)
        if !connections[slot].session.ready.isEmpty || request.maximumWait <= .zero {
            schedule(handle.slot)
        } else {
            arm(deadline, effects: &effects)
        }
    }

    private mutating func noteFetch(by node: NodeID, now: Instant) {
        if let known = followerFetches.firstIndex(where: { $0.node == node }) {
            followerFetches[known].at = now
        } else {
            followerFetches.append((node, now))
        }
    }

    /// Takes a partition's new position into its session.
    private mutating func update(
        _ position: FetchPosition, _ request: FetchRequest, slot: Int, now: Instant, effects: inout [NodeEffect]
    ) {
        let isFollower = request.replica != .none
        let entry = connections[slot].session.upsert(position)
        guard let index = replicaIndex(position.partition) else {
            return connections[slot].session.markReady(entry)
        }
        if !connections[slot].session.entries[entry].isWatching {
            connections[slot].session.entries[entry].isWatching = true
            replicas[index].watchers.append(
                FetchWatcher(connection: Int32(slot), entry: Int32(entry), isFollower: isFollower))
        }
        guard isValid(position, index) else { return connections[slot].session.markReady(entry) }
        if isFollower {
            noteFollowerFetch(
                index, from: request.replica, brokerEpoch: request.brokerEpoch, offset: position.offset, now: now,
                effects: &effects)
        }
        if position.offset < readableEnd(index, slot) {
            connections[slot].session.markReady(entry)
        }
    }

    /// Whether a fetch from there can be served with data, now or later: the leader is right, and so is the offset.
    private func isValid(_ position: FetchPosition, _ index: Int) -> Bool {
        guard !hasStorageFailed, replicas[index].check(leaderEpoch: position.currentLeaderEpoch) == .none,
            position.offset >= replicas[index].log.startOffset, position.offset <= replicas[index].log.endOffset
        else { return false }
        return divergence(position.offset, position.lastFetchedEpoch, index) == nil
    }

    /// Where the fetcher's log leaves this one (KIP-595): `nil` when it does not.
    private func divergence(_ offset: Int64, _ lastFetchedEpoch: Int32, _ index: Int) -> EpochEndOffset? {
        guard lastFetchedEpoch >= 0, lastFetchedEpoch != replicas[index].log.epochs.latestEpoch else { return nil }
        let end = replicas[index].log.endOffset(ofEpoch: lastFetchedEpoch)
        guard end.epoch < lastFetchedEpoch || end.endOffset < offset else { return nil }
        return end
    }

    @inline(__always) private func readableEnd(_ index: Int, _ slot: Int) -> Int64 {
        if connections[slot].session.isFollower { return replicas[index].log.endOffset }
        return connections[slot].session.isReadCommitted
            ? replicas[index].log.lastStableOffset : replicas[index].log.highWatermark
    }

    // MARK: Waking

    @inline(__always) mutating func schedule(_ slot: Int32) {
        guard !connections[Int(slot)].session.isScheduled else { return }
        connections[Int(slot)].session.isScheduled = true
        scheduledFetches.append(slot)
    }

    private mutating func wake(_ watcher: FetchWatcher, unconditionally: Bool = false) {
        let slot = Int(watcher.connection)
        let entry = Int(watcher.entry)
        guard unconditionally || connections[slot].session.entries[entry].isActive else { return }
        connections[slot].session.markReady(entry)
        if connections[slot].session.parked != nil { schedule(watcher.connection) }
    }

    /// The leader's log grew: its followers may fetch.
    mutating func wakeFollowers(_ index: Int) {
        for watcher in replicas[index].watchers where watcher.isFollower { wake(watcher) }
    }

    /// The high watermark moved: consumers may read on. Followers learn of it with their next answer, one fetch behind.
    mutating func wakeReaders(_ index: Int, stableMoved: Bool) {
        for watcher in replicas[index].watchers {
            let slot = Int(watcher.connection)
            if watcher.isFollower {
                connections[slot].session.markStale(Int(watcher.entry))
            } else if stableMoved || !connections[slot].session.isReadCommitted {
                wake(watcher)
            }
        }
    }

    /// Leadership changed: every fetch of this partition is answered, if only with an error.
    mutating func wakeWatchers(_ index: Int) {
        for watcher in replicas[index].watchers { wake(watcher, unconditionally: true) }
    }

    // MARK: Answering

    mutating func answerScheduledFetches(now: Instant, effects: inout [NodeEffect]) {
        while let slot = scheduledFetches.popLast() {
            guard let connection = connections[Int(slot)].id else { continue }
            connections[Int(slot)].session.isScheduled = false
            guard let parked = connections[Int(slot)].session.parked else { continue }
            let isDue = parked.deadline <= now
            let results = collect(slot: Int(slot), atLeast: isDue ? 0 : parked.minimumBytes)
            guard let results, isDue || !results.isEmpty else {
                arm(parked.deadline, effects: &effects)
                continue
            }
            connections[Int(slot)].session.parked = nil
            let handle = ResponseHandle(slot: slot, connection: connection, correlation: parked.correlation)
            respond(handle, .fetch(.none, results), effects: &effects)
        }
    }

    /// What the session's ready partitions have to say; `nil` when that is less than `minimumBytes` without any error.
    private mutating func collect(slot: Int, atLeast minimumBytes: Int32) -> [FetchedPartition]? {
        if minimumBytes > 1, readyBytes(slot: slot, upTo: Int(minimumBytes)) < Int(minimumBytes) { return nil }
        var results: [FetchedPartition] = []
        let readyCount = connections[slot].session.ready.count
        results.reserveCapacity(readyCount)
        for position in 0..<readyCount {
            let entry = Int(connections[slot].session.ready[position])
            connections[slot].session.entries[entry].isReady = false
            read(slot: slot, entry: entry, into: &results)
        }
        connections[slot].session.ready.removeAll(keepingCapacity: true)
        // A moved high watermark goes along, but is no reason of its own to answer.
        let staleCount = connections[slot].session.stale.count
        if staleCount > 0, !results.isEmpty || minimumBytes == 0 {
            for position in 0..<staleCount {
                let entry = Int(connections[slot].session.stale[position])
                connections[slot].session.entries[entry].isStale = false
                if let news = highWatermarkNews(slot: slot, entry: entry) { results.append(news) }
            }
            connections[slot].session.stale.removeAll(keepingCapacity: true)
        }
        return results
    }

    private func readyBytes(slot: Int, upTo limit: Int) -> Int {
        var bytes = 0
        for ready in connections[slot].session.ready {
            let entry = connections[slot].session.entries[Int(ready)]
            guard let index = replicaIndex(entry.partition), replicas[index].isLeader else { return limit }
            var batches: [StoredBatch] = []
            replicas[index].log.read(
                from: entry.offset, upTo: readableEnd(index, slot), byteLimit: limit, into: &batches)
            bytes += batches.reduce(0) { $0 + $1.batch.byteCount }
            if bytes >= limit { return limit }
        }
        return bytes
    }

    /// Adds one partition's answer, when there is something to say.
    private mutating func read(slot: Int, entry entryIndex: Int, into results: inout [FetchedPartition]) {
        let entry = connections[slot].session.entries[entryIndex]
        guard !entry.isForgotten else { return }
        guard let index = replicaIndex(entry.partition) else {
            connections[slot].session.entries[entryIndex].isActive = false
            return results.append(.failed(entry.partition, .unknownTopicOrPartition))
        }
        if let failure = failure(of: entry, index, isFollower: connections[slot].session.isFollower) {
            connections[slot].session.entries[entryIndex].isActive = false
            return results.append(failure)
        }
        guard entry.isActive else { return }
        let end = readableEnd(index, slot)
        var batches: [StoredBatch] = []
        replicas[index].log.read(
            from: entry.offset, upTo: end, byteLimit: connections[slot].session.partitionByteLimit, into: &batches)
        guard let last = batches.last else { return }
        let highWatermark = replicas[index].log.highWatermark
        connections[slot].session.entries[entryIndex].isActive = false
        connections[slot].session.entries[entryIndex].sentHighWatermark = highWatermark
        let isConsumer = !connections[slot].session.isFollower
        let aborted =
            isConsumer && connections[slot].session.isReadCommitted
            ? replicas[index].log.abortedTransactions(from: entry.offset, upTo: last.lastOffset + 1) : []
        results.append(
            FetchedPartition(
                partition: entry.partition, error: .none, highWatermark: highWatermark,
                logStartOffset: replicas[index].log.startOffset, batches: batches, divergingEpoch: nil,
                abortedTransactions: aborted))
    }

    private func failure(of entry: FetchSession.Entry, _ index: Int, isFollower: Bool) -> FetchedPartition? {
        var result = FetchedPartition.failed(entry.partition, .none)
        if hasStorageFailed {
            result.error = .storageError
            return result
        }
        result.error = replicas[index].check(leaderEpoch: entry.currentLeaderEpoch)
        if result.error != .none { return result }
        result.highWatermark = replicas[index].log.highWatermark
        result.logStartOffset = replicas[index].log.startOffset
        guard entry.isActive else { return nil }
        if let end = divergence(entry.offset, entry.lastFetchedEpoch, index) {
            if end.endOffset < 0 { result.error = .offsetOutOfRange } else { result.divergingEpoch = end }
            return result
        }
        guard entry.offset >= result.logStartOffset, entry.offset <= replicas[index].log.endOffset else {
            result.error = .offsetOutOfRange
            // A follower that is out of range goes by the leader's end.
            if isFollower { result.highWatermark = replicas[index].log.endOffset }
            return result
        }
        return nil
    }

    private mutating func highWatermarkNews(slot: Int, entry entryIndex: Int) -> FetchedPartition? {
        let entry = connections[slot].session.entries[entryIndex]
        guard !entry.isForgotten, let index = replicaIndex(entry.partition), replicas[index].isLeader else {
            return nil
        }
        let highWatermark = replicas[index].log.highWatermark
        guard highWatermark != entry.sentHighWatermark else { return nil }
        connections[slot].session.entries[entryIndex].sentHighWatermark = highWatermark
        return FetchedPartition(
            partition: entry.partition, error: .none, highWatermark: highWatermark,
            logStartOffset: replicas[index].log.startOffset, batches: [], divergingEpoch: nil,
            abortedTransactions: [])
    }

    mutating func expireFetches(now: Instant) {
        for slot in connections.indices {
            guard let parked = connections[slot].session.parked, parked.deadline <= now else { continue }
            schedule(Int32(slot))
        }
    }

    // MARK: Sessions

    private mutating func forget(_ partition: PartitionID, slot: Int) {
        guard let entry = connections[slot].session.index(of: partition) else { return }
        connections[slot].session.entries[entry].isForgotten = true
        connections[slot].session.entries[entry].isActive = false
        connections[slot].session.entries[entry].isWatching = false
        guard let index = replicaIndex(partition) else { return }
        replicas[index].watchers.removeAll { $0.connection == Int32(slot) }
    }

    /// Ends a connection's fetch session: nothing wakes it any more.
    mutating func endSession(_ slot: Int32) {
        guard connections[Int(slot)].session.isOpen else { return }
        for entry in connections[Int(slot)].session.entries {
            guard let index = replicaIndex(entry.partition) else { continue }
            replicas[index].watchers.removeAll { $0.connection == slot }
        }
        connections[Int(slot)].session = .none
    }
}
