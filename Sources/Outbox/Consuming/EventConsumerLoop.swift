import Ports

/// The consumer loop: polls, applies a poll's records in one database transaction where possible, and commits offsets
/// after the database.
///
/// Deliveries are at least once and effects exactly once: the inbox decides, in the transaction of the effects. A member
/// that lost its partitions without knowing it can do no harm for the same reason; the group fences only its offsets.
public struct EventConsumerLoop<Handler: EventHandler>: Sendable {
    let settings: ConsumerLoopSettings
    private let ports: ServicePorts
    let applier: EventApplier<Handler>
    private let processor: BatchProcessor<Handler>

    public init(_ handler: Handler, settings: ConsumerLoopSettings, ports: ServicePorts) {
        self.settings = settings
        self.ports = ports
        applier = EventApplier(handler, settings, ports)
        processor = BatchProcessor(applier)
    }

    /// Consumes until the task is cancelled or the process ends; opens a new consumer when one fails for good.
    public func run() async throws {
        var failures = 0
        while true {
            do {
                try await consume { failures = 0 }
            } catch  where error.endsProcess {
                throw error
            } catch {
                ports.log.log(
                    .error, "consumer failed, opening another",
                    [LogField("consumer", settings.consumerName), LogField("error", String(describing: error))])
                let delay = settings.backoff.delay(beforeRetry: failures, randomBits: ports.identifiers.next().low)
                failures += 1
                try await ports.clock.sleep(for: delay)
            }
        }
    }

    /// Applies the parked events of one aggregate in their order, dead letters included, until one fails.
    ///
    /// - Returns: how many were applied.
    /// - Throws: what the first failing one threw; it and those behind it stay parked.
    public func replayParked(aggregateID: String) async throws -> Int {
        var tried: UniqueID?
        return try await replay(aggregateID, includingDead: true, tried: &tried)
    }

    private func consume(_ didPoll: () -> Void) async throws {
        var session = try await open()
        do {
            while true {
                try Task.checkCancellation()
                try await pollOnce(&session)
                didPoll()
            }
        } catch {
            await session.consumer.close()
            throw error
        }
    }

    /// One consumer and what it has not committed yet.
    struct Session {
        let consumer: any EventConsumer
        let ledger: OffsetLedger
        var nextOffsetCommit: Instant
        var nextParkedReplay: Instant
    }

    /// Opens a consumer; it joins its group with the first poll.
    func open() async throws -> Session {
        var settingsOfConsumer = settings.consumer
        settingsOfConsumer.groupID = settings.consumerName
        settingsOfConsumer.clientID = settings.clientID
        if settings.mistakes.contains(.offsetResetLatest) { settingsOfConsumer.offsetReset = .latest }
        let consumer = try await ports.eventLog.makeConsumer(settingsOfConsumer)
        let ledger = OffsetLedger()
        do {
            try await consumer.subscribe(to: settings.topics, listener: rebalanceListener(consumer, ledger))
        } catch {
            await consumer.close()
            throw error
        }
        let now = ports.clock.monotonicNow
        return Session(
            consumer: consumer, ledger: ledger, nextOffsetCommit: now + settings.offsetCommitInterval,
            nextParkedReplay: now)
    }

    /// Polls once, applies what came, and commits offsets or replays parked events when that is due. Returns how many
    /// records came.
    @discardableResult
    func pollOnce(_ session: inout Session) async throws -> Int {
        let records = try await session.consumer.poll(
            maximumRecords: settings.maximumRecordsPerPoll, timeout: settings.pollTimeout)
        if !records.isEmpty { try await handle(records, session.consumer, session.ledger) }
        let now = ports.clock.monotonicNow
        if now >= session.nextOffsetCommit {
            try await commit(session.ledger.pending(), session.consumer, session.ledger)
            session.nextOffsetCommit = now + settings.offsetCommitInterval
        }
        if now >= session.nextParkedReplay {
            try await replayReady()
            session.nextParkedReplay = now + settings.parkedReplayInterval
        }
        return records.count
    }

    private func handle(
        _ records: [ConsumerRecord], _ consumer: any EventConsumer, _ ledger: OffsetLedger
    ) async throws {
        if settings.mistakes.contains(.offsetCommittedBeforeDatabase) {
            advance(ledger, past: records[...])
            try await commit(ledger.pending(), consumer, ledger)
        }
        let processedCount = try await processor.process(records)
        advance(ledger, past: records[..<processedCount])
        if processedCount < records.count {
            try await giveBack(records[processedCount...], consumer)
        }
    }

    private func advance(_ ledger: OffsetLedger, past records: ArraySlice<ConsumerRecord>) {
        for (position, record) in zip(records.indices, records) {
            // A poll returns each partition's records in a row: one note for the last of the row is enough.
            let next = position + 1
            if next < records.endIndex && records[next].topicPartition == record.topicPartition { continue }
            ledger.advance(record.topicPartition, to: record.offset + 1)
        }
    }

    /// Moves the consumer back to the first of these records of each partition, so that polling brings them again.
    private func giveBack(_ records: ArraySlice<ConsumerRecord>, _ consumer: any EventConsumer) async throws {
        ports.log.log(
            .warning, "database out of reach, records given back",
            [LogField("consumer", settings.consumerName), LogField("records", String(records.count))])
        var seen: [TopicPartition] = []
        for record in records where !seen.contains(record.topicPartition) {
            seen.append(record.topicPartition)
            if consumer.assignment.contains(record.topicPartition) {
                try await consumer.seek(to: CommittedOffset(record.topicPartition, record.offset))
            }
        }
    }

    /// Commits offsets. A refusal because of a rebalance is no failure: the records come again, to whoever has the
    /// partition then, and the inbox absorbs them.
    private func commit(
        _ offsets: [CommittedOffset], _ consumer: any EventConsumer, _ ledger: OffsetLedger
    ) async throws {
        guard !offsets.isEmpty else { return }
        do {
            try await consumer.commit(offsets)
            ledger.didCommit(offsets)
        } catch let error as EventLogError where !error.isFatal {
            ports.log.log(
                .info, "offset commit refused",
                [LogField("consumer", settings.consumerName), LogField("error", error.description)])
        }
    }

    private func rebalanceListener(_ consumer: any EventConsumer, _ ledger: OffsetLedger) -> RebalanceListener {
        RebalanceListener(
            onAssigned: { ledger.forget($0) },
            onRevoked: { [settings, ports] partitions in
                let offsets = ledger.pending(of: partitions)
                ledger.forget(partitions)
                guard !offsets.isEmpty else { return }
                do {
                    try await consumer.commit(offsets)
                } catch  where error.endsProcess {
                    return  // the poll that called this reports it
                } catch {
                    ports.log.log(
                        .info, "offset commit refused on revocation",
                        [LogField("consumer", settings.consumerName), LogField("error", String(describing: error))])
                }
            },
            onLost: { ledger.forget($0) })
    }

    // MARK: Parked events

    private func replay(
        _ aggregateID: String, includingDead: Bool, tried: inout UniqueID?
    ) async throws -> Int {
        var count = 0
        let runner = TransactionRunner(ports)
        while try await runner.run(
            within: settings.maximumBatchTime,
            { session in
                try await applier.applyFirstParked(
                    of: aggregateID, includingDead: includingDead, tried: &tried, in: session)
            })
        {
            count += 1
        }
        return count
    }

    /// Applies parked events whose turn has come by itself: their type is known by now, or nothing is left before them.
    private func replayReady() async throws {
        do {
            var last: String?
            while true {
                let statement = applier.parkedEvents.selectReady(after: last)
                let parked = try await ports.database.executeAtomically([statement])[0].rows
                var aggregateIDs: [String] = []
                for row in parked where !aggregateIDs.contains(row.text(ParkedEventsTable.aggregateID)) {
                    aggregateIDs.append(row.text(ParkedEventsTable.aggregateID))
                }
                for aggregateID in aggregateIDs { try await replayOrBury(aggregateID) }
                guard parked.count == ParkedEvents.pageRowCount else { return }
                last = aggregateIDs.last
            }
        } catch  where error.endsProcess {
            throw error
        } catch {
            // Tried again after the interval.
            ports.log.log(
                .warning, "replay of parked events failed",
                [LogField("consumer", settings.consumerName), LogField("error", String(describing: error))])
        }
    }

    /// One that fails for good when its turn comes is dead then, and holds up no other aggregate.
    private func replayOrBury(_ aggregateID: String) async throws {
        var tried: UniqueID?
        do {
            _ = try await replay(aggregateID, includingDead: false, tried: &tried)
        } catch  where error.endsProcess {
            throw error
        } catch let error as DatabaseError where error.mayBeRunAgain {
            throw error
        } catch {
            // By its id: another member may have applied it meanwhile, and the next one is not to blame.
            guard let eventID = tried else { throw error }
            let cause = String(describing: error)
            ports.log.log(
                .error, "parked event failed",
                [
                    LogField("consumer", settings.consumerName), LogField("aggregate", aggregateID),
                    LogField("cause", cause),
                ])
            try await TransactionRunner(ports).run(within: settings.maximumBatchTime) { session in
                try await applier.parkedEvents.bury(eventID, cause: cause, in: session)
            }
        }
    }
}
