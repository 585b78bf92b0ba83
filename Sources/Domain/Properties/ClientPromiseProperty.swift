/// What a client was told holds: an acknowledged POST is never lost, and the same idempotency key never acts twice.
public enum ClientPromiseProperty {
    public static func violations(_ history: OrderHistory, isQuiescent: Bool = true) -> [Violation] {
        var violations: [Violation] = []
        func report(_ observation: String) { violations.append(Violation(.clientPromises, history.id, observation)) }
        for twin in history.twins { report("the request that placed it placed order \(twin) as well") }
        for promise in history.promises {
            switch promise {
            case .placed(let key):
                if history.order == nil { report("was acknowledged under key \(key) and does not exist") }
            case .cancelled(let told):
                if told == .cancelled, let order = history.order, order.status != .cancelled {
                    report("was acknowledged as CANCELLED and is \(order.status.rawValue)")
                }
            case .paid(let told):
                if let objection = objection(told, history.payment, isQuiescent: isQuiescent) { report(objection) }
            }
        }
        return violations
    }

    private static func objection(
        _ told: PaymentStatus, _ payment: OrderHistory.PaymentPart?, isQuiescent: Bool
    ) -> String? {
        guard let payment else { return "its payment was acknowledged as \(told.rawValue) and does not exist" }
        let mayHaveBecome: [PaymentStatus] =
            switch told {
            case .success: [.success, .refunded]
            case .pending: PaymentStatus.allCases
            case .failed, .expired, .cancelled, .refunded: [told]
            }
        if mayHaveBecome.contains(payment.status) { return nil }
        return "its payment was acknowledged as \(told.rawValue) and is \(payment.status.rawValue)"
    }
}
