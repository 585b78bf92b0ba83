import Outbox
import Ports

extension Row {
    /// - Precondition: the row is of ``PaymentsTable``; nothing but a ``PaymentStatus`` is ever written there.
    var paymentStatus: PaymentStatus {
        guard let status = PaymentStatus(rawValue: text(PaymentsTable.status)) else {
            preconditionFailure("payment \(uuid(PaymentsTable.id)) has status '\(text(PaymentsTable.status))'")
        }
        return status
    }

    /// - Precondition: the row is of ``GatewayAttemptsTable``.
    var attemptState: GatewayAttemptState {
        guard let state = GatewayAttemptState(rawValue: text(GatewayAttemptsTable.state)) else {
            preconditionFailure("gateway attempt has state '\(text(GatewayAttemptsTable.state))'")
        }
        return state
    }
}

/// Writes what happens to payments: rows, and the events that tell of it.
struct PaymentWriter {
    let identifiers: any Identifiers
    let mistakes: PlantedMistakes

    /// Moves a payment to a new status and announces it.
    func move(
        _ payment: inout Row, to status: PaymentStatus, _ announcement: ShopEventType, description: String,
        orderIDText: String, cause: EventCause, into work: inout UnitOfWork
    ) {
        typealias Payments = PaymentsTable
        payment.values[Payments.status.ordinal] = .text(status.rawValue)
        payment.values[Payments.statusDescription.ordinal] = .text(description)
        payment.values[Payments.dueAt.ordinal] = .null
        payment.values[Payments.finishedAt.ordinal] = .timestamp(work.now)
        publish(
            &payment, announcement, description: description, orderIDText: orderIDText, cause: cause, into: &work)
    }

    /// Tells of a payment's step.
    ///
    /// - Parameter orderIDText: the order's id as events carry it.
    func publish(
        _ payment: inout Row, _ announcement: ShopEventType, description: String, orderIDText: String,
        cause: EventCause, into work: inout UnitOfWork
    ) {
        typealias Payments = PaymentsTable
        let version = payment.int64(Payments.version) + 1
        payment.values[Payments.version.ordinal] = .int64(version)
        var payload = [JSONMember(PayloadField.paymentID, .string(payment.uuid(Payments.id).description))]
        switch announcement {
        case .paymentPending:
            let deadline = payment.timestamp(Payments.expiresAt).nanosecondsSinceEpoch / 1_000
            payload.append(JSONMember(PayloadField.expiresAtMicroseconds, .integer(deadline)))
        default: payload.append(JSONMember(PayloadField.reason, .string(description)))
        }
        work.publish(
            OutboundEvent(
                id: identifiers.next(), aggregateType: AggregateType.payment, aggregateID: orderIDText,
                type: announcement.rawValue, occurredAt: work.now, aggregateVersion: version, payload: .object(payload)),
            causedBy: cause)
    }

    /// What the gateway said of a payment's key: applied to the payment and its attempt, which are both locked.
    ///
    /// - Returns: why nothing was to be done, if so.
    func settle(
        _ payment: inout Row, _ attempt: inout Row, with outcome: GatewayOutcome, cause: EventCause,
        into work: inout UnitOfWork
    ) -> NotApplicable? {
        let input: PaymentInput
        let state: GatewayAttemptState
        let detail: String
        switch outcome {
        case .captured(let reference): (input, state, detail) = (.captured, .captured, reference)
        case .refused(let reason): (input, state, detail) = (.refused(reason: reason), .refused, reason)
        case .refunded(let reference): (input, state, detail) = (.refunded, .refunded, reference)
        case .unknownKey: return NotApplicable("the gateway does not know the key")
        }
        // News that the attempt has already: a callback after the answer, or the same callback again.
        if attempt.attemptState == state || attempt.attemptState == .refunded { return NotApplicable("known already") }
        if attempt.attemptState == .refundDue && state == .captured { return NotApplicable("known already") }
        close(&attempt, state, detail: detail)
        switch PaymentStateMachine.effect(
            payment.paymentStatus, of: input, isGuarded: !mistakes.contains(.noStateGuard))
        {
        case .failure(let objection): return objection
        case .success(.move(let status, let announcement, let description)):
            move(
                &payment, to: status, announcement, description: description,
                orderIDText: payment.uuid(PaymentsTable.orderID).description, cause: cause, into: &work)
        case .success(.refundDue(let description)):
            if !mistakes.contains(.noRefundOnLateSuccess) { demandRefund(&attempt, at: work.now) }
            payment.values[PaymentsTable.statusDescription.ordinal] = .text(description)
        case .success(.lateSuccessRefunded):
            payment.values[PaymentsTable.statusDescription.ordinal] = .text("paid too late, refunded")
        }
        return nil
    }

    /// Has the reconciler give the money back.
    func demandRefund(_ attempt: inout Row, at now: Instant) {
        attempt.values[GatewayAttemptsTable.state.ordinal] = .text(GatewayAttemptState.refundDue.rawValue)
        attempt.values[GatewayAttemptsTable.checkAt.ordinal] = .timestamp(now)
        attempt.values[GatewayAttemptsTable.checkCount.ordinal] = 0
    }

    func close(_ attempt: inout Row, _ state: GatewayAttemptState, detail: String) {
        attempt.values[GatewayAttemptsTable.state.ordinal] = .text(state.rawValue)
        attempt.values[GatewayAttemptsTable.detail.ordinal] = .text(detail)
        attempt.values[GatewayAttemptsTable.checkAt.ordinal] = .null
    }
}
