import Outbox
import Ports

/// What the inventory makes of the events of orders.
struct InventoryEventHandler: EventHandler {
    let ports: ServicePorts
    let settings: ShopSettings

    func interest(in type: String, version: Int64) -> EventInterest {
        guard let type = ShopEventType(named: type), ShopEventType.isReadable(version: version) else { return .unknown }
        switch type {
        case .orderPlaced, .orderItemsChanged, .orderPaid, .orderCancelled, .orderFailed: return .handled
        default: return .ignored
        }
    }

    func loads(for events: [Event]) throws -> [Statement] {
        var orderIDs: [UniqueID] = []
        orderIDs.reserveCapacity(events.count)
        for event in events { orderIDs.append(try event.aggregate()) }
        return [ReservationsTable.keyed.selectForUpdate(orderIDs)]
    }

    func apply(
        _ events: [Event], loaded: ArraySlice<StatementResult>, in session: any DatabaseSession,
        into work: inout UnitOfWork
    ) async throws {
        let requests = try events.map(ReservationRequest.init)
        let reservations = loaded[loaded.startIndex].rows
        var batch = ReservationBatch(
            reservations: LockedRows(ReservationsTable.keyed, reservations),
            stock: StockLedger(try await lockItems(requests, reservations, in: session)),
            identifiers: ports.identifiers, mistakes: settings.mistakes)
        for request in requests { try batch.apply(request, into: &work) }
        batch.write(into: &work)
    }

    /// Locks the items that the batch can move. Always after the reservations and in the order of their ids, so that two
    /// transactions cannot wait for each other in a circle.
    private func lockItems(
        _ requests: [ReservationRequest], _ reservations: [Row], in session: any DatabaseSession
    ) async throws -> [Row] {
        var ids: [UniqueID] = []
        var seen = KeyIndex(minimumCapacity: requests.count)
        func add(_ line: StockLine) {
            guard seen.position(of: line.productID) == nil else { return }
            seen.append(line.productID)
            ids.append(line.productID)
        }
        for request in requests { for line in request.lines { add(line) } }
        for row in reservations {
            for line in StockLine.lines(row.json(ReservationsTable.lines)) ?? [] { add(line) }
        }
        if ids.isEmpty { return [] }
        let lock: RowLock = settings.mistakes.contains(.checkThenActOnStock) ? .none : .forUpdate
        return try await session.execute(ItemsTable.keyed.select(ids.sorted(), lock: lock)).rows
    }
}

/// What an event of an order asks of the inventory.
struct ReservationRequest: Sendable {
    let event: Event
    let orderID: UniqueID
    let input: ReservationInput
    /// The lines to hold, for a reservation.
    let lines: [StockLine]

    init(_ event: Event) throws(MalformedEvent) {
        self.event = event
        orderID = try event.aggregate()
        switch event.shopType {
        case .orderPlaced, .orderItemsChanged:
            input = .reserve(revision: try event.integer(PayloadField.revision))
            guard let lines = StockLine.lines(event.payload[PayloadField.lines]), !lines.isEmpty else {
                throw MalformedEvent(event, field: PayloadField.lines, expected: "the lines to reserve")
            }
            self.lines = lines
        case .orderPaid:
            input = .commit
            lines = []
        default:
            input = .release
            lines = []
        }
    }
}

/// The reservations and stock of one transaction.
struct ReservationBatch {
    var reservations: LockedRows
    var stock: StockLedger
    let identifiers: any Identifiers
    let mistakes: PlantedMistakes

    mutating func apply(_ request: ReservationRequest, into work: inout UnitOfWork) throws {
        let position = reservations.position(of: request.orderID)
        let existing = position.map { reservations[$0] }
        let status = existing.flatMap { ReservationStatus(rawValue: $0.text(ReservationsTable.status)) }
        let action = ReservationStateMachine.action(
            status, revision: existing?.int64(ReservationsTable.revision) ?? 0, on: request.input,
            isGuarded: !mistakes.contains(.noStateGuard))
        switch action {
        case .failure(let objection): work.ignore(request.event, by: InventoryService.name, because: objection.reason)
        case .success(.leaveTombstone) where mistakes.contains(.releaseWithoutTombstone): break
        case .success(let action): perform(action, request, existing, at: position, into: &work)
        }
    }

    func write(into work: inout UnitOfWork) {
        reservations.write(into: &work)
        stock.write(into: &work, mistakes: mistakes)
    }

    private mutating func perform(
        _ action: ReservationAction, _ request: ReservationRequest, _ existing: Row?, at position: Int?,
        into work: inout UnitOfWork
    ) {
        let held = existing.flatMap { StockLine.lines($0.json(ReservationsTable.lines)) } ?? []
        var refusal: String?
        let status: ReservationStatus
        switch action {
        case .reserve(let givingBackEarlier):
            if givingBackEarlier { stock.releaseReserved(held) }
            refusal = stock.reserve(request.lines)
            status = refusal == nil ? .reserved : .failed
        case .refuse(let reason):
            refusal = reason
            status = .released
        case .commit:
            stock.commit(held)
            status = .committed
        case .releaseReserved:
            stock.releaseReserved(held)
            status = .released
        case .releaseCommitted:
            stock.releaseCommitted(held)
            status = .released
        case .leaveTombstone: status = .released
        }
        let version = (existing?.int64(ReservationsTable.version) ?? 0) + 1
        save(status, request, existing, version: version, at: position, now: work.now)
        publish(status, request, refusal: refusal, version: version, into: &work)
    }

    private mutating func save(
        _ status: ReservationStatus, _ request: ReservationRequest, _ existing: Row?, version: Int64, at position: Int?,
        now: Instant
    ) {
        var revision = existing?[ReservationsTable.revision] ?? .int64(0)
        var lines = existing?[ReservationsTable.lines] ?? .json(.array([]))
        if case .reserve(let wanted) = request.input, status != .released {
            revision = .int64(wanted)
            lines = status == .reserved ? .json(request.event.payload[PayloadField.lines] ?? .array([])) : .json([])
        }
        let row = Row([
            .uuid(request.orderID), .text(status.rawValue), revision, lines,
            status == .reserved ? .null : .timestamp(now), .int64(version),
        ])
        if let position { reservations.update(at: position) { $0 = row } } else { reservations.insert(row) }
    }

    private func publish(
        _ status: ReservationStatus, _ request: ReservationRequest, refusal: String?, version: Int64,
        into work: inout UnitOfWork
    ) {
        let type: ShopEventType
        var payload: [JSONMember] = []
        if case .reserve(let revision) = request.input {
            payload.append(JSONMember(PayloadField.revision, .integer(revision)))
            if let refusal { payload.append(JSONMember(PayloadField.reason, .string(refusal))) }
            type = refusal == nil ? .stockReserved : .stockRefused
        } else {
            type = status == .committed ? .stockCommitted : .stockReleased
        }
        work.publish(
            OutboundEvent(
                id: identifiers.next(), aggregateType: AggregateType.inventory, aggregateID: request.event.aggregateID,
                type: type.rawValue, occurredAt: work.now, aggregateVersion: version, payload: .object(payload)),
            causedBy: request.event.asCause)
    }
}
