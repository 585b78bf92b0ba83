import Outbox
import Ports

/// The commands of customers on orders. Each is one transaction and answers with the order as it leaves it.
struct OrderCommands: Sendable {
    let ports: ServicePorts
    let settings: ShopSettings
    let runner: CommandRunner
    let subscribers: SubscriberHub<OrderChange>

    private var writer: OrderStepWriter { OrderStepWriter(identifiers: ports.identifiers, settings: settings) }

    /// `POST /orders`
    func place(_ request: HTTPRequest) async throws -> HTTPResponse {
        let reader = try RequestReader(request, settings)
        let method = try PaymentMethod(reader, "paymentMethod")
        let lines = try reader.objects("items", count: 1...settings.maximumLinesPerOrder, settings)
            .map { try RequestedLine($0, settings) }
        let orderID = ports.identifiers.next()
        let requestKey = request.header("idempotency-key") ?? ""
        return try await runner.run(request, loads: [Self.selectPrices(lines.map(\.productID))]) {
            loaded, cause, work in
            var priced = try PricedLines(existing: [])
            for (position, line) in lines.enumerated() {
                try priced.add(line, id: Int64(position) + 1, orderID: orderID, prices: loaded[loaded.startIndex].rows)
            }
            let order = Row([
                .uuid(orderID), .text(requestKey), .text(OrderStatus.created.rawValue), .text("order placed"),
                .text(method.rawValue), .null, .int64(priced.totalItems), .int64(priced.totalPrice), .int64(1),
                .int64(Int64(lines.count)), false, .timestamp(work.now), .null, .int64(1),
            ])
            return place(order, priced, cause, &work)
        } didCommit: {
            tell($0)
        }
    }

    private func place(
        _ order: Row, _ lines: PricedLines, _ cause: EventCause, _ work: inout UnitOfWork
    ) -> CommandOutcome<OrderChange> {
        typealias Orders = OrdersTable
        let idText = order.uuid(Orders.id).description
        work.insert(order.values, into: Orders.table)
        for row in lines.rows { work.insert(row.values, into: OrderItemsTable.table) }
        work.insert(
            [
                order[Orders.id], order[Orders.version], order[Orders.status], order[Orders.statusDescription],
                order[Orders.createdAt],
            ], into: OrderStepsTable.table)
        var cause = cause
        cause.correlationID = idText
        work.publish(
            OutboundEvent(
                id: ports.identifiers.next(), aggregateType: AggregateType.order, aggregateID: idText,
                type: ShopEventType.orderPlaced.rawValue, occurredAt: work.now, aggregateVersion: 1,
                payload: lines.payload(revision: 1, order: order, currency: settings.currency)), causedBy: cause)
        let response = HTTPResponse(
            201, headers: [HTTPHeader("location", "/orders/" + idText)],
            body: .json(OrderView.json(order, items: OrderView.items(lines.rows))))
        return CommandOutcome(response: response, committed: OrderChange(order: order, changesItems: false))
    }

    /// `POST /orders/{id}/cancel`: 200 when it is cancelled, 202 when shipping has to agree first.
    func cancel(_ orderID: UniqueID, _ request: HTTPRequest) async throws -> HTTPResponse {
        try await change(orderID, request, loads: []) { order, items, _, cause, work in
            let step = try Self.step(order, on: .cancel, "cancelled")
            let change = write(step, to: order, cause: cause, into: &work)
            let status = step.announcement == .orderCancellationRequested ? 202 : 200
            return CommandOutcome(
                response: HTTPResponse(
                    status, body: .json(OrderView.json(change.order, items: OrderView.items(items)))),
                committed: change)
        }
    }

    /// `POST /orders/{id}/items`
    func addItem(to orderID: UniqueID, _ request: HTTPRequest) async throws -> HTTPResponse {
        let line = try RequestedLine(try RequestReader(request, settings), settings)
        return try await change(orderID, request, loads: [Self.selectPrices([line.productID])]) {
            order, items, loaded, cause, work in
            let step = try Self.step(order, on: .changeItems, "changed")
            guard items.count < settings.maximumLinesPerOrder else {
                throw ProblemDocument.invalid(
                    "items", "an order may have at most \(settings.maximumLinesPerOrder) lines")
            }
            let lineID = order.int64(OrdersTable.lineCount) + 1
            var lines = try PricedLines(existing: items)
            try lines.add(line, id: lineID, orderID: orderID, prices: loaded[loaded.startIndex].rows)
            work.insert(lines.rows[items.count].values, into: OrderItemsTable.table)
            return changeItems(of: order, step, lines, lineCount: lineID, status: 201, cause, &work)
        }
    }

    /// `PUT /orders/{id}/items/{itemId}`: sets the quantity of a line.
    func changeItem(
        _ lineID: Int64, of orderID: UniqueID, _ request: HTTPRequest
    ) async throws -> HTTPResponse {
        let quantity = try RequestReader(request, settings).integer(
            "quantity", in: 1...settings.maximumQuantityPerLine)
        return try await change(orderID, request, loads: []) { order, items, _, cause, work in
            guard let position = items.firstIndex(where: { $0.int64(OrderItemsTable.id) == lineID }) else {
                throw ProblemDocument.notFound("item \(lineID) in order", orderID.description)
            }
            let step = try Self.step(order, on: .changeItems, "changed")
            var changed = items
            changed[position].values[OrderItemsTable.quantity.ordinal] = .int64(quantity)
            let lines = try PricedLines(existing: changed)
            work.add(
                .update(
                    Update(
                        OrderItemsTable.table, set: [.set(OrderItemsTable.quantity, .int64(quantity))],
                        where: [OrderItemsTable.orderID == .uuid(orderID), OrderItemsTable.id == .int64(lineID)])))
            let lineCount = order.int64(OrdersTable.lineCount)
            return changeItems(of: order, step, lines, lineCount: lineCount, status: 200, cause, &work)
        }
    }

    private func changeItems(
        of order: Row, _ step: OrderStep, _ lines: PricedLines, lineCount: Int64, status: Int, _ cause: EventCause,
        _ work: inout UnitOfWork
    ) -> CommandOutcome<OrderChange> {
        var order = order
        order.values[OrdersTable.totalItems.ordinal] = .int64(lines.totalItems)
        order.values[OrdersTable.totalPrice.ordinal] = .int64(lines.totalPrice)
        order.values[OrdersTable.lineCount.ordinal] = .int64(lineCount)
        let payload = lines.payload(revision: step.state.revision, order: order, currency: settings.currency)
        let change = write(step, to: order, payload: payload, cause: cause, into: &work)
        let body = OrderView.json(change.order, items: OrderView.items(lines.rows))
        return CommandOutcome(response: HTTPResponse(status, body: .json(body)), committed: change)
    }

    // MARK: What changes of an existing order share

    /// Loads the order, locked, and its lines; `decide` makes the change.
    private func change(
        _ orderID: UniqueID, _ request: HTTPRequest, loads: [Statement],
        decide: (Row, [Row], ArraySlice<StatementResult>, EventCause, inout UnitOfWork) throws ->
            CommandOutcome<OrderChange>
    ) async throws -> HTTPResponse {
        let order = OrdersTable.keyed.selectForUpdate([orderID])
        return try await runner.run(request, loads: [order, OrderView.selectItems(of: orderID)] + loads) {
            loaded, cause, work in
            guard let order = loaded[loaded.startIndex].rows.first else {
                throw ProblemDocument.notFound("order", orderID.description)
            }
            var cause = cause
            cause.correlationID = orderID.description
            return try decide(order, loaded[loaded.startIndex + 1].rows, loaded.dropFirst(2), cause, &work)
        } didCommit: {
            tell($0)
        }
    }

    private static func step(
        _ order: Row, on input: OrderInput, _ verb: String
    ) throws(ProblemDocument) -> OrderStep {
        switch OrderStateMachine.step(OrderState(order), on: input) {
        case .success(let step): return step
        case .failure(let objection): throw .conflict("the order cannot be \(verb): \(objection.reason)")
        }
    }

    private func write(
        _ step: OrderStep, to order: Row, payload: JSONValue? = nil, cause: EventCause, into work: inout UnitOfWork
    ) -> OrderChange {
        var order = order
        let change = writer.write(
            step, to: &order, orderIDText: cause.correlationID, payload: payload, cause: cause, into: &work)
        work.add(OrdersTable.keyed.overwrite([order.values]))
        return change
    }

    private func tell(_ change: OrderChange) { subscribers.publish(change, to: change.orderID) }

    private static func selectPrices(_ productIDs: [UniqueID]) -> Statement {
        .select(
            Select(
                from: ItemPricesTable.table,
                where: [ItemPricesTable.productID.isIn(productIDs.map { .uuid($0) })]))
    }
}

/// How a payment is made.
public enum PaymentMethod: String, Hashable, Sendable, CaseIterable {
    case card = "CARD"
    case cash = "CASH"

    init(_ reader: RequestReader, _ field: String) throws(ProblemDocument) {
        guard let method = PaymentMethod(rawValue: try reader.text(field)) else {
            throw .invalid(reader.name(field), "must be CARD or CASH")
        }
        self = method
    }
}
