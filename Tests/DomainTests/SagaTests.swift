import PortFakes
import Ports
import Testing

@testable import Domain
@testable import Outbox

@Suite struct SagaTests {
    @Test("An order for more than there is fails, and holds nothing")
    func outOfStock() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock(quantity: 2)
        let orderID = await shop.place(product, quantity: 3)
        try await shop.settle()
        #expect(await shop.status(orderID) == "FAILED")
        #expect(shop.item(product).int64(ItemsTable.available) == 2)
        #expect(shop.violations() == [])
    }

    @Test("Of two lines of which one is short, none is held")
    func allOrNothing() async throws {
        let shop = try await TestShop()
        let plenty = try await shop.stock(quantity: 10)
        let few = try await shop.stock(quantity: 1)
        let lines: [JSONValue] = [plenty, few].map {
            ["productId": .string($0.description), "quantity": 2]
        }
        let placed = await shop.post(shop.order, "/orders", ["paymentMethod": "CARD", "items": .array(lines)])
        #expect(placed.status == 201)
        try await shop.settle()
        #expect(await shop.status(placed.json?["id"]?.stringValue ?? "") == "FAILED")
        #expect(shop.item(plenty).int64(ItemsTable.available) == 10)
        #expect(shop.violations() == [])
    }

    @Test("Orders of one batch see what earlier ones of it took")
    func contentionInOneBatch() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock(quantity: 3)
        var orderIDs: [String] = []
        for _ in 0..<5 { orderIDs.append(await shop.place(product)) }
        try await shop.settle()
        var statuses: [String] = []
        for orderID in orderIDs { statuses.append(await shop.status(orderID)) }
        #expect(statuses.count { $0 == "PENDING_FOR_PAY" } == 3)
        #expect(statuses.count { $0 == "FAILED" } == 2)
        #expect(shop.item(product).int64(ItemsTable.available) == 0)
    }

    @Test("A price that changed after the order was placed fails the order at the reservation")
    func priceChangedBehindTheOrder() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let orderID = await shop.place(product)
        let repriced = await shop.send(shop.inventory, .put, "/items/\(product)", ["price": 25])
        #expect(repriced.status == 200)
        try await shop.settle()
        #expect(await shop.status(orderID) == "FAILED")
        let refused = await shop.post(shop.order, "/orders", TestShop.orderBody(product))
        #expect(refused.status == 409)
        let right = await shop.post(shop.order, "/orders", TestShop.orderBody(product, price: 25))
        #expect(right.status == 201)
        try await shop.settle()
        #expect(shop.inventoryDatabase.rows(of: ReservationsTable.table).count == 2)
    }

    @Test("An answer that is faster than the order's own commit is applied, not ignored")
    func answerBeforeTheOrderIsVisible() async throws {
        var late: LateCommitDatabase!
        let shop = try await TestShop(orderDatabase: { database in
            late = LateCommitDatabase(database, table: OrdersTable.table)
            return late
        })
        let product = try await shop.stock()
        let orderID = await shop.place(product)
        late.hideRows()
        try await shop.settle()
        #expect(await shop.status(orderID) == "PENDING_FOR_PAY")
        #expect(shop.orderDatabase.rows(of: IgnoredEventsTable.table).isEmpty)
        #expect(shop.orderDatabase.rows(of: OrdersTable.table).count == 1, "waiting leaves nothing behind")
    }

    @Test("A cancelled order gives its stock back and its payment can no longer be paid")
    func cancelledBeforePayment() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let orderID = await shop.place(product)
        try await shop.settle()
        let paymentID = await shop.paymentID(orderID)
        let cancelled = await shop.post(shop.order, "/orders/\(orderID)/cancel")
        #expect(cancelled.status == 200)
        #expect(cancelled.json?["status"] == "CANCELLED")
        #expect(await shop.post(shop.order, "/orders/\(orderID)/cancel").status == 409)
        try await shop.settle()
        #expect(await shop.post(shop.payment, "/payments/\(paymentID)/pay").status == 409)
        #expect(shop.item(product).int64(ItemsTable.available) == 10)
        #expect(shop.gateway.entries.isEmpty)
        #expect(shop.violations() == [])
    }

    @Test("An order that is cancelled while it is being paid is refunded")
    func cancelRacesPay() async throws {
        let shop = try await TestShop()
        let orderID = await shop.place(try await shop.stock())
        try await shop.settle()
        let paymentID = await shop.paymentID(orderID)
        // Both are acknowledged before either service hears of the other.
        #expect(await shop.post(shop.payment, "/payments/\(paymentID)/pay").json?["status"] == "SUCCESS")
        #expect(await shop.post(shop.order, "/orders/\(orderID)/cancel").status == 200)
        try await shop.settle()
        try await shop.wait(.seconds(2))
        #expect(await shop.status(orderID) == "CANCELLED")
        #expect(await shop.get(shop.payment, "/payments/" + paymentID).json?["status"] == "REFUNDED")
        #expect(shop.gateway.entries.map(\.isRefunded) == [true])
        #expect(shop.violations() == [])
    }

    @Test("A paid order is cancelled through shipping: goods, money and stock come back")
    func cancelledAfterPayment() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let orderID = await shop.place(product)
        try await shop.settle()
        _ = await shop.post(shop.payment, "/payments/\(await shop.paymentID(orderID))/pay")
        try await shop.settle()
        let cancelled = await shop.post(shop.order, "/orders/\(orderID)/cancel")
        #expect(cancelled.status == 202)
        #expect(cancelled.json?["status"] == "PAID")
        try await shop.settle()
        try await shop.wait(.seconds(2))
        #expect(await shop.status(orderID) == "CANCELLED")
        #expect(shop.item(product).int64(ItemsTable.available) == 10)
        #expect(shop.gateway.entries.map(\.isRefunded) == [true])
        #expect(shop.violations() == [])
    }

    @Test("A paid order whose goods are on their way is not cancelled any more")
    func cancelledTooLate() async throws {
        let shop = try await TestShop()
        let orderID = await shop.place(try await shop.stock())
        try await shop.settle()
        _ = await shop.post(shop.payment, "/payments/\(await shop.paymentID(orderID))/pay")
        try await shop.settle()
        try await shop.wait(.seconds(2))
        #expect(await shop.post(shop.order, "/orders/\(orderID)/cancel").status == 202)
        try await shop.settle()
        #expect(await shop.status(orderID) == "PAID")
        try await shop.wait(.seconds(3))
        #expect(await shop.status(orderID) == "COMPLETED")
        #expect(shop.violations() == [])
    }

    @Test("A payment that is not paid in time expires, and its order is cancelled")
    func expiry() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let orderID = await shop.place(product)
        try await shop.settle()
        try await shop.wait(.seconds(59))
        #expect(await shop.status(orderID) == "PENDING_FOR_PAY")
        try await shop.wait(.seconds(1))
        #expect(await shop.status(orderID) == "CANCELLED")
        #expect(shop.item(product).int64(ItemsTable.available) == 10)
        #expect(shop.violations() == [])
    }

    @Test("A payment past its deadline cannot be paid, whether it was swept or not")
    func expiredButNotSwept() async throws {
        let shop = try await TestShop()
        let orderID = await shop.place(try await shop.stock())
        try await shop.settle()
        shop.clock.advance(by: .seconds(60))
        let answer = await shop.post(shop.payment, "/payments/\(await shop.paymentID(orderID))/pay")
        #expect(answer.status == 409)
        #expect(shop.gateway.entries.isEmpty)
    }

    @Test("A refused card fails the payment and the order, and releases the stock")
    func refusedCard() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let orderID = await shop.place(product)
        try await shop.settle()
        shop.gateway.plan(.refuse)
        let answer = await shop.post(shop.payment, "/payments/\(await shop.paymentID(orderID))/pay")
        #expect(answer.status == 200)
        #expect(answer.json?["status"] == "FAILED")
        try await shop.settle()
        #expect(await shop.status(orderID) == "FAILED")
        #expect(shop.item(product).int64(ItemsTable.available) == 10)
        #expect(shop.violations() == [])
    }

    @Test("Cash needs no gateway, and is given back at the desk")
    func cash() async throws {
        let shop = try await TestShop()
        let orderID = await shop.place(try await shop.stock(), method: "CASH")
        try await shop.settle()
        let paymentID = await shop.paymentID(orderID)
        #expect(await shop.post(shop.payment, "/payments/\(paymentID)/pay").json?["status"] == "SUCCESS")
        #expect(shop.gateway.callbacks.isEmpty)
        try await shop.settle()
        #expect(await shop.status(orderID) == "PAID")
        #expect(shop.violations().allSatisfy { $0.property == .liveness || $0.property == .agreement })
        #expect(await shop.post(shop.order, "/orders/\(orderID)/cancel").status == 202)
        try await shop.settle()
        #expect(await shop.get(shop.payment, "/payments/" + paymentID).json?["status"] == "REFUNDED")
        #expect(shop.violations() == [])
    }

    @Test("An order of value 0 is paid without asking the gateway")
    func nothingToPay() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock(price: 0)
        let placed = await shop.post(shop.order, "/orders", TestShop.orderBody(product, price: 0))
        let orderID = try #require(placed.json?["id"]?.stringValue)
        try await shop.settle()
        _ = await shop.post(shop.payment, "/payments/\(await shop.paymentID(orderID))/pay")
        try await shop.settle()
        #expect(await shop.status(orderID) == "PAID")
        #expect(shop.gateway.callbacks.isEmpty)
    }

    @Test("Items may change until the stock is reserved; only the last revision counts")
    func changedItems() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock(quantity: 10)
        let orderID = await shop.place(product, quantity: 2)
        let more = await shop.send(shop.order, .put, "/orders/\(orderID)/items/1", ["quantity": 4])
        #expect(more.status == 200)
        #expect(more.json?["totalPrice"] == .decimal(unscaled: 7_996, scale: 2))
        let added = await shop.post(
            shop.order, "/orders/\(orderID)/items", ["productId": .string(product.description), "quantity": 1])
        #expect(added.status == 201)
        #expect(added.json?["totalItems"] == 5)
        #expect(added.json?["items"]?.arrayValue?.map { $0["id"] } == [1, 2])
        try await shop.settle()
        #expect(await shop.status(orderID) == "PENDING_FOR_PAY")
        #expect(shop.item(product).int64(ItemsTable.reserved) == 5)
        #expect(await shop.send(shop.order, .put, "/orders/\(orderID)/items/1", ["quantity": 1]).status == 409)
        let payment = await shop.get(shop.payment, "/payments/\(await shop.paymentID(orderID))")
        #expect(payment.json?["amount"] == .decimal(unscaled: 9_995, scale: 2))
    }

    @Test("A release that arrives before its reservation leaves a tombstone, and the late reservation is refused")
    func tombstone() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock()
        let orderID = await shop.place(product)
        _ = await shop.post(shop.order, "/orders/\(orderID)/cancel")
        let rows = shop.orderDatabase.rows(of: OutboxTable.table)
        var router = OutboxRouter()
        for row in rows.reversed() {
            var record = router.record(row)
            record.partition = 0
            shop.eventLog.append(record)
        }
        try await shop.settle()
        let reservation = try #require(shop.inventoryDatabase.rows(of: ReservationsTable.table).first)
        #expect(reservation.text(ReservationsTable.status) == "RELEASED")
        #expect(shop.item(product).int64(ItemsTable.available) == 10)
        #expect(await shop.status(orderID) == "CANCELLED")
    }
}

@Suite struct GatewayTests {
    /// A shop with one order that waits for its payment.
    private func waitingShop(
        _ change: (inout ShopSettings) -> Void = { _ in }
    ) async throws -> (shop: TestShop, orderID: String, paymentID: String) {
        let shop = try await TestShop(change)
        let orderID = await shop.place(try await shop.stock())
        try await shop.settle()
        return (shop, orderID, await shop.paymentID(orderID))
    }

    @Test("A capture whose answer was lost is found by reconciliation, and is not repeated")
    func captureThenTimeout() async throws {
        let (shop, orderID, paymentID) = try await waitingShop()
        shop.gateway.plan(.captureThenTimeOut)
        let answer = await shop.post(shop.payment, "/payments/\(paymentID)/pay")
        #expect(answer.status == 202)
        #expect(answer.json?["status"] == "PENDING")
        try await shop.wait(.seconds(11))
        #expect(await shop.status(orderID) == "PAID")
        #expect(shop.gateway.entries.count == 1)
    }

    @Test("A customer who pays again after a lost answer uses the persisted key and is charged once")
    func paidAgain() async throws {
        let (shop, orderID, paymentID) = try await waitingShop()
        shop.gateway.plan(.captureThenTimeOut)
        #expect(await shop.post(shop.payment, "/payments/\(paymentID)/pay", key: "a").status == 202)
        #expect(await shop.post(shop.payment, "/payments/\(paymentID)/pay", key: "a").json?["status"] == "SUCCESS")
        #expect(await shop.post(shop.payment, "/payments/\(paymentID)/pay", key: "b").status == 409)
        try await shop.settle()
        #expect(await shop.status(orderID) == "PAID")
        #expect(shop.gateway.entries.count == 1)
    }

    @Test("Money captured after the payment expired goes back")
    func lateSuccess() async throws {
        let (shop, orderID, paymentID) = try await waitingShop()
        shop.gateway.plan(.captureThenTimeOut)
        shop.clock.advance(by: .seconds(55))
        #expect(await shop.post(shop.payment, "/payments/\(paymentID)/pay").status == 202)
        shop.clock.advance(by: .seconds(6))
        try await shop.payment.sweepOnce()
        try await shop.settle()
        #expect(await shop.status(orderID) == "CANCELLED")
        try await shop.wait(.seconds(30))
        try await shop.wait(.seconds(30))
        #expect(shop.gateway.entries.map(\.isRefunded) == [true])
        #expect(await shop.get(shop.payment, "/payments/" + paymentID).json?["status"] == "EXPIRED")
        #expect(shop.violations() == [])
    }

    @Test("An attempt that the gateway never came to know is abandoned after its horizon")
    func abandoned() async throws {
        let (shop, _, paymentID) = try await waitingShop()
        shop.gateway.plan(.timeOutWithoutEffect)
        #expect(await shop.post(shop.payment, "/payments/\(paymentID)/pay").status == 202)
        for _ in 0..<30 { try await shop.wait(.minutes(1)) }
        let attempt = try #require(shop.paymentDatabase.rows(of: GatewayAttemptsTable.table).first)
        #expect(attempt.text(GatewayAttemptsTable.state) == "ABANDONED")
        #expect(attempt[GatewayAttemptsTable.checkAt].isNull)
        #expect(shop.violations() == [])
    }

    @Test("A callback settles a payment once; early, late and repeated ones change nothing")
    func callbacks() async throws {
        let (shop, orderID, paymentID) = try await waitingShop()
        let path = "/payments/\(paymentID)/callback"
        #expect(await shop.post(shop.payment, path).status == 404)
        shop.gateway.plan(.captureThenTimeOut)
        _ = await shop.post(shop.payment, "/payments/\(paymentID)/pay")
        for _ in 0..<3 { #expect(await shop.post(shop.payment, path).status == 204) }
        try await shop.settle()
        #expect(await shop.status(orderID) == "PAID")
        #expect(shop.violations().allSatisfy { $0.property == .liveness || $0.property == .agreement })
    }

    @Test("A callback that lies does not pay: the gateway itself is asked")
    func forgedCallback() async throws {
        let (shop, orderID, paymentID) = try await waitingShop()
        shop.gateway.plan(.timeOutWithoutEffect)
        _ = await shop.post(shop.payment, "/payments/\(paymentID)/pay")
        let body: JSONValue = ["status": "CAPTURED"]
        #expect(await shop.post(shop.payment, "/payments/\(paymentID)/callback", body).status == 204)
        try await shop.settle()
        #expect(await shop.status(orderID) == "PENDING_FOR_PAY")
    }

    @Test("While a card payment is under way the method cannot be changed to cash")
    func methodChange() async throws {
        let (shop, orderID, paymentID) = try await waitingShop()
        let toCash: JSONValue = ["orderId": .string(orderID), "method": "CASH"]
        let changed = await shop.post(shop.payment, "/payments", toCash)
        #expect(changed.status == 201)
        #expect(changed.header("location") == "/payments/" + paymentID)
        #expect(changed.json?["method"] == "CASH")
        #expect(
            await shop.post(shop.payment, "/payments", ["orderId": .string(orderID), "method": "CARD"]).status == 201)
        shop.gateway.plan(.captureThenTimeOut)
        _ = await shop.post(shop.payment, "/payments/\(paymentID)/pay")
        #expect(await shop.post(shop.payment, "/payments", toCash).status == 409)
    }

    @Test("A shop that retries with a new key is found to capture twice")
    func newKey() async throws {
        let (shop, _, paymentID) = try await waitingShop { $0.mistakes = .gatewayRetriedWithNewKey }
        shop.gateway.plan(.captureThenTimeOut)
        _ = await shop.post(shop.payment, "/payments/\(paymentID)/pay")
        _ = await shop.post(shop.payment, "/payments/\(paymentID)/pay")
        try await shop.settle()
        #expect(shop.violations().contains { $0.property == .money })
    }

    @Test("A shop that keeps late money is found out")
    func noRefund() async throws {
        let (shop, _, paymentID) = try await waitingShop { $0.mistakes = .noRefundOnLateSuccess }
        shop.gateway.plan(.captureThenTimeOut)
        shop.clock.advance(by: .seconds(55))
        _ = await shop.post(shop.payment, "/payments/\(paymentID)/pay")
        shop.clock.advance(by: .seconds(6))
        try await shop.payment.sweepOnce()
        for _ in 0..<3 { try await shop.wait(.seconds(30)) }
        #expect(shop.violations().map(\.property) == [.money])
    }
}
