import Outbox
import Ports

/// A line that a customer asks for.
struct RequestedLine: Sendable {
    let productID: UniqueID
    let quantity: Int64
    /// What the customer takes the price for, in minor units; `nil` leaves it to the shop.
    let price: Int64?
    /// Where it was read, for problem documents.
    let reader: RequestReader

    init(_ reader: RequestReader, _ settings: ShopSettings) throws(ProblemDocument) {
        productID = try reader.uuid("productId")
        _ = try reader.optionalText("name")
        price = try reader.optionalPrice("price")
        quantity = try reader.integer("quantity", in: 1...settings.maximumQuantityPerLine)
        self.reader = reader
    }
}

/// The lines of an order with the prices that count, and their totals.
struct PricedLines {
    private(set) var rows: [Row] = []
    private(set) var totalItems: Int64 = 0
    /// Minor units.
    private(set) var totalPrice: Int64 = 0

    /// Lines that an order has already.
    ///
    /// - Throws: 400 when the totals do not fit, which lines as they are stored cannot do.
    init(existing: [Row]) throws(ProblemDocument) {
        for row in existing { try add(row) { "items" } }
    }

    /// Prices a new line from the replica of the inventory's prices.
    ///
    /// - Throws: 404 for a product that is not sold, 409 when the customer's price is no longer right.
    mutating func add(
        _ line: RequestedLine, id: Int64, orderID: UniqueID, prices: [Row]
    ) throws(ProblemDocument) {
        guard let price = prices.first(where: { $0.uuid(ItemPricesTable.productID) == line.productID }) else {
            throw ProblemDocument(
                404, "Not Found", detail: "there is no product \(line.productID)", field: line.reader.name("productId"))
        }
        let unitPrice = price.int64(ItemPricesTable.unitPrice)
        if let asked = line.price, asked != unitPrice {
            throw .conflict(
                "the price of product \(line.productID) is no longer what the order says",
                field: line.reader.name("price"))
        }
        let row = Row([
            .uuid(orderID), .int64(id), .uuid(line.productID), price[ItemPricesTable.name], .int64(unitPrice),
            .int64(line.quantity),
        ])
        try add(row) { line.reader.name("quantity") }
    }

    private mutating func add(_ row: Row, place: () -> String) throws(ProblemDocument) {
        let quantity = row.int64(OrderItemsTable.quantity)
        let (price, priceOverflow) = row.int64(OrderItemsTable.unitPrice).multipliedReportingOverflow(by: quantity)
        let (newPrice, sumOverflow) = totalPrice.addingReportingOverflow(price)
        let (newItems, countOverflow) = totalItems.addingReportingOverflow(quantity)
        guard !priceOverflow, !sumOverflow, !countOverflow else {
            throw .invalid(place(), "the order's total is too large")
        }
        totalPrice = newPrice
        totalItems = newItems
        rows.append(row)
    }

    /// The payload of the event that tells the inventory what to reserve.
    func payload(revision: Int64, order: Row, currency: String) -> JSONValue {
        let lines = rows.map { row in
            JSONValue.object([
                JSONMember(PayloadField.productID, .string(row.uuid(OrderItemsTable.productID).description)),
                JSONMember(PayloadField.quantity, .integer(row.int64(OrderItemsTable.quantity))),
                JSONMember(PayloadField.unitPrice, .integer(row.int64(OrderItemsTable.unitPrice))),
            ])
        }
        return .object([
            JSONMember(PayloadField.revision, .integer(revision)),
            JSONMember(PayloadField.currency, .string(currency)),
            JSONMember(PayloadField.total, .integer(totalPrice)),
            JSONMember(PayloadField.lines, .array(lines)),
        ])
    }
}
