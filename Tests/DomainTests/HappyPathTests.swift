import PortFakes
import Ports
import Testing

@testable import Domain

@Suite struct HappyPathTests {
    @Test("An order that is paid by card goes from CREATED to COMPLETED through every state")
    func paidByCard() async throws {
        let shop = try await TestShop()
        let product = try await shop.stock(quantity: 10)
        let placed = await shop.post(shop.order, "/orders", TestShop.orderBody(product, quantity: 3))
        #expect(placed.status == 201)
        let orderID = try #require(placed.json?["id"]?.stringValue)
        #expect(placed.header("location") == "/orders/" + orderID)
        #expect(placed.json?["totalPrice"] == .decimal(unscaled: 5_997, scale: 2))
        #expect(placed.json?["status"] == "CREATED")

        try await shop.settle()
        #expect(await shop.status(orderID) == "PENDING_FOR_PAY")
        let paid = await shop.post(shop.payment, "/payments/\(await shop.paymentID(orderID))/pay")
        #expect(paid.status == 200)
        #expect(paid.json?["status"] == "SUCCESS")
        try await shop.settle()
        #expect(await shop.status(orderID) == "PAID")
        try await shop.wait(.seconds(2))
        try await shop.wait(.seconds(3))
        #expect(await shop.status(orderID) == "COMPLETED")

        #expect(shop.gateway.entries.map(\.amount.minorUnits) == [5_997])
        let item = shop.item(product)
        #expect(item.int64(ItemsTable.available) == 7)
        #expect(item.int64(ItemsTable.reserved) == 0)
        #expect(item.int64(ItemsTable.committed) == 3)
        let feed = shop.notificationDatabase.rows(of: FeedTable.table).map { $0.text(FeedTable.status) }
        #expect(feed == ["CREATED", "RESERVED", "PENDING_FOR_PAY", "PAID", "COMPLETED"])
        let steps = shop.orderDatabase.rows(of: OrderStepsTable.table).map { $0.text(OrderStepsTable.status) }
        #expect(steps == ["CREATED", "RESERVED", "PENDING_FOR_PAY", "PAID", "COMPLETED"])
        #expect(shop.log.lines.isEmpty)
        #expect(shop.violations() == [])
    }
}
