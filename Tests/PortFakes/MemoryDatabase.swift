public import Ports
import Synchronization

/// A database in memory for one transaction at a time: no locks and no waiting. A second transaction that commits after
/// another one did fails with 40001.
public final class MemoryDatabase: Database, ChangeStreams {
    struct State {
        var tables: [String: MemoryTable] = [:]
        var commitCount: UInt64 = 0
        var transactions: [CommittedTransaction] = []
        var committedRows: [[(table: String, pair: RowPair)]] = []
        var slots: [String: Slot] = [:]
        var failures: [PlannedFailure] = []
        var roundTripCount = 0
    }

    struct Slot {
        var tables: [String]
        var start: UInt64
        var confirmed: LSN
        var isLost = false
    }

    /// A failure of a coming call.
    public enum PlannedFailure: Sendable {
        /// The next commit fails before it takes effect.
        case commit(DatabaseError)
        /// The next commit takes effect and its answer is lost.
        case afterCommit(DatabaseError)
        /// The next execute fails.
        case execute(any Error)
    }

    let state = Mutex(State())

    /// Whether a change stream that has nothing takes a while, for loops that run by themselves.
    let waitsForChanges: Bool

    public init(_ schema: Schema, waitsForChanges: Bool = false) {
        self.waitsForChanges = waitsForChanges
        state.withLock { state in
            for table in schema.tables { state.tables[table.name] = MemoryTable(table) }
        }
    }

    public func connect() async throws -> any DatabaseSession { MemorySession(self) }

    public func failNext(_ failure: PlannedFailure) { state.withLock { $0.failures.append(failure) } }

    /// The committed rows of a table, in the order in which they were inserted.
    public func rows(of table: Table) -> [Row] { state.withLock { $0.tables[table.name]?.rows ?? [] } }

    /// How many calls had to travel so far.
    public var roundTripCount: Int { state.withLock { $0.roundTripCount } }

    /// All committed transactions.
    public var transactions: [CommittedTransaction] { state.withLock { $0.transactions } }

    /// The rows that each committed transaction changed, before and after.
    public var committedRows: [[(table: String, pair: RowPair)]] { state.withLock { $0.committedRows } }

    // MARK: Change streams

    public func createSlot(_ name: String, tables: [String]) async throws {
        try state.withLock { state in
            guard state.slots[name] == nil else {
                throw DatabaseError.statement(.duplicateObject, message: "slot \(name) exists")
            }
            state.slots[name] = Slot(
                tables: tables, start: state.commitCount, confirmed: LSN(state.commitCount * 100))
        }
    }

    public func dropSlot(_ name: String) async throws {
        try state.withLock { state in
            guard state.slots.removeValue(forKey: name) != nil else {
                throw DatabaseError.statement(.undefinedObject, message: "no slot \(name)")
            }
        }
    }

    /// Makes a slot lose the log it needs.
    public func loseSlot(_ name: String) { state.withLock { $0.slots[name]?.isLost = true } }

    /// Sets a slot's position back, as a crash of the server can.
    public func setBack(_ name: String, to lsn: LSN) { state.withLock { $0.slots[name]?.confirmed = lsn } }

    public func slot(_ name: String) async throws -> ReplicationSlot? {
        state.withLock { state in
            state.slots[name].map {
                ReplicationSlot(
                    name: name, restartLSN: $0.confirmed, confirmedFlushLSN: $0.confirmed, isActive: false,
                    status: $0.isLost ? .lost : .reserved)
            }
        }
    }

    public func currentLSN() async throws -> LSN { state.withLock { LSN($0.commitCount * 100) } }

    public func open(_ name: String, from start: LSN?) async throws -> any ChangeStream {
        try state.withLock { state in
            guard let slot = state.slots[name] else {
                throw DatabaseError.statement(.undefinedObject, message: "no slot \(name)")
            }
            if slot.isLost {
                throw DatabaseError.statement(.objectNotInPrerequisiteState, message: "slot \(name) lost its log")
            }
            return MemoryStream(self, name, position: slot.confirmed)
        }
    }
}

final class MemoryStream: ChangeStream {
    private let database: MemoryDatabase
    private let name: String
    private let position: Mutex<LSN>

    init(_ database: MemoryDatabase, _ name: String, position: LSN) {
        self.database = database
        self.name = name
        self.position = Mutex(position)
    }

    func next(maximumTransactions: Int, timeout: Nanoseconds) async throws -> [CommittedTransaction] {
        let after = position.withLock { $0 }
        let found = database.state.withLock { state in
            let tables = state.slots[name]?.tables ?? []
            let coming = state.transactions.filter { transaction in
                transaction.commitLSN >= after && transaction.changes.contains { tables.contains($0.table) }
            }
            return Array(coming.prefix(maximumTransactions))
        }
        if let last = found.last { position.withLock { $0 = last.endLSN } }
        if found.isEmpty && database.waitsForChanges { try await Task.sleep(nanoseconds: 1_000_000) }
        return found
    }

    func confirm(_ lsn: LSN) async throws {
        database.state.withLock { $0.slots[name]?.confirmed = lsn }
    }

    func close() async {}
}

final class MemorySession: DatabaseSession {
    private struct Transaction {
        var tables: [String: MemoryTable]
        var base: UInt64
        var changes: [(table: Table, pair: RowPair)] = []
        var isAborted = false
    }

    private let database: MemoryDatabase
    private let transaction = Mutex<Transaction?>(nil)

    init(_ database: MemoryDatabase) { self.database = database }

    func begin(_ isolation: IsolationLevel) async throws {
        let (tables, base) = database.state.withLock { ($0.tables, $0.commitCount) }
        try transaction.withLock { transaction in
            guard transaction == nil else {
                throw DatabaseError.statement(.activeTransaction, message: "a transaction is open")
            }
            transaction = Transaction(tables: tables, base: base)
        }
    }

    func execute(_ statements: [Statement]) async throws -> [StatementResult] {
        let isOpen = transaction.withLock { $0 != nil }
        if !isOpen {
            try await begin(.readCommitted)
            return try await executeAndCommit(statements)
        }
        database.state.withLock { $0.roundTripCount += 1 }
        return try run(statements)
    }

    private func run(_ statements: [Statement]) throws -> [StatementResult] {
        let failure = database.state.withLock { state -> (any Error)? in
            guard let index = state.failures.firstIndex(where: { if case .execute = $0 { true } else { false } }),
                case .execute(let error) = state.failures.remove(at: index)
            else { return nil }
            return error
        }
        return try transaction.withLock { transaction in
            precondition(transaction != nil, "statements outside a transaction")
            guard !transaction!.isAborted else {
                throw DatabaseError.statement(.inFailedTransaction, message: "the transaction is aborted")
            }
            do {
                if let failure { throw failure }
                return try statements.map { statement in
                    let name = statement.table.name
                    guard var table = transaction!.tables[name] else {
                        throw DatabaseError.statement(.undefinedTable, message: name)
                    }
                    transaction!.tables[name] = nil
                    defer { transaction!.tables[name] = table }
                    var changes: [RowPair] = []
                    let result = try table.run(statement, &changes)
                    transaction!.changes += changes.map { (statement.table, $0) }
                    return result
                }
            } catch {
                transaction!.isAborted = true
                throw error
            }
        }
    }

    func executeAndCommit(_ statements: [Statement]) async throws -> [StatementResult] {
        defer { transaction.withLock { $0 = nil } }
        database.state.withLock { $0.roundTripCount += 1 }
        let results = try run(statements)
        let done = transaction.withLock { $0! }
        try database.state.withLock { state in
            var lostAnswer: DatabaseError?
            if let index = state.failures.firstIndex(where: { if case .execute = $0 { false } else { true } }) {
                switch state.failures.remove(at: index) {
                case .commit(let error): throw error
                case .afterCommit(let error): lostAnswer = error
                case .execute: break
                }
            }
            guard state.commitCount == done.base || done.changes.isEmpty else {
                throw DatabaseError.statement(.serializationFailure, message: "another transaction committed first")
            }
            if !done.changes.isEmpty {
                state.tables = done.tables
                let lsn = LSN(state.commitCount * 100 + 10)
                state.commitCount += 1
                state.transactions.append(
                    CommittedTransaction(
                        transactionID: state.commitCount, commitLSN: lsn, endLSN: LSN(lsn.rawValue + 1),
                        committedAt: .epoch,
                        changes: done.changes.map {
                            ChangeEvent(table: $0.table.name, change: $0.pair.change(of: $0.table), lsn: lsn)
                        }))
                state.committedRows.append(done.changes.map { ($0.table.name, $0.pair) })
            }
            if let lostAnswer { throw lostAnswer }
        }
        return results
    }

    func rollback() async throws { transaction.withLock { $0 = nil } }
    func close() async { transaction.withLock { $0 = nil } }
}
