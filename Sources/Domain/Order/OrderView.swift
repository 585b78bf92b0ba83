import Outbox
import Ports

/// An order as clients see it.
enum OrderView {
    /// - Parameters:
    ///   - items: from ``items(_:)``.
    ///   - status: the status and its description when they are not those of the row but of an earlier step.
    static func json(_ order: Row, items: JSONValue, status: (name: Value, description: Value)? = nil) -> JSONValue {
        typealias Orders = OrdersTable
        let id = order.uuid(Orders.id).description
        var paymentID = JSONValue.null
        if case .uuid(let value) = order[Orders.paymentID] { paymentID = .string(value.description) }
        return .object([
            JSONMember("id", .string(id)),
            JSONMember("items", items),
            JSONMember("totalItems", .integer(order.int64(Orders.totalItems))),
            JSONMember("totalPrice", WireFormat.price(order.int64(Orders.totalPrice))),
            JSONMember("status", text(status?.name ?? order[Orders.status])),
            JSONMember("statusDescription", text(status?.description ?? order[Orders.statusDescription])),
            JSONMember("paymentMethod", text(order[Orders.paymentMethod])),
            JSONMember("paymentId", paymentID),
            JSONMember("createdAt", WireFormat.timestamp(order.timestamp(Orders.createdAt))),
            JSONMember("contextId", .string(id)),
        ])
    }

    /// The lines of one order, in the order of their ids.
    static func items(_ rows: [Row]) -> JSONValue {
        typealias Items = OrderItemsTable
        return .array(
            rows.map { row in
                .object([
                    JSONMember("id", .integer(row.int64(Items.id))),
                    JSONMember("productId", .string(row.uuid(Items.productID).description)),
                    JSONMember("name", .string(row.text(Items.name))),
                    JSONMember("price", WireFormat.price(row.int64(Items.unitPrice))),
                    JSONMember("quantity", .integer(row.int64(Items.quantity))),
                ])
            })
    }

    private static func text(_ value: Value) -> JSONValue {
        if case .text(let text) = value { .string(text) } else { .null }
    }

    static func selectItems(of orderID: UniqueID) -> Statement {
        .select(
            Select(
                from: OrderItemsTable.table, where: [OrderItemsTable.orderID == .uuid(orderID)],
                orderedBy: [.ascending(OrderItemsTable.id)]))
    }
}
