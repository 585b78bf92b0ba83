import Outbox
import Ports

/// Appends what happens to orders to the feed.
struct NotificationEventHandler: EventHandler {
    let settings: ShopSettings
    let subscribers: FeedSubscribers

    func interest(in type: String, version: Int64) -> EventInterest {
        guard let type = ShopEventType(named: type), ShopEventType.isReadable(version: version) else { return .unknown }
        return Self.status(after: type) == nil ? .ignored : .handled
    }

    /// The status in which an event leaves its order; `nil` for events that customers are not told of.
    static func status(after type: ShopEventType) -> OrderStatus? {
        switch type {
        case .orderPlaced: .created
        case .paymentRequested: .reserved
        case .orderPendingForPay: .pendingForPay
        case .orderPaid, .orderCancellationRequested, .orderCancellationRefused: .paid
        case .orderCompleted: .completed
        case .orderCancelled: .cancelled
        case .orderFailed: .failed
        default: nil
        }
    }

    func loads(for events: [Event]) -> [Statement] { [FeedLengthTable.ensure, FeedLengthTable.lock] }

    func apply(
        _ events: [Event], loaded: ArraySlice<StatementResult>, in session: any DatabaseSession,
        into work: inout UnitOfWork
    ) async throws -> [Row] {
        guard let length = loaded[loaded.startIndex + 1].rows.first else {
            throw DatabaseError.statement(.serializationFailure, message: "the feed's length is not there")
        }
        var position = length.int64(FeedLengthTable.length)
        var rows: [Row] = []
        rows.reserveCapacity(events.count)
        for event in events {
            guard let type = event.shopType, let status = Self.status(after: type) else {
                throw MalformedEvent(event, field: "type", expected: "one that the feed tells of")
            }
            position += 1
            let description = event.payload[PayloadField.reason]?.stringValue ?? ""
            rows.append(
                Row([
                    .int64(position), .uuid(event.id), .uuid(try event.aggregate()), .text(event.type),
                    .text(status.rawValue), .text(description), .timestamp(work.now),
                ]))
        }
        for row in rows { work.insert(row.values, into: FeedTable.table) }
        work.add(
            .update(
                Update(
                    FeedLengthTable.table, set: [.set(FeedLengthTable.length, .int64(position))],
                    where: [FeedLengthTable.id == 1])))
        return rows
    }

    func didCommit(_ rows: [Row]) {
        for row in rows { subscribers.publish(row) }
    }
}
