import Ports

/// Produce requests and the produce purgatory (ReplicaManager.appendRecords, DelayedProduce).
extension Broker {
    mutating func produce(
        _ request: ProduceRequest, _ handle: ResponseHandle, now: Instant, effects: inout [NodeEffect]
    ) {
        let isAll = request.acknowledgement == .all
        var results: [ProduceResult] = []
        results.reserveCapacity(request.entries.count)
        var delayed = -1
        for (position, entry) in request.entries.enumerated() {
            let (error, baseOffset) = appendFromClient(entry, isAll: isAll, now: now, effects: &effects)
            results.append(ProduceResult(partition: entry.partition, error: error, baseOffset: baseOffset))
            guard isAll, error == .none, let index = replicaIndex(entry.partition) else { continue }
            let required = baseOffset + Int64(entry.batch.recordCount)
            if replicas[index].log.highWatermark >= required {
                if replicas[index].maximalISRCount < replicas[index].effectiveMinimumInSyncReplicas {
                    results[position] = ProduceResult(
                        partition: entry.partition, error: .notEnoughReplicasAfterAppend, baseOffset: -1)
                }
                continue
            }
            if delayed < 0 {
                delayed = beginDelayedProduce(.respond(handle), deadline: now + request.timeout, effects: &effects)
            }
            wait(index, requiredOffset: required, slot: delayed, resultIndex: position)
        }
        if delayed >= 0 {
            delayedProduces[delayed].results = results
        } else if request.acknowledgement == .none {
            // No answer is expected; a failure closes the connection, and that is all the producer learns.
            if results.contains(where: { $0.error != .none }) {
                forget(handle.connection)
                effects.append(.close(handle.connection))
            } else {
                _ = release(handle)
            }
        } else {
            respond(handle, .produce(results), effects: &effects)
        }
    }

    /// Checks and appends a client's batch. Returns the error, and the offset of its first record.
    private mutating func appendFromClient(
        _ entry: ProduceEntry, isAll: Bool, now: Instant, effects: inout [NodeEffect]
    ) -> (KafkaErrorCode, Int64) {
        if hasStorageFailed { return (.storageError, -1) }
        guard let index = replicaIndex(entry.partition) else { return (.unknownTopicOrPartition, -1) }
        guard replicas[index].isLeader else { return (.notLeaderOrFollower, -1) }
        guard replicas[index].coordinator == nil else { return (.invalidRequest, -1) }
        guard entry.batch.byteCount <= settings.batchByteLimit else { return (.messageTooLarge, -1) }
        if isAll, replicas[index].isUnderMinimumISR { return (.notEnoughReplicas, -1) }
        if entry.batch.producer.id >= 0 {
            switch replicas[index].log.producers.decide(entry.batch) {
            case .append: break
            case .duplicate(let baseOffset): return (.none, baseOffset)
            case .refuse(let error): return (error, -1)
            }
        }
        let baseOffset = replicas[index].log.endOffset
        append(entry.batch, index, now: now, effects: &effects)
        return (.none, baseOffset)
    }

    /// Appends a batch as leader and tells whoever waits for it.
    mutating func append(_ batch: RecordBatch, _ index: Int, now: Instant, effects: inout [NodeEffect]) {
        let oldEnd = replicas[index].log.endOffset
        for remote in replicas[index].remotes.indices where replicas[index].remotes[remote].logEndOffset == oldEnd {
            // It had everything until now, as of its last fetch; sessions do not repeat unchanged positions.
            let last = lastFetch(of: replicas[index].remotes[remote].node) ?? now
            if replicas[index].remotes[remote].lastCaughtUpAt < last {
                replicas[index].remotes[remote].lastCaughtUpAt = last
            }
        }
        if replicas[index].log.append(batch, leaderEpoch: replicas[index].leaderEpoch) {
            effects.append(.flush(replicas[index].id, upTo: oldEnd))
        }
        wakeFollowers(index)
        advanceHighWatermark(index, now: now, effects: &effects)
    }

    // MARK: Purgatory

    /// Takes a slot for a request that waits. Its results are filled in by the caller.
    mutating func beginDelayedProduce(
        _ completion: DelayedProduce.Completion, deadline: Instant, effects: inout [NodeEffect]
    ) -> Int {
        let serial = nextProduceSerial
        nextProduceSerial += 1
        let produce = DelayedProduce(
            serial: serial, completion: completion, remaining: 0, deadline: deadline, results: [])
        arm(deadline, effects: &effects)
        if let free = freeDelayedProduces.popLast() {
            delayedProduces[Int(free)] = produce
            return Int(free)
        }
        delayedProduces.append(produce)
        return delayedProduces.count - 1
    }

    mutating func wait(_ index: Int, requiredOffset: Int64, slot: Int, resultIndex: Int) {
        let waiting = WaitingProduce(
            requiredOffset: requiredOffset, slot: Int32(slot), serial: delayedProduces[slot].serial,
            resultIndex: Int32(resultIndex))
        delayedProduces[slot].remaining += 1
        // Nearly always the last: only a duplicate asks for an older offset.
        let position =
            replicas[index].waitingProduces.lastIndex { $0.requiredOffset <= requiredOffset }.map { $0 + 1 } ?? 0
        replicas[index].waitingProduces.insert(waiting, at: position)
    }

    /// Completes what waits for offsets that the high watermark has reached.
    mutating func completeWaitingProduces(_ index: Int, effects: inout [NodeEffect]) {
        let highWatermark = replicas[index].log.highWatermark
        var done = 0
        while done < replicas[index].waitingProduces.count {
            let waiting = replicas[index].waitingProduces[done]
            guard waiting.requiredOffset <= highWatermark else { break }
            done += 1
            let isEnough = replicas[index].maximalISRCount >= replicas[index].effectiveMinimumInSyncReplicas
            complete(waiting, isEnough ? .none : .notEnoughReplicasAfterAppend, effects: &effects)
        }
        if done > 0 { replicas[index].waitingProduces.removeFirst(done) }
    }

    mutating func failWaitingProduces(_ index: Int, _ error: KafkaErrorCode, effects: inout [NodeEffect]) {
        for waiting in replicas[index].waitingProduces { complete(waiting, error, effects: &effects) }
        replicas[index].waitingProduces.removeAll()
    }

    private mutating func complete(
        _ waiting: WaitingProduce, _ error: KafkaErrorCode, effects: inout [NodeEffect]
    ) {
        let slot = Int(waiting.slot)
        guard delayedProduces[slot].serial == waiting.serial else { return }
        if error != .none {
            let result = Int(waiting.resultIndex)
            delayedProduces[slot].results[result] = ProduceResult(
                partition: delayedProduces[slot].results[result].partition, error: error, baseOffset: -1)
        }
        delayedProduces[slot].remaining -= 1
        if delayedProduces[slot].remaining == 0 { finish(slot, effects: &effects) }
    }

    private mutating func finish(_ slot: Int, effects: inout [NodeEffect]) {
        let produce = delayedProduces[slot]
        delayedProduces[slot].serial = -1
        delayedProduces[slot].results = []
        freeDelayedProduces.append(Int32(slot))
        switch produce.completion {
        case .respond(let handle):
            respond(handle, .produce(produce.results), effects: &effects)
        case .coordinator(let kind, let token):
            directives.append(.appended(kind, token: token, produce.results[0].error))
        case .markers(let destination, let producerID, let isCommit):
            finishMarkers(produce.results, destination, producerID, isCommit: isCommit, effects: &effects)
        }
    }

    mutating func expireProduces(now: Instant, effects: inout [NodeEffect]) {
        for slot in delayedProduces.indices
        where delayedProduces[slot].serial >= 0 && delayedProduces[slot].deadline <= now {
            timeOut(slot, effects: &effects)
        }
    }

    /// The wait is over for the partitions that have not got there: REQUEST_TIMED_OUT, though they are written.
    private mutating func timeOut(_ slot: Int, effects: inout [NodeEffect]) {
        let serial = delayedProduces[slot].serial
        for index in replicas.indices {
            for waiting in replicas[index].waitingProduces
            where waiting.serial == serial && waiting.slot == Int32(slot) {
                let result = Int(waiting.resultIndex)
                delayedProduces[slot].results[result] = ProduceResult(
                    partition: replicas[index].id, error: .requestTimedOut, baseOffset: -1)
            }
            replicas[index].waitingProduces.removeAll { $0.serial == serial && $0.slot == Int32(slot) }
        }
        finish(slot, effects: &effects)
    }
}
