import Ports

extension ContractCase {
    /// A case with a slot called `contract` on the tables named, created before the case runs.
    static func slot(
        _ id: String, _ rule: String, tables: [String] = ["test"], options: DatabaseOptions = DatabaseOptions(),
        _ body: @escaping @Sendable (Stage, any DatabaseServer) async throws -> Void
    ) -> ContractCase {
        .postgres("slots/\(id)", rule, options: options) { stage, server in
            try await server.changeStreams.createSlot(Slots.name, tables: tables)
            try await body(stage, server)
        }
    }
}

enum Slots {
    static let name = "contract"

    /// Opens the slot for the length of `body`.
    static func consume<Result>(
        _ server: any DatabaseServer, from start: LSN? = nil, _ body: (any ChangeStream) async throws -> Result
    ) async throws -> Result {
        let stream = try await server.changeStreams.open(name, from: start)
        do {
            let result = try await body(stream)
            await stream.close()
            return result
        } catch {
            await stream.close()
            throw error
        }
    }

    static func slot(
        _ server: any DatabaseServer, file: String = #fileID, line: UInt = #line
    ) async throws -> ReplicationSlot {
        guard let slot = try await server.changeStreams.slot(name) else {
            throw ContractFailure("the slot is not there", file: file, line: line)
        }
        return slot
    }
}

extension ChangeStream {
    /// The next transactions: as many as wanted, or fewer when no more come in time.
    func collect(_ count: Int, timeout: Nanoseconds = .seconds(5)) async throws -> [CommittedTransaction] {
        var collected: [CommittedTransaction] = []
        while collected.count < count {
            let more = try await next(maximumTransactions: count - collected.count, timeout: timeout)
            if more.isEmpty { break }
            collected += more
        }
        return collected
    }

    /// Checks that nothing (more) is handed out.
    func mustBeQuiet(_ span: Nanoseconds = .milliseconds(300), file: String = #fileID, line: UInt = #line) async throws
    {
        let more = try await next(maximumTransactions: 1, timeout: span)
        try expect(more.map { $0.changes.map(\.change) }, equals: [], "changes handed out", file: file, line: line)
    }
}

extension [CommittedTransaction] {
    /// The changes of each transaction.
    var rowChanges: [[RowChange]] { map { $0.changes.map(\.change) } }
}

extension RowChange {
    static func inserted(_ id: Int64, _ value: Int64) -> RowChange { .insert(new: Row([.int64(id), .int64(value)])) }
    static func updated(_ id: Int64, _ value: Int64) -> RowChange {
        .update(oldKey: nil, new: Row([.int64(id), .int64(value)]))
    }
    static func deleted(_ id: Int64) -> RowChange { .delete(oldKey: Row([.int64(id), .null])) }
}
