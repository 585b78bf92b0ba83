public import Ports

/// What one transaction is going to write: statements, rows to insert and events to publish, collected in memory and sent
/// in one round trip with the commit.
public struct UnitOfWork: Sendable {
    /// What the transaction takes as the time: one reading of the clock for all that it writes.
    public let now: Instant
    private var statements: [Statement] = []
    private var inserts: [Insert] = []
    private var ignoredRows: [[Value]] = []
    private var outboxRows: [[Value]] = []

    /// The time is kept in whole microseconds, as PostgreSQL keeps it: what is answered before the commit is what is read
    /// afterwards.
    public init(now: Instant) {
        let microseconds = now.nanosecondsSinceEpoch / 1_000
        self.now = Instant(nanosecondsSinceEpoch: microseconds * 1_000)
    }

    /// Whether there is nothing to write.
    public var isEmpty: Bool {
        statements.isEmpty && inserts.isEmpty && ignoredRows.isEmpty && outboxRows.isEmpty
    }

    /// Adds a statement; statements run in the order in which they were added.
    public mutating func add(_ statement: Statement) { statements.append(statement) }

    /// Adds a row to insert; all rows of one table travel in one statement.
    public mutating func insert(_ row: [Value], into table: Table) {
        for position in inserts.indices where inserts[position].table === table {
            inserts[position].rows.append(row)
            return
        }
        inserts.append(Insert(into: table, rows: [row]))
    }

    /// Adds an event to the outbox.
    public mutating func publish(_ event: OutboundEvent, causedBy cause: EventCause) {
        outboxRows.append(event.row(causedBy: cause))
    }

    /// Records that an event no longer applied and so had no effect.
    ///
    /// - Parameter reason: the state that it found, and why that state has no use for it.
    public mutating func ignore(_ event: Event, by consumer: String, because reason: String) {
        ignoredRows.append(IgnoredEventsTable.row(event, consumer: consumer, reason: reason, at: now))
    }

    /// Sends everything and commits, in one round trip.
    ///
    /// - Throws: ``Ports/DatabaseError``, see ``Ports/DatabaseSession/executeAndCommit(_:)``.
    public func commit(on session: any DatabaseSession) async throws {
        try await commit(on: session, mistakes: [])
    }

    package func commit(on session: any DatabaseSession, mistakes: PlantedMistakes) async throws {
        var effects = statements
        effects.reserveCapacity(statements.count + inserts.count + 2)
        for insert in inserts { effects.append(.insert(insert)) }
        if !ignoredRows.isEmpty {
            effects.append(
                .insert(Insert(into: IgnoredEventsTable.table, rows: ignoredRows, onConflict: .doNothing(key: nil))))
        }
        let outbox = Statement.insert(Insert(into: OutboxTable.table, rows: outboxRows))
        if mistakes.contains(.outboxOutsideTransaction) {
            _ = try await session.executeAndCommit(effects)
            if !outboxRows.isEmpty { _ = try await session.execute([outbox]) }
        } else {
            if !outboxRows.isEmpty { effects.append(outbox) }
            _ = try await session.executeAndCommit(effects)
        }
    }
}
