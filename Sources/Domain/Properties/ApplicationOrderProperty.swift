/// A consumer applies one order's events of one producer in the order in which they were committed. An event that is
/// parked holds back those behind it.
public enum ApplicationOrderProperty {
    public static func violations(_ history: OrderHistory) -> [Violation] {
        var violations: [Violation] = []
        for consumer in ShopServiceName.allCases {
            for producer in ShopServiceName.allCases {
                if let violation = violation(history, consumer, producer) { violations.append(violation) }
            }
        }
        return violations
    }

    /// The first overtaking of one consumer among the events of one producer.
    private static func violation(
        _ history: OrderHistory, _ consumer: ShopServiceName, _ producer: ShopServiceName
    ) -> Violation? {
        var last: OrderHistory.EventPart?
        for application in history.applications where application.consumer == consumer {
            guard
                let event = history.events.first(where: { $0.id == application.eventID && $0.producer == producer })
            else { continue }
            if let last, event.aggregateVersion < last.aggregateVersion {
                return report(history, consumer, last, overtook: event)
            }
            last = event
        }
        guard let last else { return nil }
        let heldBack = history.events.first {
            $0.producer == producer && $0.parkedAt.contains(consumer) && $0.aggregateVersion < last.aggregateVersion
        }
        return heldBack.map { report(history, consumer, last, overtook: $0) }
    }

    private static func report(
        _ history: OrderHistory, _ consumer: ShopServiceName, _ early: OrderHistory.EventPart,
        overtook late: OrderHistory.EventPart
    ) -> Violation {
        Violation(
            .applicationOrder, history.id,
            "\(consumer.name) applied \(OutboxToLogProperty.name(early)) (version \(early.aggregateVersion)) before "
                + "\(OutboxToLogProperty.name(late)) (version \(late.aggregateVersion))")
    }
}
