import Outbox
import Ports

extension Row {
    /// - Precondition: the row is of ``ShipmentsTable``; nothing but a ``ShipmentStatus`` is ever written there.
    var shipmentStatus: ShipmentStatus {
        guard let status = ShipmentStatus(rawValue: text(ShipmentsTable.status)) else {
            preconditionFailure("shipment \(uuid(ShipmentsTable.id)) has status '\(text(ShipmentsTable.status))'")
        }
        return status
    }
}

/// Writes what happens to shipments: rows, and the events that tell of it.
struct ShipmentWriter {
    let identifiers: any Identifiers
    let settings: ShopSettings

    /// A shipment that nothing has happened to yet.
    func newShipment(orderID: UniqueID, at now: Instant) -> Row {
        Row([.uuid(orderID), .uuid(identifiers.next()), "", .null, .timestamp(now), .null, 0])
    }

    func apply(
        _ effect: ShipmentEffect, to shipment: inout Row, orderIDText: String, cause: EventCause,
        into work: inout UnitOfWork
    ) {
        typealias Shipments = ShipmentsTable
        let announcement: ShopEventType
        switch effect {
        case .refuseCancellation: announcement = .shipmentCancellationRefused
        case .move(let status, let type):
            announcement = type
            shipment.values[Shipments.status.ordinal] = .text(status.rawValue)
            switch status {
            case .requested: shipment.values[Shipments.dueAt.ordinal] = .timestamp(work.now + settings.dispatchDelay)
            case .dispatched: shipment.values[Shipments.dueAt.ordinal] = .timestamp(work.now + settings.deliveryDelay)
            case .delivered, .cancelled:
                shipment.values[Shipments.dueAt.ordinal] = .null
                shipment.values[Shipments.finishedAt.ordinal] = .timestamp(work.now)
            }
        }
        let version = shipment.int64(Shipments.version) + 1
        shipment.values[Shipments.version.ordinal] = .int64(version)
        work.publish(
            OutboundEvent(
                id: identifiers.next(), aggregateType: AggregateType.shipping, aggregateID: orderIDText,
                type: announcement.rawValue, occurredAt: work.now, aggregateVersion: version,
                payload: .object([
                    JSONMember("shipmentId", .string(shipment.uuid(Shipments.id).description))
                ])), causedBy: cause)
    }
}
