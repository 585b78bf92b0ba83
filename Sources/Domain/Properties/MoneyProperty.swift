/// Captured minus refunded is what PAID and later orders owe; no order is captured twice; nothing is kept for an order that
/// ends CANCELLED or FAILED. Judged at quiescence, or once an order is finished.
public enum MoneyProperty {
    public static func violations(_ history: OrderHistory) -> [Violation] {
        guard let order = history.order else { return captured(history, owed: 0, "an order that does not exist") }
        let owed: Int64 =
            switch order.status {
            case .paid, .completed: order.totalPrice
            case .created, .reserved, .pendingForPay, .failed, .cancelled: 0
            }
        return captured(history, owed: owed, "an order that is \(order.status.rawValue)")
    }

    private static func captured(_ history: OrderHistory, owed: Int64, _ what: String) -> [Violation] {
        var violations: [Violation] = []
        func report(_ observation: String) {
            violations.append(Violation(.money, history.id, observation))
        }
        if history.captures.count > 1 {
            report("captured \(history.captures.count) times, under keys \(history.captures.map(\.key))")
        }
        let byProvider = history.captures.reduce(0) { $0 + ($1.isRefunded ? 0 : $1.amount) }
        // Cash is not in the provider's books; the payment's own word counts.
        var cash: Int64 = 0
        if let payment = history.payment, history.captures.isEmpty, payment.status == .success,
            payment.method == .cash || payment.amount == 0
        {
            cash = payment.amount
        }
        if byProvider + cash != owed {
            report("\(byProvider + cash) kept for \(what) and owes \(owed)")
        }
        if let payment = history.payment, payment.status == .success, byProvider + cash != payment.amount {
            report("payment of \(payment.amount) is SUCCESS, and \(byProvider + cash) was kept")
        }
        return violations
    }
}
