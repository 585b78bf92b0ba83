/// Where a payment is.
public enum PaymentStatus: String, Hashable, Sendable, CaseIterable {
    case pending = "PENDING"
    case success = "SUCCESS"
    case failed = "FAILED"
    case expired = "EXPIRED"
    case cancelled = "CANCELLED"
    case refunded = "REFUNDED"
}

/// What can happen to a payment.
public enum PaymentInput: Hashable, Sendable {
    /// The money was taken.
    case captured
    case refused(reason: String)
    /// The deadline has passed.
    case deadlinePassed
    /// The order was cancelled or failed.
    case orderCancelled
    /// The money was given back.
    case refunded
}

/// What an input leads to.
public enum PaymentEffect: Hashable, Sendable {
    /// A new status, and the event that tells of it.
    case move(to: PaymentStatus, announcement: ShopEventType, description: String)
    /// The status stays; the money is to be given back.
    case refundDue(description: String)
    /// The status stays; the money of a late success was given back.
    case lateSuccessRefunded
}

/// The payment's state machine.
public enum PaymentStateMachine {
    /// Decides what an input does.
    ///
    /// - Parameter isGuarded: false plants the mistake of not asking from which state a step starts.
    public static func effect(
        _ status: PaymentStatus, of input: PaymentInput, isGuarded: Bool = true
    ) -> Result<PaymentEffect, NotApplicable> {
        switch (input, status) {
        case (.captured, .pending): return .success(succeeded)
        case (.captured, .expired), (.captured, .cancelled), (.captured, .failed):
            return isGuarded
                ? .success(.refundDue(description: "paid after it was \(status.rawValue), the money goes back"))
                : .success(succeeded)
        case (.refused(let reason), .pending):
            return .success(.move(to: .failed, announcement: .paymentFailed, description: reason))
        case (.deadlinePassed, .pending): return .success(expired)
        case (.orderCancelled, .pending):
            return .success(
                .move(to: .cancelled, announcement: .paymentCancelled, description: "the order was cancelled"))
        case (.orderCancelled, .success):
            return .success(.refundDue(description: "the order was cancelled, the money goes back"))
        case (.refunded, .success):
            return .success(.move(to: .refunded, announcement: .paymentRefunded, description: "refunded"))
        case (.refunded, .expired), (.refunded, .cancelled), (.refunded, .failed):
            return .success(.lateSuccessRefunded)
        case (.captured, .success), (.captured, .refunded), (.refused, _), (.deadlinePassed, _), (.orderCancelled, _),
            (.refunded, .pending), (.refunded, .refunded):
            return .failure(NotApplicable(status.rawValue))
        }
    }

    private static var succeeded: PaymentEffect {
        .move(to: .success, announcement: .paymentSucceeded, description: "paid")
    }

    static var expired: PaymentEffect {
        .move(to: .expired, announcement: .paymentExpired, description: "not paid in time")
    }
}

/// How far an attempt at the gateway is.
public enum GatewayAttemptState: String, Hashable, Sendable, CaseIterable {
    /// The key is persisted; the gateway may or may not have been asked yet.
    case started = "STARTED"
    case captured = "CAPTURED"
    case refused = "REFUSED"
    /// Captured, and to be given back.
    case refundDue = "REFUND_DUE"
    case refunded = "REFUNDED"
    /// The gateway never came to know the key, and no longer can.
    case abandoned = "ABANDONED"

    /// Whether the reconciler still has to look at it.
    public var isOpen: Bool { self == .started || self == .refundDue }
}
