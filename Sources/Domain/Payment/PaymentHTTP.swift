import Outbox
import Ports

/// The HTTP interface of the payment service.
struct PaymentHTTP: HTTPHandler {
    let ports: ServicePorts
    let settings: ShopSettings
    let runner: CommandRunner
    let gatewayCalls: PaymentGatewayCalls

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        await HTTPSupport.answer(ports, request, PaymentService.operations) { try await route(request) }
    }

    private func route(_ request: HTTPRequest) async throws -> HTTPResponse {
        let path = HTTPSupport.segments(of: request)
        guard path.first == "payments" else { throw NoSuchRoute() }
        switch (request.method, path.count) {
        case (.get, 1):
            let page = try Page(request, time: PaymentsTable.createdAt, id: PaymentsTable.id, settings)
            return page.response(try await page.read(from: PaymentsTable.table, runner), Self.json)
        case (.post, 1): return try await open(request)
        case (.get, 2): return try await show(try HTTPSupport.id(path[1], of: "payment"))
        case (.post, 3) where path[2] == "pay":
            return try await pay(try HTTPSupport.id(path[1], of: "payment"), request)
        case (.post, 3) where path[2] == "callback":
            return try await callback(try HTTPSupport.id(path[1], of: "payment"))
        default: throw NoSuchRoute()
        }
    }

    /// A payment as clients see it.
    static func json(_ row: Row) -> JSONValue {
        typealias Payments = PaymentsTable
        let orderID = row.uuid(Payments.orderID).description
        return .object([
            JSONMember("id", .string(row.uuid(Payments.id).description)),
            JSONMember("amount", WireFormat.price(row.int64(Payments.amount))),
            JSONMember("method", .string(row.text(Payments.method))),
            JSONMember("status", .string(row.text(Payments.status))),
            JSONMember("orderId", .string(orderID)),
            JSONMember("statusDescription", .string(row.text(Payments.statusDescription))),
            JSONMember("expiredAt", WireFormat.timestamp(row.timestamp(Payments.expiresAt))),
            JSONMember("createdAt", WireFormat.timestamp(row.timestamp(Payments.createdAt))),
            JSONMember("contextId", .string(orderID)),
        ])
    }

    private func show(_ id: UniqueID) async throws -> HTTPResponse {
        guard let payment = try await runner.query([PaymentsTable.keyedByID.select([id])])[0].rows.first else {
            throw ProblemDocument.notFound("payment", id.description)
        }
        return HTTPResponse(200, body: .json(Self.json(payment)))
    }

    /// `POST /payments`: `{orderId, method, amount?}` chooses how an order is paid.
    ///
    /// A payment comes into being when its order asks for one, with the amount that the order says; a client cannot make
    /// one up, so this answers 404 until then.
    private func open(_ request: HTTPRequest) async throws -> HTTPResponse {
        let reader = try RequestReader(request, settings)
        let orderID = try reader.uuid("orderId")
        let method = try PaymentMethod(reader, "method")
        let amount = try reader.optionalPrice("amount")
        let attempt = Select(
            from: GatewayAttemptsTable.table, where: [GatewayAttemptsTable.orderID == .uuid(orderID)])
        let loads = [PaymentsTable.keyed.selectForUpdate([orderID]), .select(attempt)]
        return try await runner.run(request, loads: loads) { loaded, _, work in
            guard var payment = loaded[loaded.startIndex].rows.first else {
                throw ProblemDocument.notFound("payment for order", orderID.description)
            }
            try Self.requirePayable(payment, at: work.now)
            if let amount, amount != payment.int64(PaymentsTable.amount) {
                throw ProblemDocument.conflict("the amount is not what the order owes", field: "amount")
            }
            guard loaded[loaded.startIndex + 1].rows.isEmpty else {
                throw ProblemDocument.conflict("a payment by card is under way")
            }
            payment.values[PaymentsTable.method.ordinal] = .text(method.rawValue)
            work.add(
                .update(
                    Update(
                        PaymentsTable.table, set: [.set(PaymentsTable.method, .text(method.rawValue))],
                        where: [PaymentsTable.orderID == .uuid(orderID)])))
            let location = HTTPHeader("location", "/payments/\(payment.uuid(PaymentsTable.id))")
            return CommandOutcome(
                response: HTTPResponse(201, headers: [location], body: .json(Self.json(payment))), committed: ())
        } didCommit: {
        }
    }

    private static func requirePayable(_ payment: Row, at now: Instant) throws(ProblemDocument) {
        guard payment.paymentStatus == .pending else {
            throw .conflict("the payment is \(payment.text(PaymentsTable.status)): it cannot be paid")
        }
        // The deadline counts, not whether the sweeper has come by yet.
        guard now < payment.timestamp(PaymentsTable.expiresAt) else {
            throw .conflict("the payment has expired: it cannot be paid")
        }
    }

    // MARK: Paying

    /// What the first transaction of `pay` leaves to be done.
    private enum Begun: Sendable {
        case answered(HTTPResponse)
        case capture(payment: Row, attempt: Row)
    }

    /// `POST /payments/{id}/pay`: 200 with the payment, SUCCESS or FAILED; 202 when the gateway has not answered and what
    /// became of it is still to be found out.
    private func pay(_ id: UniqueID, _ request: HTTPRequest) async throws -> HTTPResponse {
        let key = try IdempotencyKey(request, ports.identifiers)
        let transactions = TransactionRunner(ports)
        let begun = try await transactions.run(
            within: settings.commandTimeLimit, retrying: { $0.mayBeRunAgain || $0.isLostRace }
        ) { session in
            try await begin(id, key, request, in: session)
        }
        guard case .capture(let payment, let attempt) = begun else {
            guard case .answered(let response) = begun else { preconditionFailure("pay has begun in no known way") }
            return response
        }
        let outcome: GatewayOutcome
        do {
            outcome = try await gatewayCalls.capture(payment, attempt)
        } catch is HTTPError {
            return HTTPResponse(202, body: .json(Self.json(payment)))
        }
        return try await transactions.run(
            within: settings.commandTimeLimit, retrying: { $0.mayBeRunAgain || $0.isLostRace }
        ) { session in
            try await finish(id, outcome, key, request, in: session)
        }
    }

    /// Checks that it can be paid, and persists the attempt; cash, or nothing to pay, is settled at once.
    private func begin(
        _ id: UniqueID, _ key: IdempotencyKey, _ request: HTTPRequest, in session: any DatabaseSession
    ) async throws -> Begun {
        let found = try await session.execute([IdempotencyTable.select(key.text)] + PaymentGatewayCalls.lock(id))
        if let stored = found[0].rows.first {
            return .answered(try await IdempotencyTable.repeated(stored, key, in: session))
        }
        guard var payment = found[1].rows.first else { throw ProblemDocument.notFound("payment", id.description) }
        var work = UnitOfWork(now: ports.clock.now)
        try Self.requirePayable(payment, at: work.now)
        let isCash = payment.text(PaymentsTable.method) == PaymentMethod.cash.rawValue
        if isCash || payment.int64(PaymentsTable.amount) == 0 {
            let writer = PaymentWriter(identifiers: ports.identifiers, mistakes: settings.mistakes)
            var cause = key.cause(of: request)
            cause.correlationID = payment.uuid(PaymentsTable.orderID).description
            writer.move(
                &payment, to: .success, .paymentSucceeded, description: "paid", orderIDText: cause.correlationID,
                cause: cause, into: &work)
            work.add(PaymentsTable.keyed.overwrite([payment.values]))
            return .answered(try await answer(payment, key, &work, in: session))
        }
        let attempt = Row([
            .uuid(id), payment[PaymentsTable.orderID], .text("capture-\(id)"),
            .text(GatewayAttemptState.started.rawValue), "", .timestamp(work.now),
            .timestamp(work.now + settings.reconciliationDelay), 0,
        ])
        if let existing = found[2].rows.first {
            guard existing.attemptState == .abandoned else {
                // The gateway is asked on the word of this row, so it has to be as durable as a commit is.
                _ = try await session.executeAndCommit([])
                return .capture(payment: payment, attempt: existing)
            }
            work.add(GatewayAttemptsTable.keyed.overwrite([attempt.values]))
        } else {
            work.insert(attempt.values, into: GatewayAttemptsTable.table)
        }
        try await work.commit(on: session, mistakes: settings.mistakes)
        return .capture(payment: payment, attempt: attempt)
    }

    /// Applies the gateway's answer, unless a callback or the reconciler was faster, and stores this request's answer.
    private func finish(
        _ id: UniqueID, _ outcome: GatewayOutcome, _ key: IdempotencyKey, _ request: HTTPRequest,
        in session: any DatabaseSession
    ) async throws -> HTTPResponse {
        let found = try await session.execute([IdempotencyTable.select(key.text)] + PaymentGatewayCalls.lock(id))
        if let stored = found[0].rows.first {
            return try await IdempotencyTable.repeated(stored, key, in: session)
        }
        guard var payment = found[1].rows.first, var attempt = found[2].rows.first else {
            throw ProblemDocument.notFound("payment", id.description)
        }
        var cause = key.cause(of: request)
        cause.correlationID = payment.uuid(PaymentsTable.orderID).description
        var work = UnitOfWork(now: ports.clock.now)
        _ = gatewayCalls.settle(&payment, &attempt, outcome, cause, &work)
        return try await answer(payment, key, &work, in: session)
    }

    /// Commits, with the answer under its key.
    private func answer(
        _ payment: Row, _ key: IdempotencyKey, _ work: inout UnitOfWork, in session: any DatabaseSession
    ) async throws -> HTTPResponse {
        let response = HTTPResponse(200, body: .json(Self.json(payment)))
        work.insert(
            IdempotencyTable.insert(response, key: key.text, fingerprint: key.fingerprint, at: work.now),
            into: IdempotencyTable.table)
        try await work.commit(on: session, mistakes: settings.mistakes)
        return response
    }

    /// `POST /payments/{id}/callback`: the gateway has news. What it is the gateway is asked itself, because anybody can
    /// send such a request.
    private func callback(_ id: UniqueID) async throws -> HTTPResponse {
        guard let attempt = try await runner.query([GatewayAttemptsTable.keyed.select([id])])[0].rows.first else {
            throw ProblemDocument.notFound("payment under way", id.description)
        }
        let state = attempt.attemptState
        guard state.isOpen || state == .abandoned else { return HTTPResponse(204) }
        let key = attempt.text(GatewayAttemptsTable.idempotencyKey)
        let outcome: GatewayOutcome
        do {
            outcome = try await gatewayCalls.gateway.outcome(of: key)
        } catch is HTTPError {
            return HTTPResponse(204)  // the reconciler asks again
        }
        let cause = EventCause(
            causationID: "gateway " + key, correlationID: attempt.uuid(GatewayAttemptsTable.orderID).description)
        _ = try await gatewayCalls.settle(id, with: outcome, cause: cause)
        return HTTPResponse(204)
    }
}
