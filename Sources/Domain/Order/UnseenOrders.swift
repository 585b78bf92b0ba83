import Outbox
import Ports

/// Orders that events speak of and that no query finds: archived, or committed and not visible yet.
///
/// Change data capture hands out a transaction as soon as its commit record is durable, which can be before anybody sees it:
/// the server still has to end it, and one with a synchronous standby waits for that first. A fast saga is back in between.
/// Source: src/backend/access/transam/xact.c, CommitTransaction (RecordTransactionCommit before ProcArrayEndTransaction).
struct UnseenOrders {
    let database: any Database

    /// Waits until the transactions that are placing these orders, if there are any, have ended.
    ///
    /// Inserting the same keys waits for them and leaves nothing, since it is rolled back.
    /// It takes a second connection, so a service needs two of them.
    /// - Throws: ``Ports/DatabaseError``, also when a wait takes longer than the session's lock or statement timeout.
    func waitUntilPlaced(_ orderIDs: [UniqueID]) async throws {
        let session = try await database.connect()
        do {
            try await session.begin(.readCommitted)
            let rows = orderIDs.sorted().map(Self.placeholder)
            _ = try await session.execute(
                .insert(Insert(into: OrdersTable.table, rows: rows, onConflict: .doNothing(key: nil))))
            await session.close()
        } catch {
            await session.close()
            throw error
        }
    }

    private static func placeholder(_ orderID: UniqueID) -> [Value] {
        [
            .uuid(orderID), .text(""), .text(OrderStatus.created.rawValue), .text(""), .text(""), .null, .int64(0),
            .int64(0), .int64(0), .int64(0), .bool(false), .timestamp(Instant(nanosecondsSinceEpoch: 0)), .null,
            .int64(0),
        ]
    }
}
