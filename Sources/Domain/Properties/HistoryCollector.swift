import Outbox
public import Ports

/// Puts the histories of orders together from what is observed, in any order of sources: committed row changes, records of
/// the log, the provider's captures, and what clients were told.
///
/// A simulated run feeds it step by step and takes finished orders out as they are archived, so that its memory follows
/// the open orders; a real run feeds it the contents of databases and topics once, and takes everything.
///
/// About 100 ns an observation.
public struct HistoryCollector: Sendable {
    private var histories: [UniqueID: OrderHistory] = [:]
    /// Rows that exist of each order, by table; when the last is gone the order is forgotten by the shop.
    private var rowCounts: [UniqueID: Int] = [:]
    private var finished: [OrderHistory] = []
    /// Orders that were taken out. What comes of them afterwards is a repetition of what was seen.
    private var forgotten = KeyIndex()
    /// Orders of payments, for attempts and promises.
    private var orderOfPayment: [UniqueID: UniqueID] = [:]
    /// Request keys seen so far, by a fingerprint, and the orders that they placed.
    private var requestKeys = KeyIndex()
    private var orderOfRequestKey: [UniqueID] = []
    /// In place of an order whose loss was noted. No order has this id: their version is not zero.
    private static let noOrder = UniqueID(high: 0, low: 0)
    private let remembersOrders: Bool
    /// Orders of which the present transaction applied events, and how many.
    private var applied: [(order: UniqueID, count: Int)] = []

    /// - Parameter remembersOrders: false for a single look at everything, where nothing can come again.
    public init(remembersOrders: Bool = true) { self.remembersOrders = remembersOrders }

    // MARK: Observations

    /// What a table's rows are about.
    private enum Subject {
        case event, application, parking, order, item, step, payment, attempt, reservation, shipment, notification
    }

    private static let subjects: [String: Subject] = [
        OutboxTable.table.name: .event, InboxTable.table.name: .application, ParkedEventsTable.table.name: .parking,
        OrdersTable.table.name: .order, OrderItemsTable.table.name: .item, OrderStepsTable.table.name: .step,
        PaymentsTable.table.name: .payment,
        GatewayAttemptsTable.table.name: .attempt, ReservationsTable.table.name: .reservation,
        ShipmentsTable.table.name: .shipment, FeedTable.table.name: .notification,
    ]

    /// Notes a committed change of a row. Changes of one transaction come in its order.
    public mutating func observe(_ change: CommittedChange) {
        switch Self.subjects[change.table] {
        case .event: if let new = change.new { observeEvent(new, of: change.service) }
        case .application:
            if let new = change.new, change.old == nil { observeApplication(new, change.service) }
            if let old = change.old, change.new == nil { withdrawApplication(old, change.service) }
        case .parking: observeParking(change)
        case .order: observeOrder(change)
        case .step: if let new = change.new { observeStep(new) }
        case .payment: observePayment(change)
        case .attempt: observeAttempt(change)
        case .reservation:
            observe(change, order: ReservationsTable.orderID) { history, row in
                history.reservation = ReservationStatus(rawValue: row.text(ReservationsTable.status))
            }
        case .shipment:
            observe(change, order: ShipmentsTable.orderID) { history, row in
                history.shipment = ShipmentStatus(rawValue: row.text(ShipmentsTable.status))
            }
        case .notification: if let new = change.new { observeNotification(new) }
        case .item, nil: break
        }
    }

    /// Notes a record of an event topic.
    public mutating func observe(_ record: ConsumerRecord) {
        let headers = EnvelopeHeaders(record)
        guard let id = headers.id.flatMap({ UniqueID($0) }),
            let aggregate = (headers.aggregateID ?? record.key).flatMap({ UniqueID($0) })
        else { return }
        update(aggregate) { history in
            if let position = history.events.firstIndex(where: { $0.id == id }) {
                history.events[position].publishedCount += 1
            } else {
                history.ghosts.append(id)
            }
        }
    }

    /// Notes a capture in the provider's books, or that it was refunded.
    ///
    /// - Parameter callback: what the capture asked the provider to call back, which names the payment.
    public mutating func observeCapture(
        key: String, amount: Money, isRefunded: Bool, callback: String
    ) {
        let segments = callback.split(separator: "/")
        guard segments.count > 1, let paymentID = UniqueID(segments[1]), let orderID = orderOfPayment[paymentID] else {
            return
        }
        let capture = OrderHistory.Capture(key: key, amount: amount.minorUnits, isRefunded: isRefunded)
        update(orderID) { history in
            if let position = history.captures.firstIndex(where: { $0.key == key }) {
                history.captures[position] = capture
            } else {
                history.captures.append(capture)
            }
        }
    }

    /// Notes what a client was told of an order.
    public mutating func observe(_ promise: OrderHistory.Promise, order orderID: UniqueID) {
        update(orderID) { $0.promises.append(promise) }
    }

    /// Notes what a subscriber received.
    ///
    /// - Parameter isCommitted: whether the database has now what the subscriber was told of; asked when that was not observed
    ///   before. Who cannot look at the same moment says yes.
    public mutating func observe(
        _ sighting: OrderHistory.Sighting, order orderID: UniqueID, isCommitted: () -> Bool = { true }
    ) {
        update(orderID) { history in
            history.sightings.append(sighting)
            let committed = sighting.stream == .order ? history.steps : history.notifications
            if !committed.contains(where: { $0.id == sighting.id && $0.status == sighting.status }), !isCommitted() {
                history.prematureSightings.append(sighting)
            }
        }
    }

    /// Takes back a change that was noted as committed and is lost all the same. An order that lost something cannot be
    /// judged any more; this keeps others from being judged by it.
    ///
    /// - Returns: the order that the row belonged to, if it belonged to one.
    mutating func undo(_ change: CommittedChange) -> UniqueID? {
        guard let row = change.new ?? change.old else { return nil }
        switch Self.subjects[change.table] {
        case .order:
            if change.old == nil, let position = requestKeys.position(of: Self.fingerprint(ofKeyOf: row)) {
                orderOfRequestKey[position] = Self.noOrder
            }
            return row.uuid(OrdersTable.id)
        case .event: return UniqueID(row.text(OutboxTable.aggregateID))
        case .application: return UniqueID(row.text(InboxTable.aggregateID))
        case .parking: return UniqueID(row.text(ParkedEventsTable.aggregateID))
        case .step: return row.uuid(OrderStepsTable.orderID)
        case .item: return row.uuid(OrderItemsTable.orderID)
        case .payment: return row.uuid(PaymentsTable.orderID)
        case .attempt: return row.uuid(GatewayAttemptsTable.orderID)
        case .reservation: return row.uuid(ReservationsTable.orderID)
        case .shipment: return row.uuid(ShipmentsTable.orderID)
        case .notification: return row.uuid(FeedTable.orderID)
        case nil: return nil
        }
    }

    // MARK: Results

    /// The orders whose rows are all archived since the last call.
    public mutating func takeFinished() -> [OrderHistory] {
        defer { finished = [] }
        return finished
    }

    /// All other orders, in the order of their ids.
    public var open: [OrderHistory] {
        histories.values.sorted { $0.id < $1.id }
    }

    // MARK: Rows

    private mutating func update(_ id: UniqueID, _ change: (inout OrderHistory) -> Void) {
        if remembersOrders && forgotten.position(of: id) != nil { return }
        change(&histories[id, default: OrderHistory(id: id)])
    }

    /// Notes a change of a row of which an order has at most one in its table.
    private mutating func observe(
        _ change: CommittedChange, order column: Column, _ apply: (inout OrderHistory, Row) -> Void
    ) {
        guard let row = change.new ?? change.old else { return }
        let id = row.uuid(column)
        if let new = change.new {
            update(id) { apply(&$0, new) }
            if change.old == nil { rowCounts[id, default: 0] += 1 }
        } else {
            let left = (rowCounts[id] ?? 1) - 1
            rowCounts[id] = left == 0 ? nil : left
            if left == 0 { finish(id) }
        }
    }

    private mutating func finish(_ id: UniqueID) {
        guard let history = histories.removeValue(forKey: id) else { return }
        if remembersOrders { forgotten.append(id) }
        finished.append(history)
    }

    private mutating func observeOrder(_ change: CommittedChange) {
        typealias Orders = OrdersTable
        if change.old == nil, let new = change.new { observeRequestKey(new) }
        observe(change, order: Orders.id) { history, row in
            history.order = OrderHistory.OrderPart(
                status: OrderState(row).status, totalPrice: row.int64(Orders.totalPrice))
        }
    }

    private mutating func observeRequestKey(_ order: Row) {
        let id = order.uuid(OrdersTable.id)
        guard !order.text(OrdersTable.requestKey).isEmpty else { return }
        let fingerprint = Self.fingerprint(ofKeyOf: order)
        guard let position = requestKeys.position(of: fingerprint) else {
            requestKeys.append(fingerprint)
            orderOfRequestKey.append(id)
            return
        }
        let twin = orderOfRequestKey[position]
        if twin == Self.noOrder {
            orderOfRequestKey[position] = id
        } else if twin != id {
            update(id) { $0.twins.append(twin) }
        }
    }

    private static func fingerprint(ofKeyOf order: Row) -> UniqueID {
        RequestFingerprint.of(text: order.text(OrdersTable.requestKey))
    }

    private mutating func observePayment(_ change: CommittedChange) {
        typealias Payments = PaymentsTable
        if let new = change.new, change.old == nil {
            orderOfPayment[new.uuid(Payments.id)] = new.uuid(Payments.orderID)
        } else if let old = change.old, change.new == nil {
            orderOfPayment[old.uuid(Payments.id)] = nil
        }
        observe(change, order: Payments.orderID) { history, row in
            history.payment = OrderHistory.PaymentPart(
                status: row.paymentStatus, method: PaymentMethod(rawValue: row.text(Payments.method)) ?? .card,
                amount: row.int64(Payments.amount), attempt: history.payment?.attempt)
        }
    }

    private mutating func observeAttempt(_ change: CommittedChange) {
        guard let new = change.new else { return }
        update(new.uuid(GatewayAttemptsTable.orderID)) { $0.payment?.attempt = new.attemptState }
    }

    private mutating func observeStep(_ row: Row) {
        guard let status = OrderStatus(rawValue: row.text(OrderStepsTable.status)) else { return }
        update(row.uuid(OrderStepsTable.orderID)) {
            $0.steps.append(OrderHistory.Step(id: row.int64(OrderStepsTable.version), status: status))
        }
    }

    private mutating func observeNotification(_ row: Row) {
        guard let status = OrderStatus(rawValue: row.text(FeedTable.status)) else { return }
        update(row.uuid(FeedTable.orderID)) {
            $0.notifications.append(
                OrderHistory.Step(
                    id: row.int64(FeedTable.position), status: status, eventID: row.uuid(FeedTable.eventID)))
        }
    }

    private mutating func observeEvent(_ row: Row, of service: ShopServiceName) {
        guard let aggregate = UniqueID(row.text(OutboxTable.aggregateID)) else { return }
        let id = row.uuid(OutboxTable.id)
        update(aggregate) { history in
            guard !history.events.contains(where: { $0.id == id }) else { return }
            var event = OrderHistory.EventPart(
                id: id, producer: service, type: ShopEventType(named: row.text(OutboxTable.type)),
                aggregateVersion: row.int64(OutboxTable.aggregateVersion),
                causation: UniqueID(row.text(OutboxTable.causationID)))
            // The log may have been looked at before the database.
            event.publishedCount = history.ghosts.count { $0 == id }
            history.ghosts.removeAll { $0 == id }
            history.events.append(event)
        }
    }

    private mutating func observeApplication(_ row: Row, _ service: ShopServiceName) {
        guard let aggregate = UniqueID(row.text(InboxTable.aggregateID)) else { return }
        let application = OrderHistory.Application(consumer: service, eventID: row.uuid(InboxTable.eventID))
        update(aggregate) { $0.applications.append(application) }
        if let position = applied.firstIndex(where: { $0.order == aggregate }) {
            applied[position].count += 1
        } else {
            applied.append((aggregate, 1))
        }
    }

    /// An inbox row that its own transaction took back: the event waits behind a parked one. Rows that the janitor deletes
    /// later were applied nevertheless.
    private mutating func withdrawApplication(_ row: Row, _ service: ShopServiceName) {
        guard let aggregate = UniqueID(row.text(InboxTable.aggregateID)),
            let position = applied.firstIndex(where: { $0.order == aggregate })
        else { return }
        let application = OrderHistory.Application(consumer: service, eventID: row.uuid(InboxTable.eventID))
        let count = applied[position].count
        update(aggregate) { history in
            let start = history.applications.count - min(count, history.applications.count)
            if let index = history.applications[start...].lastIndex(of: application) {
                history.applications.remove(at: index)
            }
        }
        applied[position].count -= 1
        if applied[position].count == 0 { applied.remove(at: position) }
    }

    /// Ends a transaction: what it applied it applied together. Its inbox rows are written in the order of their ids, so that
    /// two consumers never wait for each other in a circle, and tell nothing about order among themselves.
    mutating func endTransaction() {
        for (order, count) in applied where count > 1 {
            update(order) { history in
                let versions = history.events.map { ($0.id, $0.aggregateVersion) }
                func version(_ application: OrderHistory.Application) -> Int64 {
                    versions.first { $0.0 == application.eventID }?.1 ?? 0
                }
                let start = history.applications.count - min(count, history.applications.count)
                let together = history.applications[start...].enumerated().sorted {
                    (version($0.element), $0.offset) < (version($1.element), $1.offset)
                }
                history.applications.replaceSubrange(start..., with: together.map(\.element))
            }
        }
        applied.removeAll(keepingCapacity: true)
    }

    private mutating func observeParking(_ change: CommittedChange) {
        guard let row = change.new ?? change.old,
            let aggregate = UniqueID(row.text(ParkedEventsTable.aggregateID))
        else { return }
        let id = row.uuid(ParkedEventsTable.eventID)
        update(aggregate) { history in
            guard let position = history.events.firstIndex(where: { $0.id == id }) else { return }
            history.events[position].parkedAt.removeAll { $0 == change.service }
            if change.new != nil { history.events[position].parkedAt.append(change.service) }
        }
    }
}

extension RequestFingerprint {
    /// A 128-bit fingerprint of a text.
    fileprivate static func of(text: String) -> UniqueID {
        let request = HTTPRequest(.get, text)
        let other = HTTPRequest(.post, text)
        return UniqueID(high: UInt64(bitPattern: of(request)), low: UInt64(bitPattern: of(other)))
    }
}
