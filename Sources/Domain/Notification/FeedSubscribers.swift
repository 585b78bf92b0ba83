import Outbox
import Ports

/// The streams that follow the feed, whole or of one order.
struct FeedSubscribers: Sendable {
    private let hub = SubscriberHub<Row>()
    /// The key of streams that follow the whole feed; no order has it.
    private static let wholeFeed = UniqueID(high: 0, low: 0)

    func publish(_ row: Row) {
        hub.publish(row, to: Self.wholeFeed)
        hub.publish(row, to: row.uuid(FeedTable.orderID))
    }

    func subscribe(toOrder orderID: UniqueID?, seen position: Int64) -> SubscriberHub<Row>.Subscription {
        hub.subscribe(to: orderID ?? Self.wholeFeed, seen: position)
    }

    func unsubscribe(_ subscription: SubscriberHub<Row>.Subscription) { hub.unsubscribe(subscription) }

    /// Whether anybody follows.
    var isEmpty: Bool { hub.watchedKeys.isEmpty }

    /// Makes streams look into the database that have not seen the feed up to `length`.
    func wake(unlessSeen length: Int64) {
        for key in hub.watchedKeys { hub.wake(key, unlessSeen: length) }
    }
}

/// One subscriber's stream of the feed: what is committed, each notification once and in order.
struct FeedStream {
    let orderID: UniqueID?
    var lastPosition: Int64
    let runner: CommandRunner
    let settings: ShopSettings
    let subscription: SubscriberHub<Row>.Subscription

    mutating func run(_ sink: any ServerSentEventSink) async throws {
        try await catchUp(sink)
        while true {
            let rows = try await subscription.next()
            // The whole feed has no gaps, so what continues it is complete. Whether something between two notifications
            // of one order was not told here, only the database knows.
            if rows.isEmpty || orderID != nil {
                try await catchUp(sink)
                continue
            }
            for row in rows where row.int64(FeedTable.position) > lastPosition {
                guard row.int64(FeedTable.position) == lastPosition + 1 else {
                    try await catchUp(sink)
                    break
                }
                try await send(row, sink)
            }
        }
    }

    /// Reads what comes after the last position, page by page. Not confirmed, as no query is (decision 14).
    private mutating func catchUp(_ sink: any ServerSentEventSink) async throws {
        typealias Feed = FeedTable
        while true {
            var condition = [Feed.position > .int64(lastPosition)]
            if let orderID { condition.append(Feed.orderID == .uuid(orderID)) }
            let results = try await runner.query([
                .select(FeedLengthTable.select),
                .select(
                    Select(
                        from: Feed.table, where: condition, orderedBy: [.ascending(Feed.position)],
                        limit: settings.sweepBatchRowCount)),
            ])
            for row in results[1].rows { try await send(row, sink) }
            if results[1].rows.count < settings.sweepBatchRowCount {
                subscription.didSee(results[0].rows.first?.int64(FeedLengthTable.length) ?? 0)
                return
            }
        }
    }

    private mutating func send(_ row: Row, _ sink: any ServerSentEventSink) async throws {
        let position = row.int64(FeedTable.position)
        try await sink.send(
            ServerSentEvent(id: String(position), event: "notification", data: NotificationHTTP.json(row)))
        lastPosition = position
        subscription.didSee(position)
    }
}
