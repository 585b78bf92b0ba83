import Outbox
import Ports

/// The HTTP interface of the order service.
struct OrderHTTP: HTTPHandler {
    let ports: ServicePorts
    let settings: ShopSettings
    let commands: OrderCommands
    let subscribers: SubscriberHub<OrderChange>

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        await HTTPSupport.answer(ports, request, OrderService.operations) { try await route(request) }
    }

    private func route(_ request: HTTPRequest) async throws -> HTTPResponse {
        let path = HTTPSupport.segments(of: request)
        guard path.first == "orders" else { throw NoSuchRoute() }
        switch (request.method, path.count) {
        case (.post, 1): return try await commands.place(request)
        case (.get, 1): return try await list(request)
        case (.get, 2): return try await show(try HTTPSupport.id(path[1], of: "order"))
        case (.get, 3) where path[1] == "subscribe":
            return try await subscribe(try HTTPSupport.id(path[2], of: "order"), request)
        case (.post, 3) where path[2] == "cancel":
            return try await commands.cancel(try HTTPSupport.id(path[1], of: "order"), request)
        case (.post, 3) where path[2] == "items":
            return try await commands.addItem(to: try HTTPSupport.id(path[1], of: "order"), request)
        case (.put, 4) where path[2] == "items":
            let orderID = try HTTPSupport.id(path[1], of: "order")
            guard let lineID = Int64(path[3]) else {
                throw ProblemDocument.notFound("item", String(path[3].prefix(64)))
            }
            return try await commands.changeItem(lineID, of: orderID, request)
        default: throw NoSuchRoute()
        }
    }

    private func show(_ orderID: UniqueID) async throws -> HTTPResponse {
        let results = try await commands.runner.query([
            OrdersTable.keyed.select([orderID]), OrderView.selectItems(of: orderID),
        ])
        guard let order = results[0].rows.first else { throw ProblemDocument.notFound("order", orderID.description) }
        return HTTPResponse(200, body: .json(OrderView.json(order, items: OrderView.items(results[1].rows))))
    }

    private func list(_ request: HTTPRequest) async throws -> HTTPResponse {
        let page = try Page(request, time: OrdersTable.createdAt, id: OrdersTable.id, settings)
        let orders = try await page.read(from: OrdersTable.table, commands.runner)
        let orderIDs = orders.map { $0[OrdersTable.id] }
        let items = try await commands.runner.query([
            .select(
                Select(
                    from: OrderItemsTable.table, where: [OrderItemsTable.orderID.isIn(orderIDs)],
                    orderedBy: [.ascending(OrderItemsTable.orderID), .ascending(OrderItemsTable.id)]))
        ])[0].rows
        return page.response(orders) { order in
            let id = order.uuid(OrdersTable.id)
            return OrderView.json(
                order, items: OrderView.items(items.filter { $0.uuid(OrderItemsTable.orderID) == id }))
        }
    }

    /// `GET /orders/subscribe/{id}`: the order at each of its steps, from the one after `Last-Event-ID` on, until it is
    /// finished.
    private func subscribe(_ orderID: UniqueID, _ request: HTTPRequest) async throws -> HTTPResponse {
        let lastSeen = try Int64(lastEventIDOf: request)
        let found = try await commands.runner.query([OrdersTable.keyed.select([orderID])])
        guard !found[0].rows.isEmpty else { throw ProblemDocument.notFound("order", orderID.description) }
        return HTTPResponse(
            200,
            body: .events { sink in
                let subscription = subscribers.subscribe(to: orderID, seen: lastSeen)
                defer { subscribers.unsubscribe(subscription) }
                var stream = OrderStream(
                    orderID: orderID, lastVersion: lastSeen, runner: commands.runner, subscription: subscription)
                try await stream.run(sink)
            })
    }
}

extension Int64 {
    /// The position after which a stream goes on; 0 without a `Last-Event-ID`.
    ///
    /// - Throws: 400 for one that this service never sent.
    init(lastEventIDOf request: HTTPRequest) throws(ProblemDocument) {
        guard let text = request.header("last-event-id") else {
            self = 0
            return
        }
        guard let position = Int64(text), position >= 0 else {
            throw .invalid("Last-Event-ID", "must be the id of an event of this stream")
        }
        self = position
    }
}

/// One subscriber's stream of an order's steps: what is committed, each step once and in order.
struct OrderStream {
    let orderID: UniqueID
    var lastVersion: Int64
    let runner: CommandRunner
    let subscription: SubscriberHub<OrderChange>.Subscription
    private var items: JSONValue?

    init(
        orderID: UniqueID, lastVersion: Int64, runner: CommandRunner,
        subscription: SubscriberHub<OrderChange>.Subscription
    ) {
        self.orderID = orderID
        self.lastVersion = lastVersion
        self.runner = runner
        self.subscription = subscription
    }

    mutating func run(_ sink: any ServerSentEventSink) async throws {
        var isFinished = try await catchUp(sink)
        while !isFinished {
            let changes = try await subscription.next()
            isFinished = try await follow(changes, sink)
        }
    }

    /// Sends what it was told of while that continues where it stands, and otherwise what the database has.
    private mutating func follow(_ changes: [OrderChange], _ sink: any ServerSentEventSink) async throws -> Bool {
        if changes.isEmpty { return try await catchUp(sink) }
        for change in changes where change.version > lastVersion {
            guard change.version == lastVersion + 1, !change.changesItems, let items else {
                return try await catchUp(sink)
            }
            try await send(OrderView.json(change.order, items: items), version: change.version, sink)
            if OrderState(change.order).status.isTerminal { return true }
        }
        return false
    }

    /// Reads the steps after the last one sent. Returns whether the order is finished, or gone.
    ///
    /// The steps are locked so that the commit confirms them (decision 14). They are not changed any more: only other streams
    /// of the same order wait meanwhile. The order is read after them: what a step says, its payment's id above all, is in it.
    private mutating func catchUp(_ sink: any ServerSentEventSink) async throws -> Bool {
        typealias Steps = OrderStepsTable
        let results = try await runner.query([
            .select(
                Select(
                    from: Steps.table,
                    where: [Steps.orderID == .uuid(orderID), Steps.version > .int64(lastVersion)],
                    orderedBy: [.ascending(Steps.version)], lock: .forUpdate)),
            OrdersTable.keyed.select([orderID]), OrderView.selectItems(of: orderID),
        ])
        guard let order = results[1].rows.first else { return true }
        let items = OrderView.items(results[2].rows)
        self.items = items
        for step in results[0].rows {
            let json = OrderView.json(
                order, items: items, status: (step[Steps.status], step[Steps.statusDescription]))
            try await send(json, version: step.int64(Steps.version), sink)
        }
        return OrderState(order).status.isTerminal && order.int64(OrdersTable.version) <= lastVersion
    }

    private mutating func send(
        _ order: JSONValue, version: Int64, _ sink: any ServerSentEventSink
    ) async throws {
        try await sink.send(ServerSentEvent(id: String(version), event: "order", data: order))
        lastVersion = version
        subscription.didSee(version)
    }
}
