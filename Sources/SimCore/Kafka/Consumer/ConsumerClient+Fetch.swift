import Ports

/// Fetching ahead: one request to each leader, for the partitions of which not enough is buffered.
extension ConsumerClient {
    /// Whether more can be asked for, by what is buffered of all partitions (librdkafka's `queued.max.messages.kbytes`). What is
    /// held of paused partitions does not count: librdkafka throws it away.
    private var hasRoom: Bool {
        guard settings.fetchAheadByteLimit > 0 else { return true }
        var byteCount = 0
        for index in partitions.indices where !partitions[index].isPaused {
            byteCount += partitions[index].bufferedByteCount
        }
        return byteCount < settings.fetchAheadByteLimit
    }

    private func isFetchable(_ index: Int, hasRoom: Bool, now: Instant) -> Bool {
        guard hasRoom, !partitions[index].isPaused, partitions[index].offset != nil else { return false }
        // Java's client asks for more of a partition only when it holds nothing of it.
        if settings.fetchAheadByteLimit == 0, partitions[index].hasBuffered { return false }
        return partitions[index].retryAt.map { $0 <= now } ?? true
    }

    mutating func sendFetches(now: Instant, effects: inout [ClientEffect]) {
        guard !partitions.isEmpty, closing == nil, pollError == nil else { return }
        let hasRoom = hasRoom
        for index in partitions.indices where isFetchable(index, hasRoom: hasRoom, now: now) {
            guard let image = network.metadata.partition(partitions[index].id), image.leader != .none else {
                network.requestMetadata()
                continue
            }
            if let told = partitions[index].told, told.node == image.leader { continue }
            let fetcher = fetcherIndex(image.leader)
            guard !fetchers[fetcher].isInFlight else { continue }
            sendFetch(fetcher, hasRoom: hasRoom, now: now, effects: &effects)
        }
        // Sessions that are idle wait for more at the broker.
        for fetcher in fetchers.indices where !fetchers[fetcher].isInFlight {
            let node = fetchers[fetcher].node
            let isWaiting = partitions.indices.contains {
                partitions[$0].told?.node == node && isFetchable($0, hasRoom: hasRoom, now: now)
            }
            if isWaiting { sendFetch(fetcher, hasRoom: hasRoom, now: now, effects: &effects) }
        }
    }

    private mutating func fetcherIndex(_ node: NodeID) -> Int {
        if let known = fetchers.firstIndex(where: { $0.node == node }) { return known }
        fetchers.append(ConsumerFetcher(node: node))
        return fetchers.count - 1
    }

    private mutating func sendFetch(
        _ fetcher: Int, hasRoom: Bool, now: Instant, effects: inout [ClientEffect]
    ) {
        let node = fetchers[fetcher].node
        guard network.isReady(node, .data, now: now, effects: &effects) else { return }
        let isFull = fetchers[fetcher].needsFullFetch
        var changed: [FetchPosition] = []
        var wanted: [PartitionID] = []
        for index in partitions.indices where isFetchable(index, hasRoom: hasRoom, now: now) {
            guard let image = network.metadata.partition(partitions[index].id), image.leader == node,
                let offset = partitions[index].fetchOffset
            else { continue }
            wanted.append(image.id)
            if !isFull, let told = partitions[index].told, told.node == node, told.offset == offset { continue }
            partitions[index].told = (node, offset)
            changed.append(
                FetchPosition(
                    partition: image.id, offset: offset, currentLeaderEpoch: image.leaderEpoch,
                    lastFetchedEpoch: partitions[index].fetchEpoch))
        }
        // What is not asked for now stays in the session: the broker sends nothing before it is told the next position.
        let assigned = partitions.map(\.id)
        let forgotten =
            isFull
            ? []
            : fetchers[fetcher].members.filter { id in
                guard let index = assigned.firstIndex(of: id) else { return true }
                return network.metadata.partition(id)?.leader != node || partitions[index].isPaused
            }
        for id in forgotten {
            if let index = index(of: id), partitions[index].told?.node == node { partitions[index].told = nil }
        }
        fetchers[fetcher].members.removeAll { isFull || forgotten.contains($0) }
        for id in wanted where !fetchers[fetcher].members.contains(id) { fetchers[fetcher].members.append(id) }
        fetchers[fetcher].needsFullFetch = false
        fetchers[fetcher].isInFlight = true
        let body = KafkaRequestBody.fetch(
            FetchRequest(
                replica: .none, brokerEpoch: -1, maximumWait: settings.fetchMaximumWait, minimumBytes: 1,
                partitionByteLimit: Int32(clamping: settings.maximumPartitionFetchBytes),
                isReadCommitted: settings.isReadCommitted, isFull: isFull, changed: changed, forgotten: forgotten))
        network.send(body, to: node, .data, .fetch(node), now: now, effects: &effects)
    }

    mutating func fetched(_ results: [FetchedPartition], _ error: KafkaErrorCode, from node: NodeID, now: Instant) {
        guard let fetcher = fetchers.firstIndex(where: { $0.node == node }) else { return }
        fetchers[fetcher].isInFlight = false
        guard error == .none else { return restartSession(fetcher) }
        for result in results {
            guard let index = index(of: result.partition), let told = partitions[index].told, told.node == node
            else { continue }
            partitions[index].told = nil
            // After a seek, an answer for the old position is void.
            guard partitions[index].fetchOffset == told.offset else { continue }
            take(result, index, now: now)
        }
    }

    private mutating func take(_ result: FetchedPartition, _ index: Int, now: Instant) {
        if let diverging = result.divergingEpoch { return truncated(index, diverging) }
        switch result.error {
        case .none:
            partitions[index].append(result.batches, aborted: result.abortedTransactions)
        case .offsetOutOfRange where partitions[index].hasBuffered:
            // Perhaps only what would follow is out of range: the position itself is asked about next.
            partitions[index].dropBuffered()
        case .offsetOutOfRange:
            let offset = partitions[index].offset ?? -1
            reset(index, "offset \(offset) is out of range", .offsetOutOfRange)
        default:
            partitions[index].retryAt = now + network.settings.retryBackoff
            network.requestMetadata()
        }
    }

    /// The log was cut below the position (KIP-320): an unclean election lost what has been read already.
    private mutating func truncated(_ index: Int, _ diverging: EpochEndOffset) {
        // Perhaps only what is buffered is lost: the position itself is asked about next.
        guard !partitions[index].hasBuffered else { return partitions[index].dropBuffered() }
        guard settings.offsetReset != .none else {
            return reset(
                index, "the log was truncated to \(diverging.endOffset), below the position", .offsetOutOfRange)
        }
        partitions[index].seek(to: diverging.endOffset)
        partitions[index].lastEpoch = diverging.epoch
    }

    private mutating func restartSession(_ fetcher: Int) {
        fetchers[fetcher].needsFullFetch = true
        fetchers[fetcher].members.removeAll()
        let node = fetchers[fetcher].node
        for index in partitions.indices where partitions[index].told?.node == node { partitions[index].told = nil }
    }

    mutating func fetchFailed(from node: NodeID) {
        guard let fetcher = fetchers.firstIndex(where: { $0.node == node }) else { return }
        fetchers[fetcher].isInFlight = false
        restartSession(fetcher)
        network.requestMetadata()
    }
}
