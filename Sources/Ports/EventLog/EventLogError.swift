/// A Kafka protocol error code (org.apache.kafka.common.protocol.Errors). Negative ones are the client's own.
public struct KafkaErrorCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int16
    public init(rawValue: Int16) { self.rawValue = rawValue }

    public static let none = KafkaErrorCode(rawValue: 0)
    public static let offsetOutOfRange = KafkaErrorCode(rawValue: 1)
    public static let corruptMessage = KafkaErrorCode(rawValue: 2)
    public static let unknownTopicOrPartition = KafkaErrorCode(rawValue: 3)
    public static let leaderNotAvailable = KafkaErrorCode(rawValue: 5)
    public static let notLeaderOrFollower = KafkaErrorCode(rawValue: 6)
    public static let requestTimedOut = KafkaErrorCode(rawValue: 7)
    public static let brokerNotAvailable = KafkaErrorCode(rawValue: 8)
    public static let messageTooLarge = KafkaErrorCode(rawValue: 10)
    public static let coordinatorLoadInProgress = KafkaErrorCode(rawValue: 14)
    public static let coordinatorNotAvailable = KafkaErrorCode(rawValue: 15)
    public static let notCoordinator = KafkaErrorCode(rawValue: 16)
    /// acks=all and too few in-sync replicas: not written.
    public static let notEnoughReplicas = KafkaErrorCode(rawValue: 19)
    /// acks=all and the in-sync replicas became too few after the write: already written.
    public static let notEnoughReplicasAfterAppend = KafkaErrorCode(rawValue: 20)
    public static let illegalGeneration = KafkaErrorCode(rawValue: 22)
    public static let inconsistentGroupProtocol = KafkaErrorCode(rawValue: 23)
    public static let unknownMemberID = KafkaErrorCode(rawValue: 25)
    public static let invalidSessionTimeout = KafkaErrorCode(rawValue: 26)
    public static let rebalanceInProgress = KafkaErrorCode(rawValue: 27)
    public static let topicAlreadyExists = KafkaErrorCode(rawValue: 36)
    public static let invalidPartitions = KafkaErrorCode(rawValue: 37)
    public static let invalidReplicationFactor = KafkaErrorCode(rawValue: 38)
    public static let notController = KafkaErrorCode(rawValue: 41)
    public static let invalidRequest = KafkaErrorCode(rawValue: 42)
    public static let outOfOrderSequenceNumber = KafkaErrorCode(rawValue: 45)
    public static let duplicateSequenceNumber = KafkaErrorCode(rawValue: 46)
    public static let invalidProducerEpoch = KafkaErrorCode(rawValue: 47)
    public static let invalidTransactionState = KafkaErrorCode(rawValue: 48)
    public static let invalidProducerIDMapping = KafkaErrorCode(rawValue: 49)
    public static let invalidTransactionTimeout = KafkaErrorCode(rawValue: 50)
    public static let concurrentTransactions = KafkaErrorCode(rawValue: 51)
    public static let transactionCoordinatorFenced = KafkaErrorCode(rawValue: 52)
    public static let unknownProducerID = KafkaErrorCode(rawValue: 59)
    public static let storageError = KafkaErrorCode(rawValue: 56)
    public static let fencedLeaderEpoch = KafkaErrorCode(rawValue: 74)
    public static let unknownLeaderEpoch = KafkaErrorCode(rawValue: 75)
    public static let memberIDRequired = KafkaErrorCode(rawValue: 79)
    public static let groupMaxSizeReached = KafkaErrorCode(rawValue: 81)
    public static let fencedInstanceID = KafkaErrorCode(rawValue: 82)
    public static let unstableOffsetCommit = KafkaErrorCode(rawValue: 88)
    public static let producerFenced = KafkaErrorCode(rawValue: 90)

    public var description: String { String(rawValue) }
}

/// Why an event log call failed, in terms of what the caller may conclude.
public struct EventLogError: Error, Hashable, Sendable {
    /// What is known of the effect of the call.
    public enum Outcome: Hashable, Sendable {
        /// It had no effect.
        case noEffect
        /// It took effect although it failed (for example error 20).
        case tookEffect
        /// It may have taken effect, or may still (for example a batch past its delivery timeout).
        case unknown
    }

    public let code: KafkaErrorCode
    public let message: String
    public let outcome: Outcome
    /// The producer or consumer can do nothing more; close it and open another (fencing, out-of-order sequence).
    public let isFatal: Bool
    /// The transaction has to be aborted before anything else.
    public let requiresAbort: Bool

    public init(
        _ code: KafkaErrorCode, _ message: String, outcome: Outcome, isFatal: Bool = false, requiresAbort: Bool = false
    ) {
        self.code = code
        self.message = message
        self.outcome = outcome
        self.isFatal = isFatal
        self.requiresAbort = requiresAbort
    }
}

extension EventLogError: CustomStringConvertible {
    public var description: String {
        let effect =
            switch outcome {
            case .noEffect: "no effect"
            case .tookEffect: "took effect"
            case .unknown: "outcome unknown"
            }
        return "Kafka error \(code): \(message) (\(effect)\(isFatal ? ", fatal" : ""))"
    }
}
