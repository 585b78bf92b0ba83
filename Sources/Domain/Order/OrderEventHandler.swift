import Outbox
import Ports

/// What the order service makes of the events of the others.
struct OrderEventHandler: EventHandler {
    let ports: ServicePorts
    let settings: ShopSettings
    let subscribers: SubscriberHub<OrderChange>

    func interest(in type: String, version: Int64) -> EventInterest {
        guard let type = ShopEventType(named: type), ShopEventType.isReadable(version: version) else { return .unknown }
        switch type {
        case .stockReserved, .stockRefused, .itemPriced, .paymentPending, .paymentSucceeded, .paymentFailed,
            .paymentExpired, .shipmentDelivered, .shipmentCancelled, .shipmentCancellationRefused:
            return .handled
        default: return .ignored
        }
    }

    func loads(for events: [Event]) throws -> [Statement] {
        var orderIDs: [UniqueID] = []
        for event in events where event.type != ShopEventType.itemPriced.rawValue {
            orderIDs.append(try event.aggregate())
        }
        return orderIDs.isEmpty ? [] : [OrdersTable.keyed.selectForUpdate(orderIDs)]
    }

    func apply(
        _ events: [Event], loaded: ArraySlice<StatementResult>, in session: any DatabaseSession,
        into work: inout UnitOfWork
    ) async throws -> [OrderChange] {
        var orders = LockedRows(OrdersTable.keyed, loaded.first?.rows ?? [])
        try await addUnseen(events, to: &orders, in: session)
        let writer = OrderStepWriter(identifiers: ports.identifiers, settings: settings)
        var changes: [OrderChange] = []
        for event in events {
            if event.type == ShopEventType.itemPriced.rawValue {
                work.add(try Self.recordPrice(event))
                continue
            }
            let input = try Self.input(event)
            guard let position = orders.position(of: try event.aggregate()) else {
                work.ignore(event, by: OrderService.name, because: "no such order, or archived")
                continue
            }
            let isGuarded = !settings.mistakes.contains(.noStateGuard)
            switch OrderStateMachine.step(OrderState(orders[position]), on: input, isGuarded: isGuarded) {
            case .failure(let objection):
                work.ignore(event, by: OrderService.name, because: objection.reason)
            case .success(let step):
                let paymentID = input == .paymentPending ? try event.uuid(PayloadField.paymentID) : nil
                orders.update(at: position) { row in
                    changes.append(
                        writer.write(
                            step, to: &row, orderIDText: event.aggregateID, paymentID: paymentID, cause: event.asCause,
                            into: &work))
                }
            }
        }
        orders.write(into: &work)
        return changes
    }

    /// Adds the orders that became visible after the events' rows were loaded.
    private func addUnseen(
        _ events: [Event], to orders: inout LockedRows, in session: any DatabaseSession
    ) async throws {
        var unseen: [UniqueID] = []
        for event in events where event.type != ShopEventType.itemPriced.rawValue {
            let orderID = try event.aggregate()
            if orders.position(of: orderID) == nil && !unseen.contains(orderID) { unseen.append(orderID) }
        }
        guard !unseen.isEmpty else { return }
        try await UnseenOrders(database: ports.database).waitUntilPlaced(unseen)
        orders.add(try await session.execute(OrdersTable.keyed.selectForUpdate(unseen)).rows)
    }

    func didCommit(_ changes: [OrderChange]) {
        for change in changes { subscribers.publish(change, to: change.orderID) }
    }

    private static func input(_ event: Event) throws -> OrderInput {
        switch event.shopType {
        case .stockReserved: .stockReserved(revision: try event.integer(PayloadField.revision))
        case .stockRefused:
            .stockRefused(
                revision: try event.integer(PayloadField.revision), reason: try event.text(PayloadField.reason))
        case .paymentPending: .paymentPending
        case .paymentSucceeded: .paymentSucceeded
        case .paymentFailed: .paymentFailed(reason: try event.text(PayloadField.reason))
        case .paymentExpired: .paymentExpired
        case .shipmentDelivered: .shipmentDelivered
        case .shipmentCancelled: .shipmentCancelled
        case .shipmentCancellationRefused: .shipmentCancellationRefused
        default: throw MalformedEvent(event, field: "type", expected: "one that the order service handles")
        }
    }

    /// Keeps the newest price that the inventory announced for an item.
    private static func recordPrice(_ event: Event) throws -> Statement {
        typealias Prices = ItemPricesTable
        let version = Value.int64(try event.integer(PayloadField.itemVersion))
        let row: [Value] = [
            .uuid(try event.aggregate()), .text(try event.text(PayloadField.name)),
            .int64(try event.integer(PayloadField.unitPrice)), version,
        ]
        return .insert(
            Insert(
                into: Prices.table, rows: [row],
                onConflict: .doUpdate(
                    key: Prices.table.primaryKey,
                    assignments: [
                        .setExcluded(Prices.name), .setExcluded(Prices.unitPrice), .setExcluded(Prices.itemVersion),
                    ],
                    condition: [Prices.itemVersion < version])))
    }
}
