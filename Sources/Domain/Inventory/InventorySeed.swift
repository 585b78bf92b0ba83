public import Outbox
public import Ports

/// A new item with its first stock, as `POST /items` makes one; also what fills an empty shop before it opens.
public struct InventorySeed: Hashable, Sendable {
    public var id: UniqueID
    public var name: String
    public var image: String
    /// Minor units.
    public var unitPrice: Int64
    /// Pieces in stock.
    public var quantity: Int64

    public init(id: UniqueID, name: String, image: String = "", unitPrice: Int64, quantity: Int64) {
        self.id = id
        self.name = name
        self.image = image
        self.unitPrice = unitPrice
        self.quantity = quantity
    }

    /// Adds the item and the announcement of its price. Returns the item's row.
    @discardableResult
    public func write(
        into work: inout UnitOfWork, identifiers: any Identifiers, settings: ShopSettings, causedBy cause: EventCause
    ) -> Row {
        let row = Row([
            .uuid(id), .text(name), .text(image), .int64(unitPrice), .int64(quantity), 0, 0, .int64(quantity),
            .timestamp(work.now), 1,
        ])
        work.insert(row.values, into: ItemsTable.table)
        Self.publishPrice(of: row, into: &work, identifiers: identifiers, settings: settings, causedBy: cause)
        return row
    }

    static func publishPrice(
        of item: Row, into work: inout UnitOfWork, identifiers: any Identifiers, settings: ShopSettings,
        causedBy cause: EventCause
    ) {
        let idText = item.uuid(ItemsTable.id).description
        let version = item.int64(ItemsTable.version)
        var cause = cause
        cause.correlationID = idText
        work.publish(
            OutboundEvent(
                id: identifiers.next(), aggregateType: AggregateType.inventory, aggregateID: idText,
                type: ShopEventType.itemPriced.rawValue, occurredAt: work.now, aggregateVersion: version,
                payload: .object([
                    JSONMember(PayloadField.name, .string(item.text(ItemsTable.name))),
                    JSONMember(PayloadField.unitPrice, .integer(item.int64(ItemsTable.unitPrice))),
                    JSONMember(PayloadField.currency, .string(settings.currency)),
                    JSONMember(PayloadField.itemVersion, .integer(version)),
                ])), causedBy: cause)
    }
}
