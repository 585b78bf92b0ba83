/// A consumer applies one order's events of one producer in the order in which they were committed. An event that is
/// parked holds back those behind it.
public enum ApplicationOrderProperty {
    /// The overtakings of an order: for each pair of a consumer and a producer the first one, if there is one.
    ///
    /// Looks an event up once for each of its applications.
    public static func violations(_ history: OrderHistory) -> [Violation] {
        let applications = history.applications.compactMap { application in
            history.events.firstIndex { $0.id == application.eventID }.map {
                Application(consumer: application.consumer, event: $0, producer: history.events[$0].producer)
            }
        }
        var violations: [Violation] = []
        for consumer in ShopServiceName.allCases where applications.contains(where: { $0.consumer == consumer }) {
            for producer in ShopServiceName.allCases {
                if let violation = violation(history, applications, consumer, producer) {
                    violations.append(violation)
                }
            }
        }
        return violations
    }

    /// A consumer's application of one of the history's events, by its number.
    private struct Application {
        let consumer: ShopServiceName
        let event: Int
        let producer: ShopServiceName
    }

    /// The first overtaking of one consumer among the events of one producer.
    private static func violation(
        _ history: OrderHistory, _ applications: [Application], _ consumer: ShopServiceName,
        _ producer: ShopServiceName
    ) -> Violation? {
        var last: Int?
        for application in applications where application.consumer == consumer && application.producer == producer {
            if let last, history.events[application.event].aggregateVersion < history.events[last].aggregateVersion {
                return report(history, consumer, history.events[last], overtook: history.events[application.event])
            }
            last = application.event
        }
        guard let last else { return nil }
        let lastVersion = history.events[last].aggregateVersion
        let heldBack = history.events.first {
            $0.producer == producer && $0.parkedAt.contains(consumer) && $0.aggregateVersion < lastVersion
        }
        return heldBack.map { report(history, consumer, history.events[last], overtook: $0) }
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
