import Outbox

/// The aggregate types of the shop, which name its topics. Events are keyed by order id, but for the prices among those
/// of the inventory, which are keyed by item id and concern no order.
enum AggregateType {
    static let order = "order"
    static let payment = "payment"
    static let inventory = "inventory"
    static let shipping = "shipping"

    static func topic(_ aggregateType: String) -> String { OutboxTable.topic(forAggregateType: aggregateType) }

    /// The topic, and the one of its dead letters.
    static func topics(_ aggregateType: String) -> [String] {
        [topic(aggregateType), topic(aggregateType + ParkedEvents.deadLetterSuffix)]
    }
}

/// The types of all events of the shop.
public enum ShopEventType: String, CaseIterable, Sendable {
    // Of orders.
    case orderPlaced = "OrderPlaced"
    case orderItemsChanged = "OrderItemsChanged"
    case paymentRequested = "PaymentRequested"
    case orderPendingForPay = "OrderPendingForPay"
    case orderPaid = "OrderPaid"
    case orderCompleted = "OrderCompleted"
    case orderCancellationRequested = "OrderCancellationRequested"
    case orderCancellationRefused = "OrderCancellationRefused"
    case orderCancelled = "OrderCancelled"
    case orderFailed = "OrderFailed"
    // Of payments.
    case paymentPending = "PaymentPending"
    case paymentSucceeded = "PaymentSucceeded"
    case paymentFailed = "PaymentFailed"
    case paymentExpired = "PaymentExpired"
    case paymentCancelled = "PaymentCancelled"
    case paymentRefunded = "PaymentRefunded"
    // Of the inventory.
    case stockReserved = "StockReserved"
    case stockRefused = "StockRefused"
    case stockCommitted = "StockCommitted"
    case stockReleased = "StockReleased"
    case itemPriced = "ItemPriced"
    // Of shipping.
    case shipmentRequested = "ShipmentRequested"
    case shipmentDispatched = "ShipmentDispatched"
    case shipmentDelivered = "ShipmentDelivered"
    case shipmentCancelled = "ShipmentCancelled"
    case shipmentCancellationRefused = "ShipmentCancellationRefused"

    private static let byName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })

    /// The type of that name; `nil` for one that this version of the shop does not know.
    init?(named name: String) {
        guard let type = Self.byName[name] else { return nil }
        self = type
    }

    /// Versions of the payload that this version of the shop can read. A newer one only adds fields, which are left
    /// unread; a change that a reader must understand is a new type.
    static func isReadable(version: Int64) -> Bool { version >= 1 }
}
