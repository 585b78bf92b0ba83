import Outbox
import Ports

/// What shipping makes of the events of orders.
struct ShippingEventHandler: EventHandler {
    let ports: ServicePorts
    let settings: ShopSettings

    func interest(in type: String, version: Int64) -> EventInterest {
        guard let type = ShopEventType(named: type), ShopEventType.isReadable(version: version) else { return .unknown }
        switch type {
        case .orderPaid, .orderCancellationRequested: return .handled
        default: return .ignored
        }
    }

    func loads(for events: [Event]) throws -> [Statement] {
        var orderIDs: [UniqueID] = []
        orderIDs.reserveCapacity(events.count)
        for event in events { orderIDs.append(try event.aggregate()) }
        return [ShipmentsTable.keyed.selectForUpdate(orderIDs)]
    }

    func apply(
        _ events: [Event], loaded: ArraySlice<StatementResult>, in session: any DatabaseSession,
        into work: inout UnitOfWork
    ) async throws {
        var shipments = LockedRows(ShipmentsTable.keyed, loaded[loaded.startIndex].rows)
        let writer = ShipmentWriter(identifiers: ports.identifiers, settings: settings)
        for event in events {
            let orderID = try event.aggregate()
            let position = shipments.position(of: orderID)
            let effect = ShipmentStateMachine.effect(
                position.map { shipments[$0].shipmentStatus },
                of: event.shopType == .orderPaid ? .request : .cancel,
                isGuarded: !settings.mistakes.contains(.noStateGuard))
            switch effect {
            case .failure(let objection): work.ignore(event, by: ShippingService.name, because: objection.reason)
            case .success(let effect):
                func apply(_ shipment: inout Row) {
                    writer.apply(
                        effect, to: &shipment, orderIDText: event.aggregateID, cause: event.asCause, into: &work)
                }
                if let position {
                    shipments.update(at: position, apply)
                } else {
                    var shipment = writer.newShipment(orderID: orderID, at: work.now)
                    apply(&shipment)
                    shipments.insert(shipment)
                }
            }
        }
        shipments.write(into: &work)
    }
}
