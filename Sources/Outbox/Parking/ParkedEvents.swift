import Ports

/// The parked events of one consumer: sets events aside, and applies them again.
///
/// While an event of an aggregate is parked, later ones of that aggregate wait behind it, durably and in order.
public struct ParkedEvents: Sendable {
    /// What a dead-letter topic's name ends with.
    public static let deadLetterSuffix = ".dlq"

    let consumer: String
    let ports: ServicePorts
    let mistakes: PlantedMistakes

    /// Reads whether anything is parked at all: one row of a table that is nearly always empty.
    var selectAny: Statement {
        .select(
            Select(from: ParkedEventsTable.table, where: [ParkedEventsTable.consumer == .text(consumer)], limit: 1))
    }

    /// The most rows of one page of ``selectReady(after:)``.
    static let pageRowCount = 500

    /// Reads events that wait for nothing but their turn, or for a version that knows their type, in pages: those of the
    /// aggregates after `aggregateID`.
    func selectReady(after aggregateID: String?) -> Statement {
        .select(
            Select(
                from: ParkedEventsTable.table,
                where: [
                    ParkedEventsTable.consumer == .text(consumer),
                    ParkedEventsTable.state.isIn([
                        .text(ParkedState.unknownType.rawValue), .text(ParkedState.waiting.rawValue),
                    ]),
                ] + (aggregateID.map { [ParkedEventsTable.aggregateID > .text($0)] } ?? []),
                orderedBy: [.ascending(ParkedEventsTable.aggregateID), .ascending(ParkedEventsTable.position)],
                limit: Self.pageRowCount))
    }

    func select(aggregateIDs: [String]) -> Statement {
        .select(
            Select(
                from: ParkedEventsTable.table,
                where: [
                    ParkedEventsTable.consumer == .text(consumer),
                    ParkedEventsTable.aggregateID.isIn(aggregateIDs.map { .text($0) }),
                ]))
    }

    /// Takes those events out of `events` whose aggregate has a parked one, and parks them behind it.
    ///
    /// Called inside the transaction that inserted their inbox rows, which are taken back.
    func parkWaiting(
        _ events: inout [Event], in session: any DatabaseSession, into work: inout UnitOfWork
    ) async throws {
        let parked = try await session.execute(select(aggregateIDs: events.map(\.aggregateID))).rows
        var positions = LastPositions(parked)
        var waiting: [Event] = []
        events.removeAll { event in
            guard positions.hasParked(event.aggregateID) else { return false }
            waiting.append(event)
            return true
        }
        guard !waiting.isEmpty else { return }
        work.add(
            .delete(
                Delete(
                    from: InboxTable.table,
                    where: [
                        InboxTable.consumer == .text(consumer),
                        InboxTable.eventID.isIn(waiting.map { .uuid($0.id) }),
                    ])))
        let rows = waiting.map {
            ParkedEvent($0, .waiting, cause: "an earlier event of this aggregate is parked")
                .row(consumer: consumer, position: positions.next(after: $0.aggregateID), at: work.now)
        }
        work.add(insert(rows))
    }

    /// Parks an event in the open transaction and commits; dead ones also go to the dead-letter topic.
    ///
    /// Does nothing when it was applied or parked before.
    func park(_ parked: ParkedEvent, in session: any DatabaseSession) async throws {
        let appliedBefore = Statement.select(
            Select(
                from: InboxTable.table,
                where: [InboxTable.consumer == .text(consumer), InboxTable.eventID == .uuid(parked.eventID)]))
        let found = try await session.execute([appliedBefore, select(aggregateIDs: [parked.aggregateID])])
        let isKnown =
            !found[0].rows.isEmpty
            || found[1].rows.contains { $0.uuid(ParkedEventsTable.eventID) == parked.eventID }
        guard !isKnown else { return try await confirm(parked.eventID, in: session) }
        var work = UnitOfWork(now: ports.clock.now)
        var positions = LastPositions(found[1].rows)
        let position = positions.next(after: parked.aggregateID)
        let row = parked.row(consumer: consumer, position: position, at: work.now)
        // A rival whose commit cannot be seen yet is waited for here, and may have parked it.
        guard try await session.execute(insert([row])).affectedRowCount == 1 else {
            return try await confirm(parked.eventID, in: session)
        }
        if parked.state == .dead { announce(parked, in: &work) }
        try await work.commit(on: session)
    }

    /// Makes a parked event a dead letter, since it failed for good when its turn came. Does nothing when it is one already, or
    /// is no longer parked.
    func bury(_ eventID: UniqueID, cause: String, in session: any DatabaseSession) async throws {
        typealias Columns = ParkedEventsTable
        let itself = Select(
            from: Columns.table,
            where: [Columns.consumer == .text(consumer), Columns.eventID == .uuid(eventID)], lock: .forUpdate)
        guard let row = try await session.execute(.select(itself)).rows.first else { return }
        let parked = ParkedEvent(row).dead(cause)
        guard row.text(Columns.state) != ParkedState.dead.rawValue else { return }
        var work = UnitOfWork(now: ports.clock.now)
        work.add(
            .update(
                Update(
                    Columns.table,
                    set: [
                        .set(Columns.state, .text(parked.state.rawValue)), .set(Columns.cause, .text(parked.cause)),
                    ],
                    where: [Columns.consumer == .text(consumer), Columns.eventID == .uuid(parked.eventID)])))
        announce(parked, in: &work)
        try await work.commit(on: session)
    }

    private func announce(_ parked: ParkedEvent, in work: inout UnitOfWork) {
        let deadLetter = parked.deadLetter(consumer: consumer, id: ports.identifiers.next(), at: work.now)
        let cause = EventCause(
            causationID: parked.eventID.description,
            correlationID: parked.record.header(EventHeader.correlationID) ?? parked.aggregateID,
            traceParent: parked.record.header(EventHeader.traceParent) ?? "")
        work.publish(deadLetter, causedBy: cause)
    }

    /// Waits until what is known of an event is as durable as commits are. See ``InboxTable/confirm(_:consumer:)``.
    private func confirm(_ eventID: UniqueID, in session: any DatabaseSession) async throws {
        let parked = Select(
            from: ParkedEventsTable.table,
            where: [ParkedEventsTable.consumer == .text(consumer), ParkedEventsTable.eventID == .uuid(eventID)],
            lock: .forUpdate)
        _ = try await session.executeAndCommit([InboxTable.confirm([eventID], consumer: consumer), .select(parked)])
    }

    private func insert(_ rows: [[Value]]) -> Statement {
        let table = ParkedEventsTable.table
        return .insert(Insert(into: table, rows: rows, onConflict: .doNothing(key: table.primaryKey)))
    }
}

/// The last position taken among the parked events of each aggregate.
private struct LastPositions {
    private var last: [String: Int64] = [:]

    init(_ parked: [Row]) {
        for row in parked {
            let aggregateID = row.text(ParkedEventsTable.aggregateID)
            last[aggregateID] = max(last[aggregateID] ?? 0, row.int64(ParkedEventsTable.position))
        }
    }

    /// Events without an aggregate wait for nothing: they have no order to keep.
    func hasParked(_ aggregateID: String) -> Bool { !aggregateID.isEmpty && last[aggregateID] != nil }

    mutating func next(after aggregateID: String) -> Int64 {
        let position = (last[aggregateID] ?? 0) + 1
        last[aggregateID] = position
        return position
    }
}
