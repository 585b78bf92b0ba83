/// Order, payment, reservation and shipment of one order are in a legal combination. Judged at quiescence, or once an
/// order is finished.
public enum AgreementProperty {
    /// A combination of final states; `nil` stands for there being none.
    public struct Combination: Hashable, Sendable {
        public let order: OrderStatus
        public let payment: PaymentStatus?
        public let reservation: ReservationStatus?
        public let shipment: ShipmentStatus?

        public init(
            _ order: OrderStatus, _ payment: PaymentStatus?, _ reservation: ReservationStatus?,
            _ shipment: ShipmentStatus?
        ) {
            self.order = order
            self.payment = payment
            self.reservation = reservation
            self.shipment = shipment
        }
    }

    /// Every combination in which an order may end, with how it comes about.
    public static let legalCombinations: [(combination: Combination, comesAbout: String)] = [
        (Combination(.completed, .success, .committed, .delivered), "paid and delivered"),
        (Combination(.failed, nil, .failed, nil), "stock was short, or a price had changed"),
        (Combination(.failed, .failed, .released, nil), "the payment was refused"),
        (Combination(.cancelled, nil, .released, nil), "cancelled before the payment was asked for"),
        (Combination(.cancelled, nil, .failed, nil), "cancelled while stock was short"),
        (Combination(.cancelled, .cancelled, .released, nil), "cancelled before it was paid"),
        (Combination(.cancelled, .expired, .released, nil), "not paid in time"),
        (Combination(.cancelled, .failed, .released, nil), "cancelled while the payment was refused"),
        (Combination(.cancelled, .refunded, .released, nil), "cancelled while it was paid"),
        (Combination(.cancelled, .refunded, .released, .cancelled), "cancelled after it was paid"),
    ]

    private static let legal = Set(legalCombinations.map(\.combination))

    public static func violations(_ history: OrderHistory) -> [Violation] {
        guard let order = history.order else {
            guard history.payment != nil || history.reservation != nil || history.shipment != nil else { return [] }
            return [Violation(.agreement, history.id, "there is no such order, but \(others(history))")]
        }
        let combination = Combination(order.status, history.payment?.status, history.reservation, history.shipment)
        if legal.contains(combination) { return [] }
        return [Violation(.agreement, history.id, "order \(order.status.rawValue) with \(others(history))")]
    }

    private static func others(_ history: OrderHistory) -> String {
        "payment \(history.payment?.status.rawValue ?? "none"), reservation \(history.reservation?.rawValue ?? "none"), "
            + "shipment \(history.shipment?.rawValue ?? "none")"
    }
}
