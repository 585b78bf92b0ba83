public import Ports

/// The CDC relay: publishes a database's outbox from its change stream to the event log.
///
/// Does what Debezium's connector with the Outbox Event Router does, in order of commit and at least once: a position is
/// confirmed only after its records are acknowledged by all in-sync replicas. Start as many as you like for one slot;
/// the server lets one consume and the others wait their turn.
public struct OutboxRelay: Sendable {
    private let settings: OutboxRelaySettings
    private let streams: any ChangeStreams
    private let ports: ServicePorts

    /// - Parameters:
    ///   - streams: slots of the database whose outbox is published.
    ///   - ports: the same database, the event log to publish to, and the relay's clock, ids and log.
    public init(settings: OutboxRelaySettings, streams: any ChangeStreams, ports: ServicePorts) {
        self.settings = settings
        self.streams = streams
        self.ports = ports
    }

    /// Relays until the task is cancelled or the process ends; starts over from the confirmed position after a failure.
    public func run() async throws {
        var failures = 0
        while true {
            do {
                try await relay { failures = 0 }
            } catch  where error.endsProcess {
                throw error
            } catch {
                ports.log.log(
                    .warning, "relay failed, starting over",
                    [LogField("slot", settings.slotName), LogField("error", String(describing: error))])
                let delay = settings.backoff.delay(beforeRetry: failures, randomBits: ports.identifiers.next().low)
                failures += 1
                try await ports.clock.sleep(for: delay)
            }
        }
    }

    private func relay(_ didProgress: () -> Void) async throws {
        var session = try await open()
        do {
            if session.needsSnapshot { try await publishSnapshot(session.producer) }
            while true {
                try Task.checkCancellation()
                try await publishOnce(&session)
                didProgress()
            }
        } catch {
            await close(session)
            throw error
        }
    }

    /// A consumed slot and the producer that publishes from it.
    struct Session {
        let stream: any ChangeStream
        let producer: any EventProducer
        let needsSnapshot: Bool
        var lastConfirmation: Instant
        var router: OutboxRouter
    }

    func open() async throws -> Session {
        let needsSnapshot = try await prepareSlot()
        let stream = try await streams.open(settings.slotName, from: nil)
        do {
            let producer = try await ports.eventLog.makeProducer(producerSettings)
            return Session(
                stream: stream, producer: producer, needsSnapshot: needsSnapshot,
                lastConfirmation: ports.clock.monotonicNow, router: OutboxRouter(mistakes: settings.mistakes))
        } catch {
            await stream.close()
            throw error
        }
    }

    func close(_ session: Session) async {
        await session.producer.close()
        await session.stream.close()
    }

    private var producerSettings: ProducerSettings {
        var producer = settings.producer
        if settings.mistakes.contains(.leaderAcknowledgementOnly) {
            producer.acknowledgement = .leader
            producer.isIdempotent = false
        }
        return producer
    }

    /// Publishes the next transactions, or writes a heartbeat when there have been none for long.
    func publishOnce(_ session: inout Session) async throws {
        let transactions = try await session.stream.next(
            maximumTransactions: settings.maximumTransactionsPerBatch, timeout: settings.pollTimeout)
        if let last = transactions.last {
            try await publish(transactions, upTo: last.endLSN, &session)
            session.lastConfirmation = ports.clock.monotonicNow
        } else if ports.clock.monotonicNow - session.lastConfirmation >= settings.heartbeatInterval {
            let beat = RelayTable.beat(slot: settings.slotName, at: ports.clock.now)
            _ = try await ports.database.executeAtomically([beat])
            session.lastConfirmation = ports.clock.monotonicNow
        }
    }

    private func publish(
        _ transactions: [CommittedTransaction], upTo endLSN: LSN, _ session: inout Session
    ) async throws {
        var records: [ProducerRecord] = []
        for transaction in transactions { session.router.append(transaction, to: &records) }
        if settings.mistakes.contains(.positionConfirmedBeforeProduce) { try await session.stream.confirm(endLSN) }
        if !records.isEmpty { _ = try await session.producer.send(records) }
        try await session.stream.confirm(endLSN)
    }

    // MARK: Slot and snapshot

    /// Makes sure that the slot exists and can be read.
    ///
    /// - Returns: whether rows committed before it existed are still to be published. That is written down before a slot
    ///   is created, so a crash at any point here repeats the snapshot instead of losing it.
    private func prepareSlot() async throws -> Bool {
        let slot = try await streams.slot(settings.slotName)
        if let slot, slot.status != .lost {
            let state = Select(from: RelayTable.table, where: [RelayTable.slotName == .text(settings.slotName)])
            let row = try await ports.database.executeAtomically([.select(state)])[0].rows.first
            return !(row?.bool(RelayTable.isSnapshotComplete) ?? false)
        }
        if slot != nil {
            ports.log.log(
                .error, "slot lost its log, publishing the outbox from its table",
                [LogField("slot", settings.slotName)])
        }
        try await markSnapshot(complete: false)
        if slot != nil { try await streams.dropSlot(settings.slotName) }
        do {
            try await streams.createSlot(
                settings.slotName, tables: [OutboxTable.table.name, RelayTable.table.name])
        } catch let error as DatabaseError where error.sqlState == .duplicateObject {
            // Another relay was faster; it or this one publishes the snapshot.
        }
        return true
    }

    /// Publishes what the outbox holds, in the order of each aggregate's events. What the stream brings again is a
    /// duplicate, which the inboxes absorb.
    func publishSnapshot(_ producer: any EventProducer) async throws {
        var router = OutboxRouter(mistakes: settings.mistakes)
        var lastAggregateID: String?
        var pageRowCount = settings.snapshotPageRowCount
        while true {
            let rows = try await snapshotPage(after: lastAggregateID, rowCount: pageRowCount)
            var whole = rows[...]
            if rows.count == pageRowCount, let last = rows.last?.text(OutboxTable.aggregateID) {
                // The last aggregate may go on beyond the page: leave it to the next one.
                whole = rows.prefix { $0.text(OutboxTable.aggregateID) != last }
                if whole.isEmpty {
                    pageRowCount *= 2
                    continue
                }
            }
            if !whole.isEmpty { _ = try await producer.send(whole.map { router.record($0) }) }
            lastAggregateID = whole.last?.text(OutboxTable.aggregateID) ?? lastAggregateID
            if rows.count < pageRowCount { break }
        }
        try await markSnapshot(complete: true)
    }

    private func snapshotPage(after aggregateID: String?, rowCount: Int) async throws -> [Row] {
        let page = Select(
            from: OutboxTable.table, where: aggregateID.map { [OutboxTable.aggregateID > .text($0)] } ?? [],
            orderedBy: [.ascending(OutboxTable.aggregateID), .ascending(OutboxTable.aggregateVersion)],
            limit: rowCount)
        return try await ports.database.executeAtomically([.select(page)])[0].rows
    }

    private func markSnapshot(complete isComplete: Bool) async throws {
        let mark = RelayTable.setSnapshotComplete(isComplete, slot: settings.slotName, at: ports.clock.now)
        _ = try await ports.database.executeAtomically([mark])
    }
}
