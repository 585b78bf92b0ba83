/// Every committed outbox row is published at least once, and none that was not committed ever is.
public enum OutboxToLogProperty {
    /// - Parameter isQuiescent: whether everything had time to be published; ghosts are judged in any case.
    public static func violations(_ history: OrderHistory, isQuiescent: Bool = true) -> [Violation] {
        var violations = history.ghosts.map {
            Violation(.outboxToLog, history.id, "event \($0) is in the log, but no transaction that wrote it committed")
        }
        guard isQuiescent else { return violations }
        for event in history.events where event.publishedCount == 0 {
            violations.append(
                Violation(
                    .outboxToLog, history.id,
                    "\(name(event)) of \(event.producer.name) was committed and never published"))
        }
        return violations
    }

    static func name(_ event: OrderHistory.EventPart) -> String {
        "event \(event.id) \(event.type?.rawValue ?? "of unknown type")"
    }
}
