import Ports

/// Applies events: one transaction for many, or one for each when the many fail together.
struct EventApplier<Handler: EventHandler>: Sendable {
    let handler: Handler
    let settings: ConsumerLoopSettings
    let ports: ServicePorts
    let parkedEvents: ParkedEvents

    init(_ handler: Handler, _ settings: ConsumerLoopSettings, _ ports: ServicePorts) {
        self.handler = handler
        self.settings = settings
        self.ports = ports
        parkedEvents = ParkedEvents(consumer: settings.consumerName, ports: ports, mistakes: settings.mistakes)
    }

    /// What the consumer has to do with such events.
    func interest(in type: String, version: Int64) -> EventInterest {
        settings.ignoredEventTypes.contains(type) ? .ignored : handler.interest(in: type, version: version)
    }

    /// Applies those of the events that are new, and whose aggregates have nothing parked, in one transaction.
    ///
    /// - Throws: what the handler or the database threw; nothing is applied then, unless the outcome is unknown.
    func apply(_ events: [Event]) async throws {
        let session = try await ports.database.connect()
        do {
            try await session.begin(.readCommitted)
            try await apply(events, in: session)
            await session.close()
        } catch {
            await session.close()
            throw error
        }
    }

    private func apply(_ events: [Event], in session: any DatabaseSession) async throws {
        var work = UnitOfWork(now: ports.clock.now)
        var statements = [
            InboxTable.insertNew(events, consumer: settings.consumerName, at: work.now), parkedEvents.selectAny,
        ]
        statements += try handler.loads(for: events)
        let results = try await session.execute(statements)
        var newEvents = Self.newEvents(events, inboxRows: results[0].rows)
        if settings.mistakes.contains(.noInbox) { newEvents = events }
        if !results[1].rows.isEmpty && !settings.mistakes.contains(.deadLetterSkips) {
            try await parkedEvents.parkWaiting(&newEvents, in: session, into: &work)
        }
        if newEvents.isEmpty && work.isEmpty {
            let confirm = InboxTable.confirm(events.map(\.id), consumer: settings.consumerName)
            _ = try await session.executeAndCommit([confirm])
            return
        }
        try await applyNew(newEvents, loaded: results.dropFirst(2), in: session, into: &work)
    }

    /// Lets the handler decide, and commits.
    private func applyNew(
        _ events: [Event], loaded: ArraySlice<StatementResult>, in session: any DatabaseSession,
        into work: inout UnitOfWork
    ) async throws {
        let committed = try await handler.apply(events, loaded: loaded, in: session, into: &work)
        if settings.mistakes.contains(.notificationBeforeCommit) { handler.didCommit(committed) }
        try await work.commit(on: session, mistakes: settings.mistakes)
        if !settings.mistakes.contains(.notificationBeforeCommit) { handler.didCommit(committed) }
    }

    /// Applies the first parked event of an aggregate, if it can be, in the open transaction.
    ///
    /// - Parameters:
    ///   - includingDead: whether one that failed for good is tried again.
    ///   - tried: the event that was tried, also when this throws.
    /// - Returns: whether there may be another one to apply.
    func applyFirstParked(
        of aggregateID: String, includingDead: Bool, tried: inout UniqueID?, in session: any DatabaseSession
    ) async throws -> Bool {
        tried = nil
        typealias Columns = ParkedEventsTable
        let head = Select(
            from: Columns.table,
            where: [Columns.consumer == .text(settings.consumerName), Columns.aggregateID == .text(aggregateID)],
            orderedBy: [.ascending(Columns.position)], limit: 1, lock: .forUpdate)
        guard let row = try await session.execute(.select(head)).rows.first else { return false }
        let parked = ParkedEvent(row)
        guard parked.state != .dead || includingDead else { return false }
        tried = parked.eventID
        guard !parked.record.isRepaired else { throw MalformedEvent(zeroByteIn: parked.record) }
        let event = try Event(parked.record)
        let interest = interest(in: event.type, version: event.version)
        guard interest != .unknown else { return false }

        var work = UnitOfWork(now: ports.clock.now)
        if interest == .ignored {
            // Known by now, and of no concern: what waits behind it need not wait any longer.
            work.add(Self.unpark(parked.eventID, at: settings.consumerName))
            try await work.commit(on: session)
            return true
        }
        var statements = [InboxTable.insertNew([event], consumer: settings.consumerName, at: work.now)]
        statements += try handler.loads(for: [event])
        let results = try await session.execute(statements)
        work.add(Self.unpark(parked.eventID, at: settings.consumerName))
        if results[0].rows.isEmpty {
            try await work.commit(on: session)  // applied before it was parked, by another member of the group
        } else {
            try await applyNew([event], loaded: results.dropFirst(), in: session, into: &work)
        }
        return true
    }

    private static func unpark(_ eventID: UniqueID, at consumer: String) -> Statement {
        typealias Columns = ParkedEventsTable
        return .delete(
            Delete(
                from: Columns.table, where: [Columns.consumer == .text(consumer), Columns.eventID == .uuid(eventID)]))
    }

    /// Those whose inbox row was inserted, each id once: a batch may hold the same event twice.
    private static func newEvents(_ events: [Event], inboxRows: [Row]) -> [Event] {
        if inboxRows.count == events.count { return events }
        var newIDs = Set(inboxRows.map { $0.uuid(InboxTable.eventID) })
        return events.filter { newIDs.remove($0.id) != nil }
    }
}
