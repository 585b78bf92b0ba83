public import Ports

/// What must hold of the shop, whatever happens to it.
public enum ShopProperty: String, Hashable, Sendable, CaseIterable {
    case stock, money, agreement, outboxToLog, effects, applicationOrder, clientPromises, notifications, liveness

    /// The property in words.
    public var statement: String {
        switch self {
        case .stock:
            "stocked = available + reserved + committed for every item, what orders hold adds up to it, never negative"
        case .money: "captured - refunded is what the order owes, and no order is captured twice"
        case .agreement: "order, payment, reservation and shipment of one order are in a legal combination"
        case .outboxToLog: "every committed outbox row is published, and nothing else ever is"
        case .effects: "each event has one effect at every consumer that it concerns, and at most one"
        case .applicationOrder: "a consumer applies one order's events in the order in which they were committed"
        case .clientPromises: "an acknowledged request is never lost, and an idempotency key never acts twice"
        case .notifications: "a subscriber sees each committed status once and in order"
        case .liveness: "after faults stop, every order finishes and every queue runs empty"
        }
    }
}

/// A property that did not hold, with what was seen.
public struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
    public let property: ShopProperty
    /// The order concerned, or the item; `nil` when it is neither.
    public let subject: UniqueID?
    /// What was seen, and what should have been.
    public let observation: String

    public init(_ property: ShopProperty, _ subject: UniqueID?, _ observation: String) {
        self.property = property
        self.subject = subject
        self.observation = observation
    }

    public var description: String {
        "\(property.rawValue): " + (subject.map { "\($0): " } ?? "") + observation
    }
}

/// The services, as observations name them.
public enum ShopServiceName: UInt8, Hashable, Sendable, CaseIterable {
    case order, payment, inventory, shipping, notification

    /// The service's name, also that of its consumer.
    public var name: String {
        switch self {
        case .order: OrderService.name
        case .payment: PaymentService.name
        case .inventory: InventoryService.name
        case .shipping: ShippingService.name
        case .notification: NotificationService.name
        }
    }

    /// Whether the service's consumer applies events of that type, by the protocol.
    public func handles(_ type: ShopEventType) -> Bool {
        switch (self, type) {
        case (.order, .stockReserved), (.order, .stockRefused), (.order, .itemPriced), (.order, .paymentPending),
            (.order, .paymentSucceeded), (.order, .paymentFailed), (.order, .paymentExpired),
            (.order, .shipmentDelivered), (.order, .shipmentCancelled), (.order, .shipmentCancellationRefused),
            (.payment, .paymentRequested), (.payment, .orderCancelled), (.payment, .orderFailed),
            (.inventory, .orderPlaced), (.inventory, .orderItemsChanged), (.inventory, .orderPaid),
            (.inventory, .orderCancelled), (.inventory, .orderFailed), (.shipping, .orderPaid),
            (.shipping, .orderCancellationRequested):
            true
        case (.notification, _): NotificationEventHandler.status(after: type) != nil
        default: false
        }
    }
}

/// A row of one service's database as a committed transaction changed it: inserted without `old`, deleted without `new`.
public struct CommittedChange: Sendable {
    public let service: ShopServiceName
    public let table: String
    public let old: Row?
    public let new: Row?

    public init(_ service: ShopServiceName, table: String, old: Row?, new: Row?) {
        self.service = service
        self.table = table
        self.old = old
        self.new = new
    }
}
