import Outbox
import Ports

/// What the payment service makes of the events of orders.
struct PaymentEventHandler: EventHandler {
    let ports: ServicePorts
    let settings: ShopSettings

    private var writer: PaymentWriter { PaymentWriter(identifiers: ports.identifiers, mistakes: settings.mistakes) }

    func interest(in type: String, version: Int64) -> EventInterest {
        guard let type = ShopEventType(named: type), ShopEventType.isReadable(version: version) else { return .unknown }
        switch type {
        case .paymentRequested, .orderCancelled, .orderFailed: return .handled
        default: return .ignored
        }
    }

    func loads(for events: [Event]) throws -> [Statement] {
        var orderIDs: [UniqueID] = []
        orderIDs.reserveCapacity(events.count)
        for event in events { orderIDs.append(try event.aggregate()) }
        return [PaymentsTable.keyed.selectForUpdate(orderIDs)]
    }

    func apply(
        _ events: [Event], loaded: ArraySlice<StatementResult>, in session: any DatabaseSession,
        into work: inout UnitOfWork
    ) async throws {
        var payments = LockedRows(PaymentsTable.keyed, loaded[loaded.startIndex].rows)
        var attempts = try await attemptsToRefund(events, payments, in: session)
        for event in events {
            let orderID = try event.aggregate()
            let position = payments.position(of: orderID)
            switch (event.shopType, position) {
            case (.paymentRequested, nil):
                payments.insert(try request(event, orderID: orderID, into: &work))
            case (.paymentRequested, _):
                work.ignore(event, by: PaymentService.name, because: "the order has a payment")
            case (_, let position?):
                payments.update(at: position) { payment in
                    cancel(&payment, &attempts, event, into: &work)
                }
            case (_, nil):
                try leaveTombstone(event, orderID: orderID, in: &payments, into: &work)
            }
        }
        payments.write(into: &work)
        attempts.write(into: &work)
    }

    /// Locks the attempts of paid orders that are cancelled: their money goes back.
    private func attemptsToRefund(
        _ events: [Event], _ payments: LockedRows, in session: any DatabaseSession
    ) async throws -> LockedRows {
        var paymentIDs: [UniqueID] = []
        for event in events where event.type != ShopEventType.paymentRequested.rawValue {
            if let position = payments.position(of: try event.aggregate()),
                payments[position].paymentStatus == .success
            {
                paymentIDs.append(payments[position].uuid(PaymentsTable.id))
            }
        }
        if paymentIDs.isEmpty { return LockedRows(GatewayAttemptsTable.keyed, []) }
        let rows = try await session.execute(GatewayAttemptsTable.keyed.selectForUpdate(paymentIDs)).rows
        return LockedRows(GatewayAttemptsTable.keyed, rows)
    }

    private func request(_ event: Event, orderID: UniqueID, into work: inout UnitOfWork) throws -> Row {
        let method = try event.text(PayloadField.paymentMethod)
        guard PaymentMethod(rawValue: method) != nil else {
            throw MalformedEvent(event, field: PayloadField.paymentMethod, expected: "CARD or CASH")
        }
        let amount = try event.integer(PayloadField.amount)
        guard amount >= 0 else {
            throw MalformedEvent(event, field: PayloadField.amount, expected: "minor units, not negative")
        }
        let expiresAt = Value.timestamp(work.now + settings.paymentLifetime)
        var payment = Row([
            .uuid(orderID), .uuid(ports.identifiers.next()), .int64(amount),
            .text(try event.text(PayloadField.currency)),
            .text(method), .text(PaymentStatus.pending.rawValue), .text("waiting for payment"), expiresAt, expiresAt,
            .timestamp(work.now), .null, 0,
        ])
        writer.publish(
            &payment, .paymentPending, description: "", orderIDText: event.aggregateID, cause: event.asCause,
            into: &work)
        return payment
    }

    private func cancel(
        _ payment: inout Row, _ attempts: inout LockedRows, _ event: Event, into work: inout UnitOfWork
    ) {
        let effect = PaymentStateMachine.effect(
            payment.paymentStatus, of: .orderCancelled, isGuarded: !settings.mistakes.contains(.noStateGuard))
        switch effect {
        case .failure(let objection): work.ignore(event, by: PaymentService.name, because: objection.reason)
        case .success(.move(let status, let announcement, let description)):
            writer.move(
                &payment, to: status, announcement, description: description, orderIDText: event.aggregateID,
                cause: event.asCause, into: &work)
        case .success(.refundDue(let description)):
            if let attempt = attempts.position(of: payment.uuid(PaymentsTable.id)) {
                attempts.update(at: attempt) { writer.demandRefund(&$0, at: work.now) }
                payment.values[PaymentsTable.statusDescription.ordinal] = .text(description)
            } else {
                // Cash, or nothing to pay: no provider has to be asked.
                writer.move(
                    &payment, to: .refunded, .paymentRefunded, description: "refunded", orderIDText: event.aggregateID,
                    cause: event.asCause, into: &work)
            }
        case .success(.lateSuccessRefunded): break
        }
    }

    /// An order that was cancelled after its payment was requested, but whose request has not come: when it comes, it
    /// must not be paid any more. An order that never got so far needs nothing.
    private func leaveTombstone(
        _ event: Event, orderID: UniqueID, in payments: inout LockedRows, into work: inout UnitOfWork
    ) throws {
        let wasRequested = try event.text(PayloadField.previousStatus) != OrderStatus.created.rawValue
        guard wasRequested, !settings.mistakes.contains(.releaseWithoutTombstone) else { return }
        let now = Value.timestamp(work.now)
        payments.insert(
            Row([
                .uuid(orderID), .uuid(ports.identifiers.next()), 0, .text(settings.currency),
                .text(PaymentMethod.card.rawValue), .text(PaymentStatus.cancelled.rawValue),
                "the order was cancelled before its payment came", now, .null, now, now, 0,
            ]))
    }
}
