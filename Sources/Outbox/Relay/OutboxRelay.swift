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
            if let snapshot = session.dueSnapshot { try await publishSnapshot(snapshot, session.producer) }
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
        /// The snapshot that has to be published before anything else; `nil` when the last is complete.
        let dueSnapshot: UniqueID?
        var lastConfirmation: Instant
        var router: OutboxRouter
    }

    func open() async throws -> Session {
        let dueSnapshot = try await prepareSlot()
        let stream = try await streams.open(settings.slotName, from: nil)
        do {
            let producer = try await ports.eventLog.makeProducer(producerSettings)
            return Session(
                stream: stream, producer: producer, dueSnapshot: dueSnapshot,
                lastConfirmation: ports.clock.monotonicNow, router: OutboxRouter(settings))
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
        var transactions = try await session.stream.next(
            maximumTransactions: settings.maximumTransactionsPerBatch, timeout: settings.pollTimeout)
        let room = settings.maximumTransactionsPerBatch - transactions.count
        if settings.gatherTime > .zero, !transactions.isEmpty, room > 0 {
            try await ports.clock.sleep(for: settings.gatherTime)
            transactions += try await session.stream.next(maximumTransactions: room, timeout: .zero)
        }
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
    /// A new slot's snapshot is asked for when the old slot is gone and the new one is not there yet. So a crash at any point
    /// repeats the snapshot instead of losing it, and who reads the demand and then gets hold of a slot has one that is
    /// younger than the demand: its snapshot misses nothing.
    ///
    /// - Returns: the snapshot that is due, if rows committed before the slot existed are still to be published.
    private func prepareSlot() async throws -> UniqueID? {
        let slot = try await streams.slot(settings.slotName)
        if let slot, slot.status != .lost {
            let row = try await ports.database.executeAtomically([RelayTable.select(slot: settings.slotName)])[0]
                .rows.first
            guard let row else { return try await demandSnapshot() }
            if row.bool(RelayTable.isSnapshotComplete) { return nil }
            guard case .uuid(let token) = row[RelayTable.snapshotToken] else { return try await demandSnapshot() }
            return token
        }
        if slot != nil {
            ports.log.log(
                .error, "slot lost its log, publishing the outbox from its table",
                [LogField("slot", settings.slotName)])
            try await streams.dropSlot(settings.slotName)
        }
        let token = try await demandSnapshot()
        if slot != nil, settings.mistakes.contains(.noSnapshotAfterSlotLoss) { try await completeSnapshot(token) }
        do {
            try await streams.createSlot(
                settings.slotName, tables: [OutboxTable.table.name, RelayTable.table.name])
        } catch let error as DatabaseError where error.sqlState == .duplicateObject {
            // Another relay was faster; it or this one publishes the snapshot.
        }
        return slot != nil && settings.mistakes.contains(.noSnapshotAfterSlotLoss) ? nil : token
    }

    private func demandSnapshot() async throws -> UniqueID {
        let token = ports.identifiers.next()
        _ = try await ports.database.executeAtomically([
            RelayTable.demandSnapshot(token, slot: settings.slotName, at: ports.clock.now)
        ])
        return token
    }

    /// Publishes what the outbox holds, in the order of each aggregate's events. What the stream brings again is a
    /// duplicate, which the inboxes absorb.
    ///
    /// - Throws: ``SnapshotSuperseded`` when another one was asked for meanwhile: the slot that this one goes with is lost.
    func publishSnapshot(_ token: UniqueID, _ producer: any EventProducer) async throws {
        var router = OutboxRouter(settings)
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
            let published = whole.filter(router.isPublished)
            if !published.isEmpty { _ = try await producer.send(published.map { router.record($0) }) }
            lastAggregateID = whole.last?.text(OutboxTable.aggregateID) ?? lastAggregateID
            if rows.count < pageRowCount { break }
        }
        try await completeSnapshot(token)
    }

    private func completeSnapshot(_ token: UniqueID) async throws {
        let completed = try await ports.database.executeAtomically([
            RelayTable.completeSnapshot(token, slot: settings.slotName, at: ports.clock.now)
        ])
        if completed[0].affectedRowCount == 0 { throw SnapshotSuperseded(slotName: settings.slotName) }
    }

    /// Reads a page of the outbox, and writes the relay's own row in the same transaction: its commit confirms what was read
    /// (decision 14), and unlike locks on the rows it meets no janitor.
    private func snapshotPage(after aggregateID: String?, rowCount: Int) async throws -> [Row] {
        let page = Select(
            from: OutboxTable.table, where: aggregateID.map { [OutboxTable.aggregateID > .text($0)] } ?? [],
            orderedBy: [.ascending(OutboxTable.aggregateID), .ascending(OutboxTable.aggregateVersion)],
            limit: rowCount)
        let results = try await ports.database.executeAtomically([
            .select(page), RelayTable.beat(slot: settings.slotName, at: ports.clock.now),
        ])
        guard results[1].affectedRowCount == 1 else { throw SnapshotSuperseded(slotName: settings.slotName) }
        return results[0].rows
    }
}

/// A snapshot was published, and another had been asked for before it was done: this one's slot was lost meanwhile.
struct SnapshotSuperseded: Error, CustomStringConvertible {
    let slotName: String

    var description: String {
        "slot \(slotName) was made anew while its snapshot was published, so another snapshot is due; starting over"
    }
}
