import Outbox
import Ports

/// Expires payments whose durable deadline has passed.
struct PaymentExpiry: Sendable {
    let ports: ServicePorts
    let settings: ShopSettings

    func sweep() async throws {
        while true {
            let due = try await overdue()
            if !due.isEmpty { try await expire(due) }
            if due.count < settings.sweepBatchRowCount { return }
        }
    }

    private func overdue() async throws -> [UniqueID] {
        typealias Payments = PaymentsTable
        let select = Select(
            from: Payments.table, where: [Payments.dueAt <= .timestamp(ports.clock.now)],
            orderedBy: [.ascending(Payments.dueAt)], limit: settings.sweepBatchRowCount)
        return try await ports.database.executeAtomically([.select(select)])[0].rows.map { $0.uuid(Payments.orderID) }
    }

    /// Moves those that are still pending, under their locks: between the look and the lock a payment may have been paid.
    private func expire(_ orderIDs: [UniqueID]) async throws {
        let isCompareAndSet = !settings.mistakes.contains(.expiryWithoutCompareAndSet)
        let writer = PaymentWriter(identifiers: ports.identifiers, mistakes: settings.mistakes)
        try await TransactionRunner(ports).run(within: settings.commandTimeLimit) { session in
            let rows = try await session.execute(PaymentsTable.keyed.selectForUpdate(orderIDs)).rows
            var payments = LockedRows(PaymentsTable.keyed, rows)
            var work = UnitOfWork(now: ports.clock.now)
            for position in rows.indices {
                let effect =
                    isCompareAndSet
                    ? PaymentStateMachine.effect(rows[position].paymentStatus, of: .deadlinePassed)
                    : .success(PaymentStateMachine.expired)
                guard case .success(.move(let status, let announcement, let description)) = effect else { continue }
                let orderIDText = rows[position].uuid(PaymentsTable.orderID).description
                let cause = EventCause(causationID: "deadline", correlationID: orderIDText)
                payments.update(at: position) { payment in
                    writer.move(
                        &payment, to: status, announcement, description: description, orderIDText: orderIDText,
                        cause: cause, into: &work)
                }
            }
            payments.write(into: &work)
            try await work.commit(on: session, mistakes: settings.mistakes)
        }
    }
}
