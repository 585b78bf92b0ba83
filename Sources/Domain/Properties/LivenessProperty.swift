public import Ports

/// After faults stop, every order reaches a terminal state, nothing stays open at the gateway, and every queue runs empty.
/// The bound on virtual time is the caller's: it judges when that time is up.
public enum LivenessProperty {
    public static func violations(_ history: OrderHistory) -> [Violation] {
        var violations: [Violation] = []
        if let order = history.order, !order.status.isTerminal {
            violations.append(Violation(.liveness, history.id, "is still \(order.status.rawValue)"))
        }
        if let attempt = history.payment?.attempt, attempt.isOpen {
            violations.append(Violation(.liveness, history.id, "its gateway attempt is still \(attempt.rawValue)"))
        }
        for event in history.events {
            for consumer in event.parkedAt {
                violations.append(
                    Violation(
                        .liveness, history.id, "\(OutboxToLogProperty.name(event)) is still parked at \(consumer.name)")
                )
            }
        }
        return violations
    }

    /// What a consumer group has not read of a partition.
    public struct ConsumerLag: Hashable, Sendable {
        public let group: String
        public let partition: TopicPartition
        /// Records between its committed offset and the end.
        public let recordCount: Int64

        public init(group: String, partition: TopicPartition, recordCount: Int64) {
            self.group = group
            self.partition = partition
            self.recordCount = recordCount
        }
    }

    /// Outbox rows of one service that its slot has not confirmed, however many bytes of log that is.
    public struct SlotBacklog: Hashable, Sendable {
        public let service: ShopServiceName
        public let transactionCount: Int64

        public init(service: ShopServiceName, transactionCount: Int64) {
            self.service = service
            self.transactionCount = transactionCount
        }
    }

    public static func violations(lags: [ConsumerLag], backlogs: [SlotBacklog]) -> [Violation] {
        lags.filter { $0.recordCount > 0 }.map {
            Violation(.liveness, nil, "group \($0.group) is \($0.recordCount) records behind on \($0.partition)")
        }
            + backlogs.filter { $0.transactionCount > 0 }.map {
                Violation(.liveness, nil, "\($0.service.name): \($0.transactionCount) transactions not confirmed")
            }
    }
}
