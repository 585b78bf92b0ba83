import PortFakes
import Ports
import Testing

@testable import Domain
@testable import Outbox

/// Each property is shown a history that it accepts, and then each way in which it can be wrong.
@Suite struct PropertyTests {
    static let orderID = UniqueID(high: 1, low: 1)

    /// An order that went the happy path, in every detail.
    static func completed() -> OrderHistory {
        var history = OrderHistory(id: orderID)
        history.order = .init(status: .completed, totalPrice: 500)
        history.payment = .init(status: .success, method: .card, amount: 500, attempt: .captured)
        history.reservation = .committed
        history.shipment = .delivered
        history.captures = [.init(key: "capture", amount: 500, isRefunded: false)]
        let flow: [(ShopServiceName, ShopEventType, Int64, cause: Int?)] = [
            (.order, .orderPlaced, 1, nil), (.inventory, .stockReserved, 1, 0), (.order, .paymentRequested, 2, 1),
            (.payment, .paymentPending, 1, 2), (.order, .orderPendingForPay, 3, 3),
            (.payment, .paymentSucceeded, 2, nil),
            (.order, .orderPaid, 4, 5), (.inventory, .stockCommitted, 2, 6), (.shipping, .shipmentRequested, 1, 6),
            (.shipping, .shipmentDispatched, 2, nil), (.shipping, .shipmentDelivered, 3, nil),
            (.order, .orderCompleted, 5, 10),
        ]
        func id(_ position: Int) -> UniqueID { UniqueID(high: 2, low: UInt64(position)) }
        for (position, step) in flow.enumerated() {
            var event = OrderHistory.EventPart(
                id: id(position), producer: step.0, type: step.1, aggregateVersion: step.2,
                causation: step.cause.map(id))
            event.publishedCount = 1
            history.events.append(event)
            for consumer in ShopServiceName.allCases where consumer.handles(step.1) {
                history.applications.append(.init(consumer: consumer, eventID: id(position)))
                if consumer == .notification, let status = NotificationEventHandler.status(after: step.1) {
                    let count = Int64(history.notifications.count)
                    history.notifications.append(.init(id: 10 + 3 * count, status: status, eventID: id(position)))
                    history.steps.append(.init(id: count + 1, status: status))
                }
            }
        }
        history.promises = [.placed(key: "k"), .paid(.success)]
        for step in history.steps {
            history.sightings.append(.init(stream: .order, subscriber: 1, id: step.id, status: step.status))
        }
        for step in history.notifications.dropFirst(2) {
            history.sightings.append(.init(stream: .feed, subscriber: 2, id: step.id, status: step.status))
        }
        return history
    }

    /// What is found in the completed order after a change.
    private func found(_ change: (inout OrderHistory) -> Void) -> Set<ShopProperty> {
        var history = Self.completed()
        change(&history)
        return Set((ShopJudge.violations(of: history) + LivenessProperty.violations(history)).map(\.property))
    }

    @Test("A completed order violates nothing")
    func right() {
        #expect(ShopJudge.violations(of: Self.completed()) == [])
        #expect(LivenessProperty.violations(Self.completed()) == [])
    }

    @Test("Money: captured twice, not captured, wrong amount, refunded, or kept for a cancelled order")
    func money() {
        #expect(found { $0.captures.append(.init(key: "again", amount: 500, isRefunded: true)) } == [.money])
        #expect(found { $0.captures = [] } == [.money])
        #expect(found { $0.captures[0].amount = 499 } == [.money])
        #expect(found { $0.captures[0].isRefunded = true } == [.money])
        #expect(found { $0.order!.totalPrice = 501 } == [.money])
        for status in [OrderStatus.cancelled, .failed] {
            #expect(found { $0.order!.status = status }.contains(.money))
        }
        #expect(found { $0.order = nil }.contains(.money))
    }

    @Test("Money: cash counts by the payment's own word, and only for cash")
    func cash() {
        var history = Self.completed()
        history.captures = []
        history.payment?.method = .cash
        #expect(MoneyProperty.violations(history) == [])
        history.payment?.status = .refunded
        #expect(MoneyProperty.violations(history).count == 1)
        history.order?.status = .cancelled
        #expect(MoneyProperty.violations(history) == [])
    }

    @Test("Agreement: only the combinations of the table are legal")
    func agreement() {
        var legalCount = 0
        for order in OrderStatus.allCases {
            for payment in [PaymentStatus?.none] + PaymentStatus.allCases {
                for reservation in [ReservationStatus?.none] + ReservationStatus.allCases {
                    for shipment in [ShipmentStatus?.none] + ShipmentStatus.allCases {
                        var history = OrderHistory(id: Self.orderID)
                        history.order = .init(status: order, totalPrice: 0)
                        history.payment = payment.map { .init(status: $0, method: .cash, amount: 0, attempt: nil) }
                        history.reservation = reservation
                        history.shipment = shipment
                        let combination = AgreementProperty.Combination(order, payment, reservation, shipment)
                        let isLegal = AgreementProperty.legalCombinations.contains { $0.combination == combination }
                        #expect(AgreementProperty.violations(history).isEmpty == isLegal)
                        if isLegal { legalCount += 1 }
                    }
                }
            }
        }
        #expect(legalCount == AgreementProperty.legalCombinations.count)
        #expect(found { $0.reservation = .reserved } == [.agreement])
        #expect(found { $0.shipment = .cancelled } == [.agreement])
        #expect(found { $0.payment = nil }.contains(.agreement))
        var orphan = OrderHistory(id: Self.orderID)
        orphan.reservation = .reserved
        #expect(AgreementProperty.violations(orphan).count == 1)
    }

    @Test("Outbox to log: a row that was not published, a record that was not committed")
    func outboxToLog() {
        #expect(found { $0.events[3].publishedCount = 0 } == [.outboxToLog])
        #expect(found { $0.events[3].publishedCount = 7 } == [])
        #expect(found { $0.ghosts = [UniqueID(high: 9, low: 9)] } == [.outboxToLog])
        var history = Self.completed()
        history.events[3].publishedCount = 0
        #expect(OutboxToLogProperty.violations(history, isQuiescent: false) == [])
    }

    @Test("Effects: an event that had two, or none")
    func effects() {
        #expect(
            found { history in
                var again = history.events[1]
                again = .init(
                    id: UniqueID(high: 8, low: 8), producer: .inventory, type: again.type, aggregateVersion: 3,
                    causation: again.causation)
                again.publishedCount = 1
                history.events.append(again)
                history.applications.append(.init(consumer: .order, eventID: again.id))
            } == [.effects])
        #expect(found { $0.applications.removeAll { $0.consumer == .shipping } } == [.effects])
        #expect(found { $0.applications.append($0.applications[0]) } == [.effects, .applicationOrder])
        let twice = found { history in
            let last = history.notifications[4]
            history.notifications.append(.init(id: 99, status: last.status, eventID: last.eventID))
        }
        #expect(twice == [.effects, .notifications])
        var history = Self.completed()
        history.applications = []
        #expect(EffectProperty.violations(history, isQuiescent: false) == [])
    }

    @Test("Application order: a later event before an earlier one, applied or parked")
    func applicationOrder() {
        #expect(
            found { history in
                let positions = history.applications.indices.filter { history.applications[$0].consumer == .inventory }
                history.applications.swapAt(positions[0], positions[1])
            } == [.applicationOrder])
        let overtaken = found { history in
            history.events[0].parkedAt = [.inventory]
            history.applications.removeAll { $0.consumer == .inventory && $0.eventID == history.events[0].id }
        }
        #expect(overtaken == [.applicationOrder, .liveness])
        // Events of two producers have no order between them.
        #expect(
            found { history in
                let positions = history.applications.indices.filter { history.applications[$0].consumer == .order }
                history.applications.swapAt(positions[0], positions[1])
            } == [])
    }

    @Test(
        "Client promises: an acknowledged order that does not exist, two orders for one request, a promise taken back")
    func clientPromises() {
        var lost = OrderHistory(id: Self.orderID)
        lost.promises = [.placed(key: "k")]
        #expect(ClientPromiseProperty.violations(lost).count == 1)
        #expect(found { $0.twins = [UniqueID(high: 5, low: 5)] } == [.clientPromises])
        #expect(found { $0.promises.append(.cancelled(.cancelled)) } == [.clientPromises])
        #expect(found { $0.promises.append(.cancelled(.paid)) } == [])
        #expect(found { $0.promises.append(.paid(.failed)) } == [.clientPromises])
        #expect(found { $0.promises.append(.paid(.pending)) } == [])
        #expect(found { $0.payment!.status = .expired }.contains(.clientPromises))
    }

    @Test("Notifications: seen twice, out of order, missed, never committed, or another status")
    func notifications() {
        #expect(found { $0.sightings.append($0.sightings[4]) } == [.notifications])
        #expect(found { $0.sightings.swapAt(1, 2) } == [.notifications])
        #expect(found { $0.sightings.remove(at: 2) } == [.notifications])
        #expect(found { $0.sightings.removeFirst() } == [])
        #expect(found { $0.sightings.removeLast() } == [])
        #expect(
            found { $0.sightings[0] = .init(stream: .order, subscriber: 1, id: 77, status: .created) }
                == [.notifications])
        #expect(
            found { $0.sightings[0] = .init(stream: .order, subscriber: 1, id: 1, status: .paid) } == [.notifications])
        #expect(found { $0.notifications.remove(at: 1) }.contains(.notifications))
    }

    @Test("Liveness: an unfinished order, an open attempt, a parked event, a lag, a backlog")
    func liveness() {
        #expect(found { $0.order!.status = .pendingForPay }.contains(.liveness))
        #expect(found { $0.payment!.attempt = .refundDue } == [.liveness])
        #expect(found { $0.events[11].parkedAt = [.payment] } == [.liveness])
        let partition = TopicPartition("t", 0)
        #expect(
            LivenessProperty.violations(
                lags: [
                    .init(group: "g", partition: partition, recordCount: 3),
                    .init(group: "h", partition: partition, recordCount: 0),
                ],
                backlogs: [.init(service: .order, transactionCount: 1), .init(service: .payment, transactionCount: 0)]
            ).count == 2)
    }
}

@Suite struct StockAccumulatorTests {
    private let item = UniqueID(high: 3, low: 1)
    private let order = UniqueID(high: 3, low: 2)

    private func row(_ available: Int64, _ reserved: Int64, _ committed: Int64, stocked: Int64 = 10) -> Row {
        Row([
            .uuid(item), "CD", "", 100, .int64(available), .int64(reserved), .int64(committed), .int64(stocked),
            .timestamp(.epoch), 1,
        ])
    }

    private func reservation(_ status: ReservationStatus, _ quantity: Int64) -> Row {
        let lines: JSONValue = [
            ["productId": .string(item.description), "quantity": .integer(quantity), "unitPrice": 100]
        ]
        return Row([.uuid(order), .text(status.rawValue), 1, .json(lines), .null, 1])
    }

    private func items(_ old: Row?, _ new: Row?) -> CommittedChange {
        CommittedChange(.inventory, table: "items", old: old, new: new)
    }

    private func reservations(_ old: Row?, _ new: Row?) -> CommittedChange {
        CommittedChange(.inventory, table: "reservations", old: old, new: new)
    }

    /// The violations after each transaction.
    private func run(_ transactions: [[CommittedChange]]) -> [Int] {
        var accumulator = StockAccumulator()
        return transactions.map { transaction in
            for change in transaction { accumulator.observe(change) }
            return accumulator.endTransaction().count
        }
    }

    @Test("Reserving, committing, releasing, restocking and archiving keep the account")
    func right() {
        let restock = Row([.uuid(order), .uuid(item), 5, .timestamp(.epoch)])
        #expect(
            run([
                [items(nil, row(10, 0, 0))],
                [items(row(10, 0, 0), row(7, 3, 0)), reservations(nil, reservation(.reserved, 3))],
                [
                    items(row(7, 3, 0), row(7, 0, 3)),
                    reservations(reservation(.reserved, 3), reservation(.committed, 3)),
                ],
                [
                    items(row(7, 0, 3), row(12, 0, 3, stocked: 15)),
                    CommittedChange(.inventory, table: "restocks", old: nil, new: restock),
                ],
                [reservations(reservation(.committed, 3), nil)],
                [items(row(12, 0, 3, stocked: 15), row(12, 0, 3, stocked: 15))],
            ]) == [0, 0, 0, 0, 0, 0])
    }

    @Test("A lost update is seen, although the item's own columns add up")
    func lostUpdate() {
        // Two reservations of 3; the second one wrote what it had read before the first.
        let second = Row([.uuid(item), .text("RESERVED"), 1, reservation(.reserved, 3).values[3], .null, 1])
        #expect(
            run([
                [items(nil, row(10, 0, 0))],
                [items(row(10, 0, 0), row(7, 3, 0)), reservations(nil, reservation(.reserved, 3))],
                [items(row(7, 3, 0), row(7, 3, 0)), reservations(nil, second)],
            ]) == [0, 0, 1])
    }

    @Test("Negative stock, pieces from nowhere, pieces lost and unrecorded restocking are seen")
    func wrong() {
        let start = [items(nil, row(10, 0, 0))]
        #expect(run([start, [items(row(10, 0, 0), row(-1, 11, 0))]]) == [0, 1])
        #expect(run([start, [items(row(10, 0, 0), row(11, 0, 0))]]) == [0, 1])
        #expect(run([start, [items(row(10, 0, 0), row(9, 0, 0))]]) == [0, 1])
        #expect(run([start, [items(row(10, 0, 0), row(15, 0, 0, stocked: 15))]]) == [0, 1])
        #expect(run([start, [items(row(10, 0, 0), row(7, 3, 0))]]) == [0, 1])
        #expect(run([start, [reservations(nil, reservation(.reserved, 3))]]) == [0, 1])
        #expect(run([start, [reservations(nil, reservation(.failed, 3))]]) == [0, 0])
    }

    @Test("Whole tables are judged alike")
    func wholeTables() {
        func count(_ item: Row, _ reservation: Row, initial: Int64 = 10, hasArchived: Bool = false) -> Int {
            StockAccumulator.violations(
                items: [item], restocks: [], reservations: [reservation], initialStock: [self.item: initial],
                hasArchived: hasArchived
            ).count
        }
        #expect(count(row(7, 3, 0), reservation(.reserved, 3)) == 0)
        #expect(count(row(7, 3, 0), reservation(.reserved, 4)) == 1)
        #expect(count(row(7, 3, 0), reservation(.reserved, 3), initial: 11) == 1)
        #expect(count(row(5, 3, 2), reservation(.reserved, 3)) == 1)
        #expect(count(row(5, 3, 2), reservation(.reserved, 3), hasArchived: true) == 0)
    }
}

@Suite struct HistoryCollectorTests {
    @Test("Interest as the properties know it is what the handlers have")
    func interest() async throws {
        let shop = try await TestShop()
        let ports = ServicePorts(
            database: shop.orderDatabase, eventLog: shop.eventLog, clock: shop.clock, identifiers: shop.identifiers,
            log: shop.log)
        let handlers: [(ShopServiceName, any EventHandler)] = [
            (.order, OrderEventHandler(ports: ports, settings: shop.settings, subscribers: SubscriberHub())),
            (.payment, PaymentEventHandler(ports: ports, settings: shop.settings)),
            (.inventory, InventoryEventHandler(ports: ports, settings: shop.settings)),
            (.shipping, ShippingEventHandler(ports: ports, settings: shop.settings)),
            (.notification, NotificationEventHandler(settings: shop.settings, subscribers: FeedSubscribers())),
        ]
        for (service, handler) in handlers {
            for type in ShopEventType.allCases {
                let interest = handler.interest(in: type.rawValue, version: 1)
                #expect((interest == .handled) == service.handles(type), "\(service) \(type)")
                #expect(interest != .unknown)
                #expect(handler.interest(in: type.rawValue, version: 0) == .unknown)
                #expect(handler.interest(in: type.rawValue, version: 99) == interest)
            }
            #expect(handler.interest(in: "OrderTeleported", version: 1) == .unknown)
            #expect(handler.interest(in: "", version: 1) == .unknown)
        }
    }

    @Test("An order whose rows are all archived is finished, judged and forgotten; what repeats afterwards is no ghost")
    func finished() async throws {
        let shop = try await TestShop {
            $0.archiveRetention = .seconds(10)
            $0.janitor = OutboxJanitor(outboxRetention: .seconds(10), inboxRetention: .seconds(60))
        }
        let orderID = await shop.place(try await shop.stock())
        try await shop.settle()
        _ = await shop.post(shop.payment, "/payments/\(await shop.paymentID(orderID))/pay")
        try await shop.settle()
        for _ in 0..<2 { try await shop.wait(.seconds(3)) }
        #expect(await shop.status(orderID) == "COMPLETED")
        shop.clock.advance(by: .seconds(30))
        try await shop.sweepJanitors()
        for database in [shop.orderDatabase, shop.paymentDatabase, shop.inventoryDatabase, shop.shippingDatabase] {
            #expect(database.rows(of: OutboxTable.table).isEmpty)
        }
        #expect(shop.orderDatabase.rows(of: OrdersTable.table).isEmpty)
        #expect(shop.orderDatabase.rows(of: OrderItemsTable.table).isEmpty)
        #expect(shop.orderDatabase.rows(of: OrderStepsTable.table).isEmpty)
        #expect(shop.paymentDatabase.rows(of: PaymentsTable.table).isEmpty)
        #expect(shop.paymentDatabase.rows(of: GatewayAttemptsTable.table).isEmpty)
        #expect(shop.inventoryDatabase.rows(of: ReservationsTable.table).isEmpty)
        #expect(shop.shippingDatabase.rows(of: ShipmentsTable.table).isEmpty)

        var collector = HistoryCollector()
        for (service, transaction) in shop.committedInOrder() {
            for change in transaction {
                collector.observe(
                    CommittedChange(service, table: change.table, old: change.pair.old, new: change.pair.new))
            }
        }
        let finished = collector.takeFinished()
        #expect(finished.map(\.id.description) == [orderID])
        #expect(finished.first?.order?.status == .completed)
        #expect(finished.first?.events.count == 12)
        #expect(collector.takeFinished().isEmpty)
        for record in shop.eventLog.records(of: "outbox.event.order") { collector.observe(record) }
        #expect(collector.open.flatMap(\.ghosts).isEmpty)
    }

    @Test("Finished rows with open work stay, and hold back none of those that were finished after them")
    func openWorkStays() async throws {
        let shop = try await TestShop {
            $0.archiveRetention = .seconds(10)
            $0.archiveBatchRowCount = 2
        }
        let product = try await shop.stock()
        for _ in 0..<7 {
            let orderID = await shop.place(product)
            try await shop.settle()
            _ = await shop.post(shop.payment, "/payments/\(await shop.paymentID(orderID))/pay")
            for _ in 0..<4 { try await shop.wait(.seconds(3)) }
        }
        let payments = shop.paymentDatabase.rows(of: PaymentsTable.table)
            .sorted { $0.timestamp(PaymentsTable.finishedAt) < $1.timestamp(PaymentsTable.finishedAt) }
        // The gateway is still to be asked about the first two, which fill a page.
        let open = payments.prefix(2).map { $0[PaymentsTable.id] }
        _ = try await shop.paymentDatabase.executeAtomically([
            .update(
                Update(
                    GatewayAttemptsTable.table, set: [.set(GatewayAttemptsTable.checkAt, .timestamp(shop.clock.now))],
                    where: [GatewayAttemptsTable.paymentID.isIn(open)]))
        ])
        shop.clock.advance(by: .seconds(30))
        try await shop.sweepJanitors()
        #expect(Set(shop.paymentDatabase.rows(of: PaymentsTable.table).map { $0[PaymentsTable.id] }) == Set(open))
        #expect(shop.orderDatabase.rows(of: OrdersTable.table).isEmpty)
    }

    @Test("A record that no committed row stands for is a ghost; one whose row is seen later is not")
    func ghosts() throws {
        let id = UniqueID(high: 4, low: 4)
        let order = UniqueID(high: 4, low: 5)
        let row = Row(
            OutboundEvent(
                id: id, aggregateType: "order", aggregateID: order.description, type: "OrderPlaced", occurredAt: .epoch,
                aggregateVersion: 1, payload: [:]
            ).row(causedBy: EventCause(causationID: "", correlationID: "")))
        var router = OutboxRouter()
        let published = router.record(row)
        let record = ConsumerRecord(
            topicPartition: TopicPartition(published.topic, 0), offset: 0, timestamp: .epoch, key: published.key,
            value: published.value, headers: published.headers)
        var collector = HistoryCollector()
        collector.observe(record)
        #expect(collector.open.map(\.ghosts) == [[id]])
        collector.observe(CommittedChange(.order, table: "outbox", old: nil, new: row))
        #expect(collector.open.map(\.ghosts) == [[]])
        #expect(collector.open.first?.events.first?.publishedCount == 1)
    }
}
