/// Where a shipment is.
public enum ShipmentStatus: String, Hashable, Sendable, CaseIterable {
    case requested = "REQUESTED"
    case dispatched = "DISPATCHED"
    case delivered = "DELIVERED"
    case cancelled = "CANCELLED"
}

/// What can happen to a shipment.
public enum ShipmentInput: Hashable, Sendable, CaseIterable {
    /// The order is paid.
    case request
    /// The time of the next step has come.
    case stepDue
    /// The customer wants the paid order cancelled.
    case cancel
}

/// What an input leads to.
public enum ShipmentEffect: Hashable, Sendable {
    case move(to: ShipmentStatus, announcement: ShopEventType)
    /// The status stays; the answer is that it is too late.
    case refuseCancellation
}

/// The shipment's state machine.
public enum ShipmentStateMachine {
    /// Decides what an input does to a shipment, `nil` when the order has none.
    ///
    /// A cancellation without a shipment leaves a cancelled one: the request, when it comes, is then refused.
    ///
    /// - Parameter isGuarded: false plants the mistake of not asking from which state a step starts.
    public static func effect(
        _ status: ShipmentStatus?, of input: ShipmentInput, isGuarded: Bool = true
    ) -> Result<ShipmentEffect, NotApplicable> {
        switch (input, status) {
        case (.request, nil): .success(.move(to: .requested, announcement: .shipmentRequested))
        case (.stepDue, .requested?): .success(.move(to: .dispatched, announcement: .shipmentDispatched))
        case (.stepDue, .dispatched?): .success(.move(to: .delivered, announcement: .shipmentDelivered))
        case (.cancel, nil), (.cancel, .requested?): .success(cancelled)
        case (.cancel, .dispatched?), (.cancel, .delivered?):
            isGuarded ? .success(.refuseCancellation) : .success(cancelled)
        case (.request, _), (.stepDue, _), (.cancel, .cancelled?):
            .failure(NotApplicable(status?.rawValue ?? "no such shipment"))
        }
    }

    private static var cancelled: ShipmentEffect { .move(to: .cancelled, announcement: .shipmentCancelled) }
}
