import Outbox
public import Ports

/// Judges a run of the shop by all its properties, as it goes along or at its end.
///
///     var judge = ShopJudge()
///     for each committed transaction: judge.observe(changes)      // and records, captures, promises, sightings
///     judge.violations                                            // of stock at any time, of archived orders
///     judge.finish(...)                                           // at quiescence: everything
public struct ShopJudge: Sendable {
    private var stock = StockAccumulator()
    public var collector: HistoryCollector
    /// What did not hold so far.
    public private(set) var violations: [Violation] = []
    /// What did not hold of orders of which something was lost that is allowed to be: see ``noteLoss(_:)``.
    public private(set) var excusedViolations: [Violation] = []
    /// Orders of which something that was committed or acknowledged is proven to be lost.
    public private(set) var ordersWithLosses: Set<UniqueID> = []
    /// Orders that were judged and forgotten.
    public private(set) var judgedOrderCount = 0

    /// - Parameter remembersOrders: see ``HistoryCollector/init(remembersOrders:)``.
    public init(remembersOrders: Bool = true) { collector = HistoryCollector(remembersOrders: remembersOrders) }

    /// Notes one committed transaction: judges stock after it, and the orders that it archived.
    public mutating func observe(_ transaction: [CommittedChange]) {
        for change in transaction {
            stock.observe(change)
            collector.observe(change)
        }
        judge(stock.endTransaction())
        collector.endTransaction()
        for history in collector.takeFinished() {
            judgedOrderCount += 1
            judge(Self.violations(of: history))
        }
    }

    /// Notes that a committed record of the log is gone. What does not hold of its order from now on is accounted for by that.
    public mutating func noteLoss(_ record: ConsumerRecord) {
        let headers = EnvelopeHeaders(record)
        if let id = (headers.aggregateID ?? record.key).flatMap({ UniqueID($0) }) { ordersWithLosses.insert(id) }
    }

    /// Notes that a committed transaction is gone: takes it back, and excuses the orders that it was about.
    ///
    /// - Parameter transaction: its changes in their order. Of several transactions the newest comes first.
    public mutating func noteLoss(_ transaction: [CommittedChange]) {
        for change in transaction.reversed() {
            stock.undo(change)
            if let id = collector.undo(change) { ordersWithLosses.insert(id) }
        }
        judge(stock.endTransaction())
    }

    /// Keeps apart what a loss accounts for. Items are no orders: whatever is lost, stock has to add up.
    private mutating func judge(_ found: [Violation]) {
        for violation in found {
            if let subject = violation.subject, ordersWithLosses.contains(subject) {
                excusedViolations.append(violation)
            } else {
                violations.append(violation)
            }
        }
    }

    /// Judges what is left once nothing moves any more. Without faults for long enough, that nothing is left to do is
    /// judged too.
    public mutating func finish(
        lags: [LivenessProperty.ConsumerLag], backlogs: [LivenessProperty.SlotBacklog]
    ) {
        let open = collector.open
        for history in open {
            if history.order != nil { judgedOrderCount += 1 }
            judge(Self.violations(of: history))
        }
        // What did not come about is often the consequence of what went wrong, which is named first.
        for history in open { judge(LivenessProperty.violations(history)) }
        judge(LivenessProperty.violations(lags: lags, backlogs: backlogs))
    }

    /// Whether every order that is known is finished, as far as liveness goes.
    public var isQuiet: Bool {
        collector.open.allSatisfy { ordersWithLosses.contains($0.id) || LivenessProperty.violations($0).isEmpty }
    }

    /// What keeps the orders that are known from being finished, a line each: their states, and the events that wait to be
    /// published or applied.
    public var unfinished: [String] {
        collector.open.filter { !ordersWithLosses.contains($0.id) }.flatMap { history in
            let rest = LivenessProperty.violations(history)
            guard !rest.isEmpty else { return [String]() }
            return (rest + OutboxToLogProperty.violations(history) + EffectProperty.violations(history))
                .map(\.description)
        }
    }

    /// Judges one order, finished or at quiescence, by every property that concerns orders.
    public static func violations(of history: OrderHistory) -> [Violation] {
        MoneyProperty.violations(history) + AgreementProperty.violations(history)
            + OutboxToLogProperty.violations(history) + EffectProperty.violations(history)
            + ApplicationOrderProperty.violations(history) + ClientPromiseProperty.violations(history)
            + NotificationProperty.violations(history)
    }
}
