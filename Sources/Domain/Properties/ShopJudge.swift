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
        violations += stock.endTransaction()
        collector.endTransaction()
        for history in collector.takeFinished() {
            judgedOrderCount += 1
            violations += Self.violations(of: history)
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
            violations += Self.violations(of: history)
        }
        // What did not come about is often the consequence of what went wrong, which is named first.
        for history in open { violations += LivenessProperty.violations(history) }
        violations += LivenessProperty.violations(lags: lags, backlogs: backlogs)
    }

    /// Whether every order that is known is finished, as far as liveness goes.
    public var isQuiet: Bool { collector.open.allSatisfy { LivenessProperty.violations($0).isEmpty } }

    /// What keeps the orders that are known from being finished, a line each: their states, and the events that wait to be
    /// published or applied.
    public var unfinished: [String] {
        collector.open.flatMap { history in
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
