import Outbox
import Ports

/// A step of an order that was written: what subscribers are told once it is committed.
struct OrderChange: Sendable {
    /// The order as the step left it.
    let order: Row
    let changesItems: Bool

    var orderID: UniqueID { order.uuid(OrdersTable.id) }
    var version: Int64 { order.int64(OrdersTable.version) }
}

extension OrderState {
    /// Reads the state from its row.
    ///
    /// - Precondition: the status is one of ``OrderStatus``; nothing else is ever written.
    init(_ row: Row) {
        guard let status = OrderStatus(rawValue: row.text(OrdersTable.status)) else {
            preconditionFailure("order \(row.uuid(OrdersTable.id)) has status '\(row.text(OrdersTable.status))'")
        }
        self.init(
            status, revision: row.int64(OrdersTable.revision),
            isCancellationRequested: row.bool(OrdersTable.isCancellationRequested))
    }
}

/// Writes a step of an order: its row, its history and its event, which belong together always.
struct OrderStepWriter {
    let identifiers: any Identifiers
    let settings: ShopSettings

    /// - Parameters:
    ///   - orderIDText: the order's id as events carry it.
    ///   - paymentID: the payment that the step tells of.
    ///   - payload: the event's payload; by default what the announcement's type asks for.
    func write(
        _ step: OrderStep, to row: inout Row, orderIDText: String, paymentID: UniqueID? = nil,
        payload: JSONValue? = nil, cause: EventCause, into work: inout UnitOfWork
    ) -> OrderChange {
        typealias Orders = OrdersTable
        let previousStatus = row.text(Orders.status)
        let version = row.int64(Orders.version) + 1
        let status = Value.text(step.state.status.rawValue)
        row.values[Orders.status.ordinal] = status
        row.values[Orders.statusDescription.ordinal] = .text(step.description)
        row.values[Orders.revision.ordinal] = .int64(step.state.revision)
        row.values[Orders.isCancellationRequested.ordinal] = .bool(step.state.isCancellationRequested)
        row.values[Orders.version.ordinal] = .int64(version)
        if let paymentID { row.values[Orders.paymentID.ordinal] = .uuid(paymentID) }
        if step.state.status.isTerminal { row.values[Orders.finishedAt.ordinal] = .timestamp(work.now) }
        let id = row[Orders.id]
        work.insert(
            [id, .int64(version), status, .text(step.description), .timestamp(work.now)], into: OrderStepsTable.table)
        work.publish(
            OutboundEvent(
                id: identifiers.next(), aggregateType: AggregateType.order, aggregateID: orderIDText,
                type: step.announcement.rawValue, occurredAt: work.now, aggregateVersion: version,
                payload: payload ?? self.payload(step, row: row, previousStatus: previousStatus)),
            causedBy: cause)
        return OrderChange(order: row, changesItems: step.announcement == .orderItemsChanged)
    }

    private func payload(_ step: OrderStep, row: Row, previousStatus: String) -> JSONValue {
        switch step.announcement {
        case .paymentRequested:
            .object([
                JSONMember(PayloadField.amount, .integer(row.int64(OrdersTable.totalPrice))),
                JSONMember(PayloadField.currency, .string(settings.currency)),
                JSONMember(PayloadField.paymentMethod, .string(row.text(OrdersTable.paymentMethod))),
            ])
        default:
            .object([
                JSONMember(PayloadField.reason, .string(step.description)),
                JSONMember(PayloadField.previousStatus, .string(previousStatus)),
            ])
        }
    }
}
