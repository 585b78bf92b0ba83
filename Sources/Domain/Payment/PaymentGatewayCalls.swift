import Outbox
import Ports

/// What becomes of payments at the gateway: captures, refunds, and finding out what a call did that nobody answered.
///
/// The capture's key is persisted before the first call and used by every later one, so the provider captures once
/// whatever is repeated; each answer is applied in a transaction of its own under the payment's lock, so an answer that
/// comes late, twice, or from several sides is applied once.
struct PaymentGatewayCalls: Sendable {
    let ports: ServicePorts
    let settings: ShopSettings
    let gateway: any PaymentGateway
    private let runner: TransactionRunner

    init(_ ports: ServicePorts, _ settings: ShopSettings, _ gateway: any PaymentGateway) {
        self.ports = ports
        self.settings = settings
        self.gateway = gateway
        runner = TransactionRunner(ports)
    }

    /// Captures a payment whose attempt is persisted.
    ///
    /// - Throws: ``HTTPError`` when the outcome is not known, or the gateway cannot be reached.
    func capture(_ payment: Row, _ attempt: Row) async throws -> GatewayOutcome {
        typealias Payments = PaymentsTable
        let amount = Money(minorUnits: payment.int64(Payments.amount), currency: payment.text(Payments.currency))
        let key =
            settings.mistakes.contains(.gatewayRetriedWithNewKey)
            ? ports.identifiers.next().description : attempt.text(GatewayAttemptsTable.idempotencyKey)
        return try await gateway.capture(
            amount, idempotencyKey: key, callback: "/payments/\(payment.uuid(Payments.id))/callback")
    }

    /// Applies what the gateway said of a payment's key, once. Returns the payment as it is then.
    func settle(_ paymentID: UniqueID, with outcome: GatewayOutcome, cause: EventCause) async throws -> Row? {
        try await runner.run(within: settings.commandTimeLimit) { session in
            let found = try await session.execute(Self.lock(paymentID))
            guard var payment = found[0].rows.first, var attempt = found[1].rows.first else { return nil }
            var work = UnitOfWork(now: ports.clock.now)
            if settle(&payment, &attempt, outcome, cause, &work) { try await work.commit(on: session) }
            return payment
        }
    }

    /// Adds to `work` what an outcome does to locked rows. False when it does nothing.
    func settle(
        _ payment: inout Row, _ attempt: inout Row, _ outcome: GatewayOutcome, _ cause: EventCause,
        _ work: inout UnitOfWork
    ) -> Bool {
        let writer = PaymentWriter(identifiers: ports.identifiers, mistakes: settings.mistakes)
        let stateBefore = attempt.attemptState
        let objection = writer.settle(&payment, &attempt, with: outcome, cause: cause, into: &work)
        if objection != nil && attempt.attemptState == stateBefore { return false }
        work.add(PaymentsTable.keyed.overwrite([payment.values]))
        work.add(GatewayAttemptsTable.keyed.overwrite([attempt.values]))
        return true
    }

    /// What locks a payment and its attempt, the payment first.
    static func lock(_ paymentID: UniqueID) -> [Statement] {
        [PaymentsTable.keyedByID.selectForUpdate([paymentID]), GatewayAttemptsTable.keyed.selectForUpdate([paymentID])]
    }

    // MARK: Reconciliation

    /// Looks at the attempts that are due: asks what became of a capture, or gives money back.
    func reconcile() async throws {
        while true {
            let claimed = try await claimDue()
            for attempt in claimed { try await reconcile(attempt) }
            if claimed.count < settings.sweepBatchRowCount { return }
        }
    }

    /// Takes due attempts for this instance by moving their next look into the future.
    private func claimDue() async throws -> [Row] {
        typealias Attempts = GatewayAttemptsTable
        return try await runner.run(within: settings.commandTimeLimit) { session in
            let now = ports.clock.now
            let due = try await session.execute(
                .select(
                    Select(
                        from: Attempts.table, where: [Attempts.checkAt <= .timestamp(now)],
                        orderedBy: [.ascending(Attempts.checkAt)], limit: settings.sweepBatchRowCount,
                        lock: .forUpdateSkipLocked))
            ).rows
            if due.isEmpty { return [] }
            var attempts = LockedRows(Attempts.keyed, due)
            for position in due.indices {
                attempts.update(at: position) { attempt in
                    let count = attempt.int64(Attempts.checkCount)
                    let pause = Backoff(firstDelay: settings.reconciliationDelay, maximumDelay: .minutes(2))
                        .delay(beforeRetry: Int(count), randomBits: ports.identifiers.next().low)
                    attempt.values[Attempts.checkAt.ordinal] = .timestamp(now + pause)
                    attempt.values[Attempts.checkCount.ordinal] = .int64(count + 1)
                }
            }
            var work = UnitOfWork(now: now)
            attempts.write(into: &work)
            try await work.commit(on: session)
            return due
        }
    }

    private func reconcile(_ attempt: Row) async throws {
        typealias Attempts = GatewayAttemptsTable
        let key = attempt.text(Attempts.idempotencyKey)
        let paymentID = attempt.uuid(Attempts.paymentID)
        do {
            let cause = EventCause(
                causationID: "gateway " + key, correlationID: attempt.uuid(Attempts.orderID).description)
            if attempt.attemptState == .refundDue {
                let outcome = try await gateway.refund(captureKey: key)
                if case .refunded = outcome {
                    _ = try await settle(paymentID, with: outcome, cause: cause)
                } else {
                    // The money is still owed: it is asked for again until it is given back.
                    ports.log.log(
                        .error, "refund not made",
                        [LogField("payment", paymentID.description), LogField("answer", String(describing: outcome))])
                }
                return
            }
            let outcome = try await gateway.outcome(of: key)
            if outcome != .unknownKey {
                _ = try await settle(paymentID, with: outcome, cause: cause)
            } else if ports.clock.now - attempt.timestamp(Attempts.startedAt) > settings.gatewayHorizon {
                try await abandon(paymentID)
            }
        } catch let error as HTTPError {
            // Not reached: the next look comes by itself.
            ports.log.log(
                .info, "gateway not reached",
                [LogField("payment", paymentID.description), LogField("error", String(describing: error))])
        }
    }

    /// Gives up on a capture that the gateway never came to know.
    private func abandon(_ paymentID: UniqueID) async throws {
        typealias Attempts = GatewayAttemptsTable
        _ = try await ports.database.executeAtomically([
            .update(
                Update(
                    Attempts.table,
                    set: [
                        .set(Attempts.state, .text(GatewayAttemptState.abandoned.rawValue)),
                        .set(Attempts.checkAt, .null),
                    ],
                    where: [
                        Attempts.paymentID == .uuid(paymentID),
                        Attempts.state == .text(GatewayAttemptState.started.rawValue),
                    ]))
        ])
    }
}
