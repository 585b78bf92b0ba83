package import Ports

/// A producer: collects records into batches, sends them to the partitions' leaders, tries again, and numbers them so that
/// brokers can tell a retry from a new batch (KafkaProducer, Sender, TransactionManager).
package struct ProducerClient: ~Copyable, Sendable {
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
    var partitions: [ProducerPartition] = []
    /// Partitions with something to send, in the order in which they got it.
    var activePartitions: [PartitionID] = []
    var calls: [ProducerCall] = []
    var freeCalls: [Int32] = []
    /// Calls whose topics the metadata does not know yet, until then.
    var waitingForTopics: [(call: CallID, records: [ProducerRecord], deadline: Instant)] = []
    /// Topic of the record before: mostly it is the same again.
    var lastTopic = TopicLookup()
    /// Where records without a key go, by topic number.
    var stickyPartitions: [Int32] = []

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
        return nil
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
        guard isTimer else { return }
        var earliest = EarliestDeadline(after: now)
        collectDeadlines(into: &earliest)
        network.rearm(earliest, effects: &effects)
    }

    /// Ends every event: sends what may be sent.
    mutating func settle(now: Instant, effects: inout [ClientEffect]) {
        driveIdentity(now: now, effects: &effects)
        if isTransactional { driveTransaction(now: now, effects: &effects) }
        drain(now: now, effects: &effects)
        network.settle(now: now, effects: &effects)
        // A producer that was fenced while it ended its transaction will not hear of that any more.
        if let call = closing, !hasUnsent, transaction.isSettled || fatalError != nil {
            closing = nil
            fatalError = fatalError ?? .refused("this producer is closed; open another")
            effects.append(.complete(call, .done))
        }
    }

    /// Whether any batch is waiting or under way.
    var hasUnsent: Bool { partitions.contains { !$0.isEmpty } || !waitingForTopics.isEmpty }

    private mutating func metadataChanged(now: Instant, effects: inout [ClientEffect]) {
        lastTopic = TopicLookup()
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

    // MARK: Batches

    mutating func activate(_ index: Int) {
        guard !partitions[index].isActive else { return }
        partitions[index].isActive = true
        activePartitions.append(partitions[index].id)
    }

    /// Moves the open batch to the queue: it takes no more records.
    mutating func closeOpenBatch(_ index: Int) {
        guard partitions[index].hasOpenBatch else { return }
        var closed = ProducerBatch(createdAt: .epoch)
        swap(&closed, &partitions[index].open)
        partitions[index].queue.append(closed)
    }

    mutating func newSerial() -> Int64 {
        nextSerial += 1
        return nextSerial
    }
}

extension EventLogError {
    /// A call that cannot be made in this state: nothing was done.
    static func refused(_ message: String) -> EventLogError { EventLogError(.wrongState, message, outcome: .noEffect) }
}
