package import Ports

/// A producer: collects records into batches, sends them to the partitions' leaders, tries again, and numbers them so that
/// brokers can tell a retry from a new batch (KafkaProducer, Sender, TransactionManager).
package struct ProducerClient: Sendable {
    /// What a request was for.
    enum RequestContext: Sendable {
        case produce([(partition: PartitionID, baseSequence: Int32, serial: Int64)])
        case initProducerID
        case findCoordinator(CoordinatorKind)
        case addPartitions([PartitionID])
        case addOffsets
        case commitOffsets
        case endTransaction
    }

    let settings: ProducerSettings
    let defects: ProducerDefects
    var network: ClientNetwork<RequestContext>

    /// By partition number.
    var partitions: [ProducerPartition?] = []
    /// Partitions with something to send, in the order in which they got it.
    var activePartitions: [PartitionID] = []
    var calls: [ProducerCall?] = []
    private var freeCalls: [Int32] = []
    /// Calls whose topics the metadata does not know yet, until then.
    var waitingForTopics: [(call: CallID, records: [ProducerRecord], deadline: Instant)] = []
    /// Topic of the record before: mostly it is the same again.
    private var lastTopic: TopicImage?
    /// Where records without a key go, by topic number.
    private var stickyPartitions: [Int32] = []

    package internal(set) var identity: ProducerIdentity = .none
    var isAskingForIdentity = false
    var askForIdentityAt: Instant?
    /// Partitions after whose failure the epoch is to be bumped.
    var needsEpochBump = false
    /// Counts bumps of the epoch that the producer made by itself.
    package internal(set) var epochBumpCount = 0
    /// Counts batches that a broker refused as out of order.
    package internal(set) var outOfOrderCount = 0
    /// Nothing works any more after a fatal error.
    var fatalError: EventLogError?
    var transaction = ProducerTransaction()
    var closing: CallID?
    private var nextSerial: Int64 = 0

    package init(
        _ settings: ProducerSettings, bootstrap: [NodeID], network: ClientNetworkSettings = ClientNetworkSettings(),
        defects: ProducerDefects = []
    ) {
        var shared = network
        shared.requestTimeout = settings.requestTimeout
        shared.retryBackoff = settings.retryBackoff
        self.settings = settings
        self.defects = defects
        self.network = ClientNetwork(bootstrap: bootstrap, settings: shared)
    }

    /// acks=all is what idempotence needs; without it a producer is a plain one.
    var isIdempotent: Bool { settings.isIdempotent || settings.transactionalID != nil }
    var isTransactional: Bool { settings.transactionalID != nil }

    // MARK: Calls

    /// Sends records; the call completes when each of them is acknowledged or has failed.
    package mutating func send(
        _ records: [ProducerRecord], call: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        if let refusal = refusal(of: records) {
            effects.append(.complete(call, .failed(refusal)))
            return
        }
        if records.isEmpty {
            effects.append(.complete(call, .sent([])))
            return
        }
        if areTopicsKnown(records) {
            accumulate(records, call, now: now, effects: &effects)
        } else {
            network.requestMetadata()
            let deadline = now + network.settings.callTimeout
            waitingForTopics.append((call, records, deadline))
            network.arm(deadline, effects: &effects)
        }
        settle(now: now, effects: &effects)
    }

    /// What forbids to send now, if anything does.
    private func refusal(of records: [ProducerRecord]) -> EventLogError? {
        if let fatalError { return fatalError }
        if closing != nil { return .refused("this producer is closed; open another") }
        if settings.isIdempotent, settings.acknowledgement != .all {
            return .refused("idempotence needs acks=all; set acknowledgement to .all or isIdempotent to false")
        }
        if isTransactional {
            if let error = transaction.abortableError { return error }
            guard transaction.state == .open else {
                return .refused("a transactional producer sends only in a transaction; call beginTransaction first")
            }
        }
        if let record = records.first(where: { $0.estimatedByteCount > 1_048_576 }) {
            return EventLogError(
                .messageTooLarge,
                "a record of \(record.estimatedByteCount) bytes for \(record.topic) is larger than max.request.size",
                outcome: .noEffect)
        }
        return nil
    }

    private mutating func areTopicsKnown(_ records: [ProducerRecord]) -> Bool {
        for record in records where lastTopic?.name != record.topic {
            guard let topic = network.metadata.topic(named: record.topic) else { return false }
            lastTopic = topic
        }
        return true
    }

    /// Flushes, then ends. Completes when nothing is under way any more, at the latest after the delivery timeout.
    package mutating func close(call: CallID, now: Instant, effects: inout [ClientEffect]) {
        closing = call
        for index in partitions.indices { closeOpenBatch(index) }
        settle(now: now, effects: &effects)
    }

    // MARK: Events

    package mutating func handle(_ event: ClientEvent, now: Instant, effects: inout [ClientEffect]) {
        for incoming in network.handle(event, now: now, effects: &effects) {
            switch incoming {
            case .none: break
            case .metadataChanged: metadataChanged(now: now, effects: &effects)
            case .answered(let context, let body): answered(context, body, now: now, effects: &effects)
            case .failed(let contexts, let error):
                for context in contexts { failed(context, error, now: now, effects: &effects) }
            }
        }
        let isTimer = if case .timerFired = event { true } else { false }
        if isTimer { expire(now: now, effects: &effects) }
        settle(now: now, effects: &effects)
        if isTimer { network.rearm(nextDeadline(after: now), now: now, effects: &effects) }
    }

    /// Ends every event: sends what may be sent.
    mutating func settle(now: Instant, effects: inout [ClientEffect]) {
        driveIdentity(now: now, effects: &effects)
        if isTransactional { driveTransaction(now: now, effects: &effects) }
        drain(now: now, effects: &effects)
        network.settle(now: now, effects: &effects)
        if let call = closing, !hasUnsent, transaction.isSettled {
            closing = nil
            fatalError = fatalError ?? .refused("this producer is closed; open another")
            effects.append(.complete(call, .done))
        }
    }

    /// Whether any batch is waiting or under way.
    var hasUnsent: Bool { partitions.contains { $0.map { !$0.isEmpty } ?? false } || !waitingForTopics.isEmpty }

    private mutating func metadataChanged(now: Instant, effects: inout [ClientEffect]) {
        lastTopic = nil
        let waiting = waitingForTopics
        waitingForTopics.removeAll()
        for (call, records, deadline) in waiting {
            if areTopicsKnown(records) {
                accumulate(records, call, now: now, effects: &effects)
            } else {
                waitingForTopics.append((call, records, deadline))
                network.requestMetadata()
            }
        }
    }

    // MARK: Accumulating

    private mutating func accumulate(
        _ records: [ProducerRecord], _ id: CallID, now: Instant, effects: inout [ClientEffect]
    ) {
        let slot = addCall(id, records)
        for (index, record) in records.enumerated() {
            if lastTopic?.name != record.topic { lastTopic = network.metadata.topic(named: record.topic) }
            guard let topic = lastTopic, let partition = choosePartition(of: record, topic) else {
                let error = EventLogError(
                    .unknownPartition, "\(record.topic) has no partition \(record.partition ?? -1)", outcome: .noEffect)
                resolve(RecordDestination(call: slot, index: Int32(index)), nil, error, effects: &effects)
                continue
            }
            append(
                record, partition, topic, RecordDestination(call: slot, index: Int32(index)), count: records.count,
                now: now, effects: &effects)
        }
    }

    private mutating func addCall(_ id: CallID, _ records: [ProducerRecord]) -> Int32 {
        let call = ProducerCall(id: id, results: [], remaining: records.count)
        let slot: Int32
        if let free = freeCalls.popLast() {
            slot = free
            calls[Int(slot)] = call
        } else {
            slot = Int32(calls.count)
            calls.append(call)
        }
        calls[Int(slot)]!.results = Array(
            repeating: RecordMetadata(TopicPartition("", -1), offset: nil), count: records.count)
        return slot
    }

    private mutating func choosePartition(of record: ProducerRecord, _ topic: TopicImage) -> PartitionID? {
        if let partition = record.partition { return topic.partition(partition) }
        if let key = record.key {
            return topic.partition(Murmur2.partition(of: key, count: topic.partitionCount))
        }
        while stickyPartitions.count <= topic.id.index { stickyPartitions.append(0) }
        return topic.partition(stickyPartitions[topic.id.index] % topic.partitionCount)
    }

    private mutating func append(
        _ record: ProducerRecord, _ id: PartitionID, _ topic: TopicImage, _ destination: RecordDestination,
        count: Int, now: Instant, effects: inout [ClientEffect]
    ) {
        let index = id.index
        while partitions.count <= index { partitions.append(nil) }
        if partitions[index] == nil {
            let number = id.rawValue - topic.firstPartition.rawValue
            partitions[index] = ProducerPartition(id: id, topicPartition: TopicPartition(topic.name, number))
        }
        let bytes = record.estimatedByteCount
        if let open = partitions[index]!.open, open.byteCount + bytes > settings.batchByteLimit {
            closeOpenBatch(index)
            advanceStickyPartition(topic)
        }
        if partitions[index]!.open == nil {
            var batch = ProducerBatch(createdAt: now)
            batch.records.reserveCapacity(min(count, 128))
            batch.destinations.reserveCapacity(min(count, 128))
            partitions[index]!.open = batch
            activate(index)
            if settings.linger > .zero { network.arm(now + settings.linger, effects: &effects) }
        }
        partitions[index]!.open!.add(record, bytes, destination, now: now)
    }

    private mutating func advanceStickyPartition(_ topic: TopicImage) {
        while stickyPartitions.count <= topic.id.index { stickyPartitions.append(0) }
        stickyPartitions[topic.id.index] &+= 1
        if stickyPartitions[topic.id.index] < 0 { stickyPartitions[topic.id.index] = 0 }
    }

    mutating func activate(_ index: Int) {
        guard !partitions[index]!.isActive else { return }
        partitions[index]!.isActive = true
        activePartitions.append(partitions[index]!.id)
    }

    /// Moves the open batch to the queue: it takes no more records.
    mutating func closeOpenBatch(_ index: Int) {
        guard let open = partitions[index]?.open else { return }
        partitions[index]!.open = nil
        partitions[index]!.queue.append(open)
    }

    // MARK: Results

    /// Notes one record's result; the call completes with its last.
    mutating func resolve(
        _ destination: RecordDestination, _ metadata: RecordMetadata?, _ error: EventLogError?,
        effects: inout [ClientEffect]
    ) {
        let slot = Int(destination.call)
        guard calls[slot] != nil else { return }
        if let metadata {
            calls[slot]!.results[Int(destination.index)] = metadata
        } else if let error, calls[slot]!.failure.map({ destination.index < $0.index }) ?? true {
            calls[slot]!.failure = (destination.index, error)
        }
        calls[slot]!.remaining -= 1
        guard calls[slot]!.remaining == 0 else { return }
        let call = calls[slot]!
        calls[slot] = nil
        freeCalls.append(destination.call)
        effects.append(.complete(call.id, call.failure.map { .failed($0.error) } ?? .sent(call.results)))
    }

    mutating func newSerial() -> Int64 {
        nextSerial += 1
        return nextSerial
    }
}

extension ProducerBatch {
    @inline(__always)
    mutating func add(_ record: ProducerRecord, _ bytes: Int, _ destination: RecordDestination, now: Instant) {
        records.append(LogRecord(key: record.key, value: record.value, headers: record.headers, timestamp: now))
        destinations.append(destination)
        byteCount += bytes
        maximumTimestamp = now
    }
}

extension EventLogError {
    /// A call that cannot be made in this state: nothing was done.
    static func refused(_ message: String) -> EventLogError { EventLogError(.wrongState, message, outcome: .noEffect) }
}
