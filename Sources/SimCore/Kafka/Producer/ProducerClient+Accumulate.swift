import Ports

/// Collecting records into batches, and records' results into those of calls (RecordAccumulator).
///
/// This runs once for every record of a simulation: it looks at records where they are and copies only what a batch keeps.
extension ProducerClient {
    mutating func areTopicsKnown(_ records: [ProducerRecord]) -> Bool {
        records.withUnsafeBufferPointer { buffer in
            for index in buffer.indices where lastTopic.name != buffer[index].topic {
                guard lastTopic.find(buffer[index].topic, in: network.metadata) else { return false }
            }
            return true
        }
    }

    mutating func accumulate(
        _ records: [ProducerRecord], _ id: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        let slot = addCall(id, count: records.count)
        records.withUnsafeBufferPointer { buffer in
            for index in buffer.indices {
                if lastTopic.name != buffer[index].topic {
                    _ = lastTopic.find(buffer[index].topic, in: network.metadata)
                }
                let destination = RecordDestination(call: slot, index: Int32(truncatingIfNeeded: index))
                let number = choosePartition(buffer[index].partition, buffer[index].key)
                let bytes = Self.byteCount(buffer[index].key, buffer[index].value, buffer[index].headers)
                guard number >= 0, number < lastTopic.partitionCount else {
                    refuse(
                        destination, .unknownPartition, "\(buffer[index].topic) has no partition \(number)",
                        effects: &effects)
                    continue
                }
                guard bytes <= Self.maximumRequestByteCount else {
                    refuse(
                        destination, .messageTooLarge,
                        "a record of \(bytes) bytes for \(buffer[index].topic) is larger than max.request.size",
                        effects: &effects)
                    continue
                }
                let partition = Int(lastTopic.firstPartition + number)
                prepareBatch(partition, number, bytes, count: buffer.count, now: now, effects: &effects)
                partitions[partition].open.add(
                    LogRecord(
                        key: buffer[index].key, value: buffer[index].value, headers: buffer[index].headers,
                        timestamp: now), bytes, destination)
            }
        }
    }

    /// ``ProducerRecord/estimatedByteCount``, without a copy of the record.
    @inline(__always) private static func byteCount(
        _ key: String?, _ value: Payload?, _ headers: [RecordHeader]
    ) -> Int {
        var count = 16
        if let key { count += key.utf8.count }
        switch value {
        case .bytes(let bytes)?: count += bytes.count
        case .json(let json)?: count += json.estimatedByteCount
        case nil: break
        }
        for header in headers { count += header.name.utf8.count + header.value.utf8.count + 2 }
        return count
    }

    /// `max.request.size`
    static var maximumRequestByteCount: Int { 1_048_576 }

    private mutating func refuse(
        _ destination: RecordDestination, _ error: KafkaErrorCode, _ message: String,
        effects: inout [ClientEffect]
    ) {
        resolve(destination, nil, EventLogError(error, message, outcome: .noEffect), effects: &effects)
    }

    private mutating func addCall(_ id: CallID, count: Int) -> Int32 {
        let slot: Int32
        if let free = freeCalls.popLast() {
            slot = free
            calls[Int(slot)].id = id
            calls[Int(slot)].remaining = count
        } else {
            slot = Int32(calls.count)
            calls.append(ProducerCall(id: id, results: [], remaining: count))
        }
        calls[Int(slot)].results.reserveCapacity(count)
        for _ in 0..<count { calls[Int(slot)].results.append(ProducerCall.Result()) }
        return slot
    }

    /// The partition of a record of the topic that was looked up last.
    @inline(__always) private mutating func choosePartition(_ given: Int32?, _ key: String?) -> Int32 {
        if let given { return given }
        if let key { return Murmur2.partition(of: key, count: lastTopic.partitionCount) }
        // Without a key: one partition until its batch is full, then the next.
        while stickyPartitions.count <= Int(lastTopic.index) { stickyPartitions.append(0) }
        return stickyPartitions[Int(lastTopic.index)] % lastTopic.partitionCount
    }

    /// Sees to it that the partition's open batch has room for `bytes` more.
    @inline(__always) private mutating func prepareBatch(
        _ index: Int, _ number: Int32, _ bytes: Int, count: Int, now: Instant, effects: inout [ClientEffect]
    ) {
        while partitions.count <= index { partitions.append(.unknown) }
        if !partitions[index].isKnown {
            partitions[index] = ProducerPartition(
                id: PartitionID(Int32(index)), topicPartition: TopicPartition(lastTopic.name, number))
        }
        if partitions[index].hasOpenBatch, partitions[index].open.byteCount + bytes > settings.batchByteLimit {
            closeOpenBatch(index)
            while stickyPartitions.count <= Int(lastTopic.index) { stickyPartitions.append(0) }
            stickyPartitions[Int(lastTopic.index)] = (stickyPartitions[Int(lastTopic.index)] &+ 1) & .max
        }
        guard !partitions[index].hasOpenBatch else { return }
        partitions[index].open.begin(capacity: min(count, 128), now: now)
        activate(index)
        if settings.linger > .zero { network.arm(now + settings.linger, effects: &effects) }
    }

    // MARK: Results

    /// Notes one record's result, its offset or its failure; the call completes with its last.
    @inline(__always) mutating func resolve(
        _ destination: RecordDestination, _ written: ProducerCall.Result?, _ error: EventLogError?,
        effects: inout [ClientEffect]
    ) {
        let slot = Int(destination.call)
        if let written {
            calls[slot].results[Int(destination.index)] = written
        } else if let error, calls[slot].failure.map({ destination.index < $0.index }) ?? true {
            calls[slot].failure = (destination.index, error)
        }
        calls[slot].remaining -= 1
        if calls[slot].remaining == 0 { complete(destination.call, effects: &effects) }
    }

    private mutating func complete(_ slot: Int32, effects: inout [ClientEffect]) {
        guard let id = calls[Int(slot)].id else { return }
        let result: ClientResult
        if let failure = calls[Int(slot)].failure {
            result = .failed(failure.error)
        } else {
            let results = calls[Int(slot)].results
            result = .sent(
                results.map { written in
                    RecordMetadata(
                        partitions[Int(written.partition)].topicPartition,
                        offset: written.offset >= 0 ? written.offset : nil)
                })
        }
        calls[Int(slot)].id = nil
        calls[Int(slot)].failure = nil
        calls[Int(slot)].results.removeAll(keepingCapacity: true)
        freeCalls.append(slot)
        effects.append(.complete(id, result))
    }
}

extension ProducerBatch {
    mutating func begin(capacity: Int, now: Instant) {
        createdAt = now
        maximumTimestamp = now
        records.reserveCapacity(capacity)
        destinations.reserveCapacity(capacity)
    }

    @inline(__always)
    mutating func add(_ record: LogRecord, _ bytes: Int, _ destination: RecordDestination) {
        maximumTimestamp = record.timestamp
        records.append(record)
        destinations.append(destination)
        byteCount += bytes
    }
}
