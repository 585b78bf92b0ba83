import Ports

/// JSON Schemas (draft 2020-12, as OpenAPI 3.1 takes them) of what travels.
enum SchemaText {
    static let uuid: JSONValue = ["type": "string", "format": "uuid"]
    private static let time: JSONValue = ["type": "string", "format": "date-time"]
    private static let price: JSONValue = [
        "type": "number", "minimum": 0, "maximum": 92_233_720_368_547_758,
        "multipleOf": .decimal(unscaled: 1, scale: 2),
    ]
    private static let text: JSONValue = ["type": "string"]
    private static let count: JSONValue = ["type": "integer", "minimum": 0]
    private static let method: JSONValue = ["type": "string", "enum": ["CARD", "CASH"]]
    /// 500 bytes of UTF-8 hold at least 125 characters; U+0000 is in no text of PostgreSQL.
    private static let name: JSONValue = ["type": "string", "maxLength": 125, "pattern": "^[^\\u0000]*$"]

    static func reference(_ schema: String) -> JSONValue { ["$ref": .string("#/components/schemas/" + schema)] }

    /// A member that a request may leave out, or set to null, which is the same.
    private static func optional(_ schema: JSONValue) -> JSONValue {
        guard case .object(let members) = schema else { return schema }
        return .object(
            members.map { member in
                guard member.name == "type", case .string(let type) = member.value else { return member }
                return JSONMember("type", [.string(type), "null"])
            })
    }

    private static func object(
        _ members: KeyValuePairs<String, JSONValue>, required: [String]? = nil
    ) -> JSONValue {
        let names = required ?? members.map(\.key)
        return [
            "type": "object", "properties": .members(members), "required": .array(names.map { .string($0) }),
        ]
    }

    private static func page(of schema: String) -> JSONValue {
        object(
            ["items": ["type": "array", "items": reference(schema)], "nextCursor": text], required: ["items"])
    }

    private static func status(_ names: [String]) -> JSONValue {
        ["type": "string", "enum": .array(names.map { .string($0) })]
    }

    /// All schemas by name, in the order of the document.
    static var all: [(name: String, schema: JSONValue)] {
        requests + orders + others
            + [
                (
                    "Problem",
                    object(
                        [
                            "type": text, "title": text, "status": ["type": "integer"], "detail": text, "field": text,
                        ], required: ["type", "title", "status", "detail"])
                )
            ]
    }

    private static var requests: [(name: String, schema: JSONValue)] {
        let quantity: JSONValue = ["type": "integer", "minimum": 1, "maximum": 10_000]
        return [
            (
                "OrderRequest",
                object([
                    "paymentMethod": method,
                    "items": [
                        "type": "array", "minItems": 1, "maxItems": 100, "items": reference("OrderLineRequest"),
                    ],
                ])
            ),
            (
                "OrderLineRequest",
                object(
                    ["productId": uuid, "name": optional(name), "price": optional(price), "quantity": quantity],
                    required: ["productId", "quantity"])
            ),
            ("QuantityRequest", object(["quantity": quantity])),
            ("RestockRequest", object(["quantity": ["type": "integer", "minimum": 1, "maximum": 1_000_000_000]])),
            (
                "PaymentRequest",
                object(
                    ["orderId": uuid, "method": method, "amount": optional(price)], required: ["orderId", "method"])
            ),
            (
                "ItemRequest",
                object(
                    [
                        "name": name, "price": price, "image": optional(name),
                        "quantity": ["type": ["integer", "null"], "minimum": 0, "maximum": 1_000_000_000],
                    ], required: ["name", "price"])
            ),
            (
                "PriceRequest",
                object(["price": price, "name": optional(name), "image": optional(name)], required: ["price"])
            ),
        ]
    }

    private static var orders: [(name: String, schema: JSONValue)] {
        [
            (
                "Order",
                object([
                    "id": uuid, "items": ["type": "array", "items": reference("OrderLine")], "totalItems": count,
                    "totalPrice": price, "status": status(OrderStatus.allCases.map(\.rawValue)),
                    "statusDescription": text, "paymentMethod": method, "paymentId": optional(uuid), "createdAt": time,
                    "contextId": uuid,
                ])
            ),
            (
                "OrderLine",
                object(["id": count, "productId": uuid, "name": text, "price": price, "quantity": count])
            ),
            ("OrderPage", page(of: "Order")),
        ]
    }

    private static var others: [(name: String, schema: JSONValue)] {
        [
            (
                "Payment",
                object([
                    "id": uuid, "amount": price, "method": method,
                    "status": status(PaymentStatus.allCases.map(\.rawValue)), "orderId": uuid,
                    "statusDescription": text, "expiredAt": time, "createdAt": time, "contextId": uuid,
                ])
            ),
            ("PaymentPage", page(of: "Payment")),
            ("Item", object(["id": uuid, "name": text, "image": text, "price": price, "quantity": count])),
            ("ItemPage", page(of: "Item")),
            (
                "Shipment",
                object([
                    "id": uuid, "orderId": uuid, "status": status(ShipmentStatus.allCases.map(\.rawValue)),
                    "createdAt": time, "contextId": uuid,
                ])
            ),
            ("ShipmentPage", page(of: "Shipment")),
            (
                "Notification",
                object([
                    "id": count, "orderId": uuid, "type": text,
                    "status": status(OrderStatus.allCases.map(\.rawValue)), "statusDescription": text,
                    "createdAt": time,
                ])
            ),
            (
                "NotificationList", object(["items": ["type": "array", "items": reference("Notification")]])
            ),
        ]
    }
}
