import Ports

/// Becoming leader or follower as the metadata says, and keeping the ISR (ReplicaManager.applyDelta, Partition).
extension Broker {
    mutating func apply(_ newer: ClusterMetadata, now: Instant, effects: inout [NodeEffect]) {
        metadata = newer
        // A fenced broker reports at once that it has caught up.
        if isFenced, nextHeartbeatAt != nil { nextHeartbeatAt = now }
        for image in newer.partitions where image.replicas.contains(id) {
            let index =
                replicaIndex(image.id)
                ?? addReplica(
                    image.id, newer.configuration(of: image.id), topic: newer.topics[image.topic.index].name)
            if image.leaderEpoch > replicas[index].leaderEpoch {
                if image.leader == id {
                    becomeLeader(index, image, now: now, effects: &effects)
                } else {
                    becomeFollower(index, image, now: now, effects: &effects)
                }
            } else if image.partitionEpoch > replicas[index].partitionEpoch {
                adopt(image, index, now: now, effects: &effects)
            }
        }
        expandInSyncReplicas(now: now)
        groups.metadataChanged(newer)
        transactions.metadataChanged(newer, now: now, directives: &directives)
    }

    private mutating func becomeLeader(
        _ index: Int, _ image: PartitionImage, now: Instant, effects: inout [NodeEffect]
    ) {
        leaveFetcher(index)
        replicas[index].isLeader = true
        replicas[index].leader = id
        replicas[index].leaderEpoch = image.leaderEpoch
        replicas[index].partitionEpoch = image.partitionEpoch
        replicas[index].replicas = image.replicas
        replicas[index].inSyncReplicas = image.inSyncReplicas
        replicas[index].proposedInSyncReplicas = nil
        replicas[index].log.beginEpoch(image.leaderEpoch)
        replicas[index].leaderEpochStartOffset = replicas[index].log.endOffset
        replicas[index].remotes = image.replicas.filter { $0 != id }.map { node in
            let isInSync = image.inSyncReplicas.contains(node)
            return RemoteReplica(
                node: node, lastCaughtUpAt: isInSync ? now : .epoch - .hours(24), lastFetchAt: now,
                isInMaximalISR: isInSync)
        }
        // Whoever still fetches under the old epoch has to be told.
        wakeWatchers(index)
        advanceHighWatermark(index, now: now, effects: &effects)
        switch replicas[index].coordinator {
        case .group: groups.load(image.id, epoch: image.leaderEpoch, from: replicas[index].log, now: now)
        case .transaction:
            transactions.load(
                image.id, epoch: image.leaderEpoch, from: replicas[index].log, now: now, directives: &directives)
        case nil: break
        }
    }

    private mutating func becomeFollower(
        _ index: Int, _ image: PartitionImage, now: Instant, effects: inout [NodeEffect]
    ) {
        let wasLeader = replicas[index].isLeader
        leaveFetcher(index)
        replicas[index].isLeader = false
        replicas[index].leader = image.leader
        replicas[index].leaderEpoch = image.leaderEpoch
        replicas[index].partitionEpoch = image.partitionEpoch
        replicas[index].replicas = image.replicas
        replicas[index].inSyncReplicas = image.inSyncReplicas
        replicas[index].proposedInSyncReplicas = nil
        replicas[index].remotes = []
        if wasLeader {
            failWaitingProduces(index, .notLeaderOrFollower, effects: &effects)
            switch replicas[index].coordinator {
            case .group: groups.unload(image.id, directives: &directives)
            case .transaction: transactions.unload(image.id, directives: &directives)
            case nil: break
            }
        }
        wakeWatchers(index)
        if image.leader != .none { follow(index, now: now, effects: &effects) }
    }

    /// The same leader, another ISR.
    private mutating func adopt(
        _ image: PartitionImage, _ index: Int, now: Instant, effects: inout [NodeEffect]
    ) {
        replicas[index].partitionEpoch = image.partitionEpoch
        replicas[index].inSyncReplicas = image.inSyncReplicas
        guard replicas[index].isLeader else { return }
        replicas[index].proposedInSyncReplicas = nil
        replicas[index].refreshMaximalISR()
        advanceHighWatermark(index, now: now, effects: &effects)
        completeWaitingProduces(index, effects: &effects)
    }

    // MARK: High watermark

    /// Moves the high watermark to the smallest end among the replicas that count, while the ISR is large enough
    /// (KIP-966; Partition.maybeIncrementLeaderHW). Then whoever waited for it is served.
    mutating func advanceHighWatermark(_ index: Int, now: Instant, effects: inout [NodeEffect]) {
        guard !replicas[index].isUnderMinimumISR else { return }
        let leaderEnd = replicas[index].log.endOffset
        var candidate = leaderEnd
        for remote in replicas[index].remotes where remote.logEndOffset < candidate {
            if remote.isInMaximalISR || isAboutToJoin(remote, leaderEnd: leaderEnd, now: now) {
                candidate = remote.logEndOffset
            }
        }
        guard candidate > replicas[index].log.highWatermark else { return }
        let oldStable = replicas[index].log.lastStableOffset
        guard replicas[index].log.setHighWatermark(candidate) else { return }
        maintenance.highWatermarkMoved(settings, now: now)
        completeWaitingProduces(index, effects: &effects)
        wakeReaders(index, stableMoved: replicas[index].log.lastStableOffset != oldStable)
    }

    /// A follower that has caught up is waited for even before it is in the ISR; otherwise it might never get there.
    private func isAboutToJoin(_ remote: RemoteReplica, leaderEnd: Int64, now: Instant) -> Bool {
        remote.isCaughtUp(leaderEndOffset: leaderEnd, now: now, lagMaximum: settings.replicaLagTimeMaximum)
            && isEligibleForISR(remote)
    }

    private func isEligibleForISR(_ remote: RemoteReplica) -> Bool {
        guard let broker = metadata.broker(remote.node) else { return false }
        return !broker.isFenced && !broker.isShuttingDown
            && (remote.brokerEpoch < 0 || remote.brokerEpoch == broker.epoch)
    }

    // MARK: ISR

    /// A follower fetched from `offset`: it has everything below. May move the high watermark and the ISR.
    mutating func noteFollowerFetch(
        _ index: Int, from node: NodeID, brokerEpoch: Int64, offset: Int64, now: Instant,
        effects: inout [NodeEffect]
    ) {
        guard let remote = replicas[index].remotes.firstIndex(where: { $0.node == node }) else { return }
        let leaderEnd = replicas[index].log.endOffset
        replicas[index].remotes[remote].follow(
            to: offset, leaderEnd: leaderEnd, brokerEpoch: brokerEpoch, now: now)
        if !replicas[index].remotes[remote].isInMaximalISR { considerExpansion(index, remote) }
        advanceHighWatermark(index, now: now, effects: &effects)
    }

    private mutating func considerExpansion(_ index: Int, _ remote: Int) {
        let candidate = replicas[index].remotes[remote]
        guard replicas[index].proposedInSyncReplicas == nil,
            candidate.logEndOffset >= replicas[index].log.highWatermark,
            candidate.logEndOffset >= replicas[index].leaderEpochStartOffset, isEligibleForISR(candidate)
        else { return }
        propose(index, replicas[index].inSyncReplicas + [candidate.node])
    }

    /// Drops followers that have not caught up for `replica.lag.time.max.ms` (Partition.maybeShrinkIsr).
    mutating func shrinkInSyncReplicas(now: Instant) {
        for index in replicas.indices where replicas[index].isLeader && replicas[index].proposedInSyncReplicas == nil {
            let leaderEnd = replicas[index].log.endOffset
            let remotes = replicas[index].remotes
            let remaining = replicas[index].inSyncReplicas.filter { node in
                guard node != id else { return true }
                guard let remote = remotes.first(where: { $0.node == node }) else { return false }
                return remote.isCaughtUp(
                    leaderEndOffset: leaderEnd, now: now, lagMaximum: settings.replicaLagTimeMaximum)
            }
            if remaining.count < replicas[index].inSyncReplicas.count { propose(index, remaining) }
        }
    }

    /// Looks for followers that have caught up but could not join: they were fenced, or a change was under way.
    ///
    /// A fetch session repeats no unchanged position, so an idle follower's fetches do not bring this up again.
    mutating func expandInSyncReplicas(now: Instant) {
        for index in replicas.indices where replicas[index].isLeader && replicas[index].proposedInSyncReplicas == nil {
            for remote in replicas[index].remotes.indices where !replicas[index].remotes[remote].isInMaximalISR {
                guard let last = lastFetch(of: replicas[index].remotes[remote].node),
                    now - last <= settings.replicaLagTimeMaximum
                else { continue }
                considerExpansion(index, remote)
            }
        }
    }

    private mutating func propose(_ index: Int, _ inSyncReplicas: [NodeID]) {
        replicas[index].proposedInSyncReplicas = inSyncReplicas
        replicas[index].refreshMaximalISR()
        pendingAlterations.append(replicas[index].id)
    }

    mutating func sendAlterations(now: Instant, effects: inout [NodeEffect]) {
        guard !pendingAlterations.isEmpty else { return }
        // One request at a time, as AlterPartitionManager does.
        guard channels.blockedUntil(controller, .coordinator, now: now) == nil else {
            arm(now + settings.reconnectBackoffMaximum, effects: &effects)
            return
        }
        var entries: [AlterPartitionEntry] = []
        for partition in pendingAlterations {
            guard let index = replicaIndex(partition), replicas[index].isLeader,
                let proposed = replicas[index].proposedInSyncReplicas
            else { continue }
            entries.append(
                AlterPartitionEntry(
                    partition: partition, leaderEpoch: replicas[index].leaderEpoch,
                    partitionEpoch: replicas[index].partitionEpoch, inSyncReplicas: proposed))
        }
        pendingAlterations.removeAll(keepingCapacity: true)
        guard !entries.isEmpty else { return }
        let body = KafkaRequestBody.alterPartition(
            AlterPartitionRequest(broker: id, brokerEpoch: brokerEpoch, entries: entries))
        ask(
            controller, .coordinator, body, .alterPartitions(entries.map(\.partition)), now: now,
            effects: &effects)
    }

    mutating func altered(
        _ partitions: [PartitionID], _ error: KafkaErrorCode, _ results: [AlterPartitionResult], now: Instant,
        effects: inout [NodeEffect]
    ) {
        guard error == .none else { return alterationFailed(partitions) }
        for result in results {
            guard let index = replicaIndex(result.partition), replicas[index].isLeader,
                replicas[index].proposedInSyncReplicas != nil
            else { continue }
            replicas[index].proposedInSyncReplicas = nil
            if result.error == .none, result.partitionEpoch > replicas[index].partitionEpoch {
                replicas[index].partitionEpoch = result.partitionEpoch
                replicas[index].inSyncReplicas = result.inSyncReplicas
            }
            replicas[index].refreshMaximalISR()
            advanceHighWatermark(index, now: now, effects: &effects)
            completeWaitingProduces(index, effects: &effects)
        }
    }

    /// The controller could not be asked: the proposal stands, and is sent again.
    mutating func alterationFailed(_ partitions: [PartitionID]) { pendingAlterations.append(contentsOf: partitions) }
}

extension RemoteReplica {
    /// Replica.updateFetchState: a follower that reaches the end the leader had at its last fetch was caught up then.
    mutating func follow(to offset: Int64, leaderEnd: Int64, brokerEpoch: Int64, now: Instant) {
        if offset >= leaderEnd {
            lastCaughtUpAt = max(lastCaughtUpAt, now)
        } else if offset >= leaderEndOffsetAtLastFetch {
            lastCaughtUpAt = max(lastCaughtUpAt, lastFetchAt)
        }
        logEndOffset = offset
        leaderEndOffsetAtLastFetch = leaderEnd
        lastFetchAt = now
        self.brokerEpoch = brokerEpoch
    }
}
