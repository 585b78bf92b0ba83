import Ports

/// Each event has at most one effect per consumer, and at quiescence exactly one: it was applied, or it is parked.
public enum EffectProperty {
    public static func violations(_ history: OrderHistory, isQuiescent: Bool = true) -> [Violation] {
        repeated(history) + (isQuiescent ? missing(history) : [])
    }

    /// What an event led to is seen in what it caused: two events of one type by one service, two notifications.
    private static func repeated(_ history: OrderHistory) -> [Violation] {
        var violations: [Violation] = []
        func report(_ consumer: ShopServiceName, _ eventID: UniqueID, _ what: String) {
            violations.append(
                Violation(.effects, history.id, "\(consumer.name) applied event \(eventID) more than once: \(what)"))
        }
        for (position, event) in history.events.enumerated() {
            guard let causation = event.causation else { continue }
            let isRepetition = history.events[..<position].contains {
                $0.causation == causation && $0.producer == event.producer && $0.type == event.type
            }
            if isRepetition { report(event.producer, causation, "\(event.type?.rawValue ?? "a dead letter") twice") }
        }
        for (position, notification) in history.notifications.enumerated() {
            let isRepetition = history.notifications[..<position].contains { $0.eventID == notification.eventID }
            if isRepetition, let eventID = notification.eventID { report(.notification, eventID, "notified twice") }
        }
        for (position, application) in history.applications.enumerated()
        where history.applications[..<position].contains(application) {
            report(application.consumer, application.eventID, "its inbox row was inserted twice")
        }
        return violations
    }

    private static func missing(_ history: OrderHistory) -> [Violation] {
        var violations: [Violation] = []
        for event in history.events {
            guard let type = event.type else { continue }
            for consumer in ShopServiceName.allCases where consumer.handles(type) && !event.parkedAt.contains(consumer)
            {
                let application = OrderHistory.Application(consumer: consumer, eventID: event.id)
                if !history.applications.contains(application) {
                    violations.append(
                        Violation(
                            .effects, history.id,
                            "\(consumer.name) never applied \(OutboxToLogProperty.name(event)), nor parked it"))
                }
            }
        }
        return violations
    }
}
