import Testing

@testable import Domain

@Suite struct OrderStateMachineTests {
    /// Every input that leads anywhere, by the state it is met in: the state it leads to and the event that tells of it.
    /// Revision 2 is the current one. What is not here is a no-op.
    static let steps: [(OrderStatus, OrderInput, OrderStatus, ShopEventType)] = [
        (.created, .stockReserved(revision: 2), .reserved, .paymentRequested),
        (.created, .stockRefused(revision: 2, reason: "short"), .failed, .orderFailed),
        (.created, .cancel, .cancelled, .orderCancelled),
        (.created, .changeItems, .created, .orderItemsChanged),
        (.reserved, .paymentPending, .pendingForPay, .orderPendingForPay),
        (.reserved, .paymentSucceeded, .paid, .orderPaid),
        (.reserved, .paymentFailed(reason: "no"), .failed, .orderFailed),
        (.reserved, .paymentExpired, .cancelled, .orderCancelled),
        (.reserved, .cancel, .cancelled, .orderCancelled),
        (.pendingForPay, .paymentSucceeded, .paid, .orderPaid),
        (.pendingForPay, .paymentFailed(reason: "no"), .failed, .orderFailed),
        (.pendingForPay, .paymentExpired, .cancelled, .orderCancelled),
        (.pendingForPay, .cancel, .cancelled, .orderCancelled),
        (.paid, .shipmentDelivered, .completed, .orderCompleted),
        (.paid, .shipmentCancelled, .cancelled, .orderCancelled),
        (.paid, .cancel, .paid, .orderCancellationRequested),
    ]

    static let inputs: [OrderInput] = [
        .stockReserved(revision: 1), .stockReserved(revision: 2), .stockReserved(revision: 3),
        .stockRefused(revision: 1, reason: "short"), .stockRefused(revision: 2, reason: "short"), .paymentPending,
        .paymentSucceeded, .paymentFailed(reason: "no"), .paymentExpired, .shipmentDelivered, .shipmentCancelled,
        .shipmentCancellationRefused, .cancel, .changeItems,
    ]

    @Test("Every input in every state does what the table says, and nothing else", arguments: OrderStatus.allCases)
    func everyInput(in status: OrderStatus) {
        for input in Self.inputs {
            let expected = Self.steps.first { $0.0 == status && $0.1 == input }
            switch OrderStateMachine.step(OrderState(status, revision: 2), on: input) {
            case .success(let step):
                #expect(step.state.status == expected?.2, "\(status) on \(input)")
                #expect(step.announcement == expected?.3, "\(status) on \(input)")
            case .failure: #expect(expected == nil, "\(status) on \(input)")
            }
        }
    }

    @Test("No input leads out of a terminal state", arguments: OrderStatus.allCases.filter(\.isTerminal))
    func terminal(status: OrderStatus) {
        for input in Self.inputs {
            for isRequested in [false, true] {
                let state = OrderState(status, revision: 2, isCancellationRequested: isRequested)
                #expect(throws: NotApplicable.self) { try OrderStateMachine.step(state, on: input).get() }
            }
        }
    }

    @Test("A paid order is cancelled only once, and a refusal by shipping lifts the request")
    func cancellationOfPaidOrder() throws {
        let requested = try OrderStateMachine.step(OrderState(.paid), on: .cancel).get().state
        #expect(requested == OrderState(.paid, isCancellationRequested: true))
        #expect(throws: NotApplicable.self) { try OrderStateMachine.step(requested, on: .cancel).get() }
        let refused = try OrderStateMachine.step(requested, on: .shipmentCancellationRefused).get()
        #expect(refused.state == OrderState(.paid))
        #expect(refused.announcement == .orderCancellationRefused)
        #expect(try OrderStateMachine.step(requested, on: .shipmentCancelled).get().state == OrderState(.cancelled))
        #expect(try OrderStateMachine.step(requested, on: .shipmentDelivered).get().state == OrderState(.completed))
    }

    @Test("A change of items counts a revision on, and the answer to the older one is a no-op")
    func revision() throws {
        let changed = try OrderStateMachine.step(OrderState(.created, revision: 1), on: .changeItems).get().state
        #expect(changed == OrderState(.created, revision: 2))
        #expect(throws: NotApplicable.self) {
            try OrderStateMachine.step(changed, on: .stockReserved(revision: 1)).get()
        }
        #expect(throws: NotApplicable.self) {
            try OrderStateMachine.step(changed, on: .stockRefused(revision: 1, reason: "")).get()
        }
    }

    @Test("Without its guard the machine brings a cancelled order back to life")
    func plantedMistake() throws {
        let step = OrderStateMachine.step(OrderState(.cancelled), on: .stockReserved(revision: 1), isGuarded: false)
        #expect(try step.get().state.status == .reserved)
    }
}

@Suite struct PaymentStateMachineTests {
    static let inputs: [PaymentInput] = [
        .captured, .refused(reason: "no"), .deadlinePassed, .orderCancelled, .refunded,
    ]

    @Test("Every input in every state does what the table says, and nothing else", arguments: PaymentStatus.allCases)
    func everyInput(in status: PaymentStatus) {
        for input in Self.inputs {
            let effect = try? PaymentStateMachine.effect(status, of: input).get()
            switch (status, input) {
            case (.pending, .captured): #expect(effect?.moves(to: .success, .paymentSucceeded) == true)
            case (.pending, .refused): #expect(effect?.moves(to: .failed, .paymentFailed) == true)
            case (.pending, .deadlinePassed): #expect(effect?.moves(to: .expired, .paymentExpired) == true)
            case (.pending, .orderCancelled): #expect(effect?.moves(to: .cancelled, .paymentCancelled) == true)
            case (.success, .orderCancelled), (.expired, .captured), (.cancelled, .captured), (.failed, .captured):
                #expect(effect?.isRefundDue == true, "\(status) on \(input)")
            case (.success, .refunded): #expect(effect?.moves(to: .refunded, .paymentRefunded) == true)
            case (.expired, .refunded), (.cancelled, .refunded), (.failed, .refunded):
                #expect(effect == .lateSuccessRefunded)
            default: #expect(effect == nil, "\(status) on \(input)")
            }
        }
    }
}

extension PaymentEffect {
    fileprivate func moves(to status: PaymentStatus, _ announcement: ShopEventType) -> Bool {
        if case .move(status, announcement, _) = self { true } else { false }
    }

    fileprivate var isRefundDue: Bool { if case .refundDue = self { true } else { false } }
}

@Suite struct ReservationStateMachineTests {
    @Test(
        "Every input in every state does what the table says, and nothing else",
        arguments: [ReservationStatus?.none] + ReservationStatus.allCases)
    func everyInput(in status: ReservationStatus?) {
        let inputs: [ReservationInput] = [.reserve(revision: 2), .reserve(revision: 3), .commit, .release]
        for input in inputs {
            let action = try? ReservationStateMachine.action(status, revision: 2, on: input).get()
            let expected: ReservationAction? =
                switch (status, input) {
                case (nil, .reserve): .reserve(givingBackEarlier: false)
                case (.reserved, .reserve(revision: 3)): .reserve(givingBackEarlier: true)
                case (.failed, .reserve(revision: 3)): .reserve(givingBackEarlier: false)
                case (.released, .reserve): .refuse(reason: "the order was cancelled")
                case (.reserved, .commit): .commit
                case (nil, .release): .leaveTombstone
                case (.reserved, .release): .releaseReserved
                case (.committed, .release): .releaseCommitted
                default: nil
                }
            #expect(action == expected, "\(String(describing: status)) on \(input)")
        }
    }
}

@Suite struct ShipmentStateMachineTests {
    @Test(
        "Every input in every state does what the table says, and nothing else",
        arguments: [ShipmentStatus?.none] + ShipmentStatus.allCases)
    func everyInput(in status: ShipmentStatus?) {
        for input in ShipmentInput.allCases {
            let effect = try? ShipmentStateMachine.effect(status, of: input).get()
            let expected: ShipmentEffect? =
                switch (status, input) {
                case (nil, .request): .move(to: .requested, announcement: .shipmentRequested)
                case (.requested, .stepDue): .move(to: .dispatched, announcement: .shipmentDispatched)
                case (.dispatched, .stepDue): .move(to: .delivered, announcement: .shipmentDelivered)
                case (nil, .cancel), (.requested, .cancel): .move(to: .cancelled, announcement: .shipmentCancelled)
                case (.dispatched, .cancel), (.delivered, .cancel): .refuseCancellation
                default: nil
                }
            #expect(effect == expected, "\(String(describing: status)) on \(input)")
        }
    }
}
