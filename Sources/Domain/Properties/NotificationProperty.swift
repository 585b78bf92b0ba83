import Ports

/// A subscriber with `Last-Event-ID` sees each status once and in order, and only what was committed; and the feed tells of
/// each step of an order once and in order.
public enum NotificationProperty {
    public static func violations(_ history: OrderHistory, isQuiescent: Bool = true) -> [Violation] {
        var violations: [Violation] = []
        func report(_ observation: String) { violations.append(Violation(.notifications, history.id, observation)) }
        var subscribers: [(stream: OrderHistory.Sighting.Stream, subscriber: Int)] = []
        for sighting in history.sightings
        where !subscribers.contains(where: { $0.stream == sighting.stream && $0.subscriber == sighting.subscriber }) {
            subscribers.append((sighting.stream, sighting.subscriber))
        }
        for (stream, subscriber) in subscribers {
            let seen = history.sightings.filter { $0.stream == stream && $0.subscriber == subscriber }
            let committed = stream == .order ? history.steps : history.notifications
            if let objection = objection(seen, committed) { report("\(stream) subscriber \(subscriber) \(objection)") }
        }
        for sighting in history.prematureSightings {
            report(
                "\(sighting.stream) subscriber \(sighting.subscriber) saw \(sighting.status.rawValue) with id "
                    + "\(sighting.id) before it was committed")
        }
        if isQuiescent, let objection = feedObjection(history) { report(objection) }
        return violations
    }

    /// What is wrong with what one subscriber saw, given all that was committed.
    private static func objection(_ seen: [OrderHistory.Sighting], _ committed: [OrderHistory.Step]) -> String? {
        let committed = committed.sorted { $0.id < $1.id }
        var expected: Int?
        for sighting in seen {
            guard let position = committed.firstIndex(where: { $0.id == sighting.id }) else {
                return "saw \(sighting.status.rawValue) with id \(sighting.id), which was never committed"
            }
            guard committed[position].status == sighting.status else {
                return "saw \(sighting.status.rawValue) with id \(sighting.id), committed was "
                    + committed[position].status.rawValue
            }
            if let expected, position != expected {
                return position < expected
                    ? "saw id \(sighting.id) (\(sighting.status.rawValue)) again or late"
                    : "missed id \(committed[expected].id) (\(committed[expected].status.rawValue))"
            }
            expected = position + 1
        }
        return nil
    }

    /// What is wrong with the feed, given the order's own steps.
    private static func feedObjection(_ history: OrderHistory) -> String? {
        guard history.order != nil else { return nil }
        let told = history.events.filter { event in
            event.producer == .order && !event.parkedAt.contains(.notification)
                && event.type.map(ShopServiceName.notification.handles) ?? false
        }
        let expected = told.sorted { $0.aggregateVersion < $1.aggregateVersion }.map(\.id)
        let found = history.notifications.sorted { $0.id < $1.id }.compactMap(\.eventID)
        if found == expected { return nil }
        return "the feed tells of \(found.count) of its events \(found), its own were \(expected.count): \(expected)"
    }
}
