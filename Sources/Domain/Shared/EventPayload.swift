import Outbox
import Ports

/// Names of the fields of event payloads. Amounts are minor units.
enum PayloadField {
    static let revision = "revision"
    static let paymentMethod = "paymentMethod"
    static let currency = "currency"
    static let total = "total"
    static let lines = "lines"
    static let productID = "productId"
    static let quantity = "quantity"
    static let unitPrice = "unitPrice"
    static let amount = "amount"
    static let paymentID = "paymentId"
    static let reason = "reason"
    static let previousStatus = "previousStatus"
    static let itemVersion = "itemVersion"
    static let name = "name"
    static let expiresAtMicroseconds = "expiresAtMicroseconds"
}

extension Event {
    var shopType: ShopEventType? { ShopEventType(named: type) }

    /// The order (or item) that the event is about.
    func aggregate() throws(MalformedEvent) -> UniqueID {
        guard let id = aggregateUUID else { throw MalformedEvent(self, field: "aggregateId", expected: "a UUID") }
        return id
    }

    func integer(_ field: String) throws(MalformedEvent) -> Int64 {
        guard let value = payload[field]?.integerValue else {
            throw MalformedEvent(self, field: field, expected: "an integer")
        }
        return value
    }

    func text(_ field: String) throws(MalformedEvent) -> String {
        guard let value = payload[field]?.stringValue else {
            throw MalformedEvent(self, field: field, expected: "a text")
        }
        return value
    }

    func uuid(_ field: String) throws(MalformedEvent) -> UniqueID {
        guard let text = payload[field]?.stringValue, let id = UniqueID(text) else {
            throw MalformedEvent(self, field: field, expected: "a UUID")
        }
        return id
    }
}
