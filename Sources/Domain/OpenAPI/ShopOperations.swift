import Ports

// The operations of each service, exactly those that its handler routes.

extension OrderService {
    public static let operations: [HTTPOperation] = [
        HTTPOperation(.post, "/orders", "placeOrder", "Places an order; the shop's own prices count.")
            .takingIdempotencyKey().taking(body: "OrderRequest")
            .answering(201, "the order as it was placed", "Order", hasLocation: true)
            .refusing(404, "a product is not sold here")
            .refusing(409, "a price is no longer what the order says"),
        HTTPOperation(.get, "/orders", "listOrders", "Lists orders, the newest first.")
            .paged().answering(200, "a page of orders", "OrderPage"),
        HTTPOperation(.get, "/orders/{id}", "showOrder", "Shows an order.")
            .taking(id: "id", of: "order").answering(200, "the order", "Order"),
        HTTPOperation(.post, "/orders/{id}/cancel", "cancelOrder", "Cancels an order; paid ones are refunded.")
            .taking(id: "id", of: "order").takingIdempotencyKey()
            .answering(200, "the cancelled order", "Order")
            .answering(202, "the paid order: shipping has to agree first", "Order")
            .refusing(409, "the order's state forbids it"),
        HTTPOperation(.post, "/orders/{id}/items", "addItem", "Adds a line to an order that may still change.")
            .taking(id: "id", of: "order").takingIdempotencyKey().taking(body: "OrderLineRequest")
            .answering(201, "the order with the new line", "Order")
            .refusing(409, "the order's state forbids it, or a price is no longer right"),
        HTTPOperation(
            .put, "/orders/{id}/items/{itemId}", "changeItem",
            "Sets the quantity of a line of an order that may still change."
        )
        .taking(id: "id", of: "order").taking(id: "itemId", of: "line", schema: ["type": "integer", "minimum": 1])
        .takingIdempotencyKey().taking(body: "QuantityRequest")
        .answering(200, "the order with the changed line", "Order").refusing(409, "the order's state forbids it"),
        HTTPOperation(
            .get, "/orders/subscribe/{id}", "followOrder", "The order at each of its steps, until it is finished."
        )
        .taking(id: "id", of: "order").takingLastEventID()
        .answeringEvents("events called `order`, the data an Order, the id the number of the step"),
    ]
}

extension PaymentService {
    public static let operations: [HTTPOperation] = [
        HTTPOperation(
            .post, "/payments", "choosePayment", "Chooses how an order is paid, once it asks for its payment."
        )
        .takingIdempotencyKey().taking(body: "PaymentRequest")
        .answering(201, "the payment", "Payment", hasLocation: true)
        .refusing(404, "the order has no payment, or not yet")
        .refusing(409, "the payment's state forbids it, or the amount is not what the order owes"),
        HTTPOperation(.get, "/payments", "listPayments", "Lists payments, the newest first.")
            .paged().answering(200, "a page of payments", "PaymentPage"),
        HTTPOperation(.get, "/payments/{id}", "showPayment", "Shows a payment.")
            .taking(id: "id", of: "payment").answering(200, "the payment", "Payment"),
        HTTPOperation(.post, "/payments/{id}/pay", "pay", "Pays.")
            .taking(id: "id", of: "payment").takingIdempotencyKey()
            .answering(200, "the payment, SUCCESS or FAILED", "Payment")
            .answering(202, "the payment: what became of it at the provider is still to be found out", "Payment")
            .refusing(409, "the payment's state forbids it, or it has expired"),
        HTTPOperation(
            .post, "/payments/{id}/callback", "notifyPayment",
            "The provider has news of a payment; the provider is then asked what it is."
        )
        .taking(id: "id", of: "payment under way").answeringWithoutBody(204, "taken note of"),
    ]
}

extension InventoryService {
    public static let operations: [HTTPOperation] = [
        HTTPOperation(.get, "/items", "listItems", "Lists items, the newest first.")
            .paged().answering(200, "a page of items", "ItemPage"),
        HTTPOperation(.post, "/items", "createItem", "Puts an item into the shop.")
            .takingIdempotencyKey().taking(body: "ItemRequest")
            .answering(201, "the item", "Item", hasLocation: true),
        HTTPOperation(.get, "/items/{id}", "showItem", "Shows an item.")
            .taking(id: "id", of: "item").answering(200, "the item", "Item"),
        HTTPOperation(.put, "/items/{id}", "changePrice", "Changes the price of an item, and its name and image.")
            .taking(id: "id", of: "item").takingIdempotencyKey().taking(body: "PriceRequest")
            .answering(200, "the item", "Item"),
        HTTPOperation(.post, "/items/{id}/restock", "restock", "Adds pieces to the stock.")
            .taking(id: "id", of: "item").takingIdempotencyKey().taking(body: "RestockRequest")
            .answering(200, "the item", "Item"),
    ]
}

extension ShippingService {
    public static let operations: [HTTPOperation] = [
        HTTPOperation(.get, "/shipments", "listShipments", "Lists shipments, the newest first.")
            .paged().answering(200, "a page of shipments", "ShipmentPage"),
        HTTPOperation(.get, "/shipments/{id}", "showShipment", "Shows a shipment.")
            .taking(id: "id", of: "shipment").answering(200, "the shipment", "Shipment"),
    ]
}

extension NotificationService {
    public static let operations: [HTTPOperation] = [
        HTTPOperation(.get, "/notifications", "listNotifications", "Lists what happened to orders, the oldest first.")
            .taking(
                query: "limit", "how many", ["type": "integer", "minimum": 1, "maximum": 100, "default": 20]
            )
            .taking(query: "after", "those after this id", ["type": "integer", "minimum": 0])
            .answering(200, "notifications", "NotificationList"),
        HTTPOperation(.get, "/notifications/subscribe", "followNotifications", "What happens to orders, without end.")
            .taking(query: "orderId", "of this order only", SchemaText.uuid).takingLastEventID()
            .answeringEvents("events called `notification`, the data a Notification, the id its id"),
    ]
}
