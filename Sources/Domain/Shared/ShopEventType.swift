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

    /// The type of that name; `nil` for one that this version of the shop does not know.
    init?(named name: String) {
        guard let type = ShopEventTypeNames.shared.type(named: name) else { return nil }
        self = type
    }

    /// Versions of the payload that this version of the shop can read. A newer one only adds fields, which are left
    /// unread; a change that a reader must understand is a new type.
    static func isReadable(version: Int64) -> Bool { version >= 1 }
}

/// Finds a type by its name. Every service looks at every record of its topics, so this is a table without collisions,
/// made once, instead of a dictionary.
private struct ShopEventTypeNames {
    static let shared = ShopEventTypeNames()

    private var types: [ShopEventType?] = []
    private var multiplier: UInt64 = 1

    init() {
        while !fill() { multiplier += 2 }
    }

    func type(named name: String) -> ShopEventType? {
        guard let type = types[slot(name)], type.rawValue == name else { return nil }
        return type
    }

    /// Whether all names got slots of their own with this multiplier.
    private mutating func fill() -> Bool {
        types = Array(repeating: nil, count: 256)
        for type in ShopEventType.allCases {
            let slot = slot(type.rawValue)
            if types[slot] != nil { return false }
            types[slot] = type
        }
        return true
    }

    private func slot(_ name: String) -> Int {
        let hash = name.utf8.withContiguousStorageIfAvailable { bytes in
            bytes.count < 8
                ? UInt64(bytes.count)
                : UnsafeRawPointer(bytes.baseAddress!).loadUnaligned(
                    fromByteOffset: bytes.count - 8, as: UInt64.self
                ).littleEndian ^ UInt64(bytes[0]) << 56 ^ UInt64(bytes.count)
        }
        return Int(truncatingIfNeeded: ((hash ?? 0) &* multiplier &* 0x9E37_79B9_7F4A_7C15) >> 56)
    }
}
