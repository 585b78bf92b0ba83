import Outbox
import Ports

/// Removes what is finished: rows of a table whose time of completion is long past, with the rows that belong to them.
struct Archive: Sendable {
    private let table: Table
    private let id: Column
    private let finishedAt: Column
    private let dependents: [(table: Table, owner: Column)]
    private let openWork: (table: Table, owner: Column, isOpen: Column)?

    /// - Parameters:
    ///   - dependents: tables whose rows go with it, each with the column that names the row it belongs to.
    ///   - openWork: a table whose rows keep what they belong to from being removed while a column of theirs is not null.
    init(
        _ table: Table, id: Column, finishedAt: Column, dependents: [(table: Table, owner: Column)] = [],
        openWork: (table: Table, owner: Column, isOpen: Column)? = nil
    ) {
        self.openWork = openWork
        self.table = table
        self.id = id
        self.finishedAt = finishedAt
        self.dependents = dependents
    }

    /// Removes what was finished before `cutoff`, oldest first, `limit` rows a transaction.
    ///
    /// Rows with open work stay; those behind them go nevertheless, however many there are, unless a whole page was finished at one instant.
    func remove(finishedBefore cutoff: Instant, limit: Int, _ database: any Database) async throws {
        var start: Value?
        while true {
            let page = try await removePage(from: start, cutoff: cutoff, limit: limit, database)
            let isStuck = page.removedCount == 0 && page.last == start
            if page.foundCount < limit || isStuck { return }
            start = page.last
        }
    }

    private struct Page {
        var foundCount: Int
        var removedCount: Int
        /// When the last row that was found was finished.
        var last: Value?
    }

    private func removePage(
        from start: Value?, cutoff: Instant, limit: Int, _ database: any Database
    ) async throws -> Page {
        let session = try await database.connect()
        do {
            try await session.begin(.readCommitted)
            let condition = [finishedAt < .timestamp(cutoff)] + (start.map { [finishedAt >= $0] } ?? [])
            let finished = try await session.execute(
                .select(
                    Select(
                        from: table, where: condition, orderedBy: [.ascending(finishedAt)], limit: limit,
                        lock: .forUpdateSkipLocked))
            ).rows
            let ids = try await withoutOpenWork(finished.map { $0[id] }, session)
            if !ids.isEmpty {
                var statements = dependents.map {
                    Statement.delete(Delete(from: $0.table, where: [$0.owner.isIn(ids)]))
                }
                statements.append(.delete(Delete(from: table, where: [id.isIn(ids)])))
                _ = try await session.executeAndCommit(statements)
            }
            await session.close()
            return Page(foundCount: finished.count, removedCount: ids.count, last: finished.last?[finishedAt])
        } catch {
            await session.close()
            throw error
        }
    }

    private func withoutOpenWork(_ ids: [Value], _ session: any DatabaseSession) async throws -> [Value] {
        guard let openWork, !ids.isEmpty else { return ids }
        let open = Select(from: openWork.table, where: [openWork.owner.isIn(ids), openWork.isOpen.isNotNull])
        let openIDs = Set(try await session.execute(.select(open)).rows.map { $0[openWork.owner] })
        return ids.filter { !openIDs.contains($0) }
    }
}

/// The janitor of one service: forgets outbox, inbox and idempotency rows that have had their time, and what is finished.
struct Housekeeping: Sendable {
    private let ports: ServicePorts
    private let settings: ShopSettings
    private let archive: Archive

    init(_ ports: ServicePorts, _ settings: ShopSettings, archive: Archive) {
        self.ports = ports
        self.settings = settings
        self.archive = archive
    }

    func run(_ name: String) async throws {
        try await runPeriodically("\(name) janitor", every: settings.janitorInterval, ports, job: sweep)
    }

    func sweep() async throws {
        let now = ports.clock.now
        let oldestKey = Value.timestamp(now - settings.idempotencyRetention)
        _ = try await ports.database.executeAtomically(
            settings.janitor.statements(at: now) + [
                .delete(Delete(from: IdempotencyTable.table, where: [IdempotencyTable.createdAt < oldestKey]))
            ])
        let cutoff = now - settings.archiveRetention
        try await archive.remove(finishedBefore: cutoff, limit: settings.archiveBatchRowCount, ports.database)
    }
}
