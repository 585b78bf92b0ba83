/// Where an order is.
public enum OrderStatus: String, Hashable, Sendable, CaseIterable {
    case created = "CREATED"
    case reserved = "RESERVED"
    case pendingForPay = "PENDING_FOR_PAY"
    case paid = "PAID"
    case completed = "COMPLETED"
    case failed = "FAILED"
    case cancelled = "CANCELLED"

    /// Whether the order goes nowhere from here.
    public var isTerminal: Bool {
        switch self {
        case .completed, .failed, .cancelled: true
        case .created, .reserved, .pendingForPay, .paid: false
        }
    }
}

/// What can happen to an order.
public enum OrderInput: Hashable, Sendable {
    /// The inventory holds the stock for that revision of the items.
    case stockReserved(revision: Int64)
    case stockRefused(revision: Int64, reason: String)
    case paymentPending
    case paymentSucceeded
    case paymentFailed(reason: String)
    case paymentExpired
    case shipmentDelivered
    case shipmentCancelled
    case shipmentCancellationRefused
    /// The customer wants to cancel.
    case cancel
    /// The customer changes the items.
    case changeItems
}

/// What the order's next step depends on.
public struct OrderState: Hashable, Sendable {
    public var status: OrderStatus
    /// Which version of the items the inventory is to answer for.
    public var revision: Int64
    /// The customer cancelled after paying, and shipping has not answered yet.
    public var isCancellationRequested: Bool

    public init(_ status: OrderStatus, revision: Int64 = 1, isCancellationRequested: Bool = false) {
        self.status = status
        self.revision = revision
        self.isCancellationRequested = isCancellationRequested
    }
}

/// One step of an order: the state it leads to and the event that tells of it.
public struct OrderStep: Hashable, Sendable {
    public var state: OrderState
    public var announcement: ShopEventType
    /// For people: what happened.
    public var description: String
}

/// The order's state machine: which inputs count in which state, and what they lead to.
public enum OrderStateMachine {
    /// Decides what an input does.
    ///
    /// - Parameter isGuarded: false plants the mistake of not asking from which state a step starts.
    /// - Returns: the step, or why the input does not apply (any more).
    public static func step(
        _ state: OrderState, on input: OrderInput, isGuarded: Bool = true
    ) -> Result<OrderStep, NotApplicable> {
        if isGuarded, let objection = objection(to: input, in: state) { return .failure(objection) }
        return .success(step(from: state, on: input))
    }

    /// The guard of every transition; `nil` when the input applies.
    private static func objection(to input: OrderInput, in state: OrderState) -> NotApplicable? {
        let applies: Bool
        switch input {
        case .stockReserved(let revision), .stockRefused(let revision, _):
            guard revision == state.revision else { return NotApplicable("answers an older revision of the items") }
            applies = state.status == .created
        case .paymentPending: applies = state.status == .reserved
        case .paymentSucceeded, .paymentFailed, .paymentExpired:
            applies = state.status == .reserved || state.status == .pendingForPay
        case .shipmentDelivered, .shipmentCancelled: applies = state.status == .paid
        case .shipmentCancellationRefused: applies = state.status == .paid && state.isCancellationRequested
        case .cancel:
            if state.status == .paid && state.isCancellationRequested {
                return NotApplicable("a cancellation is under way")
            }
            applies = !state.status.isTerminal
        case .changeItems: applies = state.status == .created
        }
        return applies ? nil : NotApplicable(state.status.rawValue)
    }

    private static func step(from state: OrderState, on input: OrderInput) -> OrderStep {
        switch input {
        case .stockReserved: move(state, to: .reserved, .paymentRequested, "stock reserved")
        case .stockRefused(_, let reason): move(state, to: .failed, .orderFailed, reason)
        case .paymentPending: move(state, to: .pendingForPay, .orderPendingForPay, "waiting for payment")
        case .paymentSucceeded: move(state, to: .paid, .orderPaid, "paid")
        case .paymentFailed(let reason): move(state, to: .failed, .orderFailed, reason)
        case .paymentExpired: move(state, to: .cancelled, .orderCancelled, "not paid in time")
        case .shipmentDelivered: move(state, to: .completed, .orderCompleted, "delivered")
        case .shipmentCancelled:
            move(state, to: .cancelled, .orderCancelled, "cancelled by the customer, the payment is returned")
        case .shipmentCancellationRefused:
            OrderStep(
                state: OrderState(state.status, revision: state.revision),
                announcement: .orderCancellationRefused, description: "too late to cancel, the goods are on their way")
        case .cancel where state.status == .paid:
            OrderStep(
                state: OrderState(.paid, revision: state.revision, isCancellationRequested: true),
                announcement: .orderCancellationRequested, description: "cancellation requested")
        case .cancel: move(state, to: .cancelled, .orderCancelled, "cancelled by the customer")
        case .changeItems:
            OrderStep(
                state: OrderState(state.status, revision: state.revision + 1), announcement: .orderItemsChanged,
                description: "items changed")
        }
    }

    private static func move(
        _ state: OrderState, to status: OrderStatus, _ announcement: ShopEventType, _ description: String
    ) -> OrderStep {
        var next = state
        next.status = status
        if status.isTerminal { next.isCancellationRequested = false }
        return OrderStep(state: next, announcement: announcement, description: description)
    }
}

/// Why an input does not apply: a no-op that is recorded, not a failure.
public struct NotApplicable: Error, Hashable, Sendable {
    /// For people: the state that was found, or what makes the input out of date.
    public let reason: String

    public init(_ reason: String) { self.reason = reason }
}
