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

    /// Removes at most `limit` of what was finished before `cutoff`, in one transaction; returns how many.
    func remove(finishedBefore cutoff: Instant, limit: Int, _ database: any Database) async throws -> Int {
        let session = try await database.connect()
        do {
            try await session.begin(.readCommitted)
            let finished = try await session.execute(
                .select(
                    Select(
                        from: table, where: [finishedAt < .timestamp(cutoff)], orderedBy: [.ascending(finishedAt)],
                        limit: limit, lock: .forUpdateSkipLocked))
            ).rows
            var ids = finished.map { $0[id] }
            if let openWork, !ids.isEmpty {
                let open = Select(from: openWork.table, where: [openWork.owner.isIn(ids), openWork.isOpen.isNotNull])
                let openIDs = Set(try await session.execute(.select(open)).rows.map { $0[openWork.owner] })
                ids.removeAll { openIDs.contains($0) }
            }
            if !ids.isEmpty {
                var statements = dependents.map {
                    Statement.delete(Delete(from: $0.table, where: [$0.owner.isIn(ids)]))
                }
                statements.append(.delete(Delete(from: table, where: [id.isIn(ids)])))
                _ = try await session.executeAndCommit(statements)
            }
            await session.close()
            return ids.count
        } catch {
            await session.close()
            throw error
        }
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
        let limit = settings.archiveBatchRowCount
        while try await archive.remove(finishedBefore: cutoff, limit: limit, ports.database) == limit {}
    }
}
