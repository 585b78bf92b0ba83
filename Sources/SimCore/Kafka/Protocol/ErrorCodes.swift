package import Ports

/// Codes of org.apache.kafka.common.protocol.Errors that stay inside a cluster or its clients.
extension KafkaErrorCode {
    package static let invalidGroupID = KafkaErrorCode(rawValue: 24)
    package static let unsupportedVersion = KafkaErrorCode(rawValue: 35)
    package static let fetchSessionIDNotFound = KafkaErrorCode(rawValue: 70)
    package static let staleBrokerEpoch = KafkaErrorCode(rawValue: 77)
    package static let preferredLeaderNotAvailable = KafkaErrorCode(rawValue: 80)
    package static let eligibleLeadersNotAvailable = KafkaErrorCode(rawValue: 83)
    package static let electionNotNeeded = KafkaErrorCode(rawValue: 84)
    package static let invalidUpdateVersion = KafkaErrorCode(rawValue: 95)
    package static let duplicateBrokerRegistration = KafkaErrorCode(rawValue: 101)
    package static let brokerIDNotRegistered = KafkaErrorCode(rawValue: 102)
    package static let ineligibleReplica = KafkaErrorCode(rawValue: 107)

    /// The client's own codes, with librdkafka's numbers (rd_kafka_resp_err_t).
    package static let transport = KafkaErrorCode(rawValue: -195)
    package static let messageTimedOut = KafkaErrorCode(rawValue: -192)
    package static let unknownPartition = KafkaErrorCode(rawValue: -190)
    package static let requestTimedOutLocally = KafkaErrorCode(rawValue: -185)
    package static let wrongState = KafkaErrorCode(rawValue: -172)
    package static let purgedFromQueue = KafkaErrorCode(rawValue: -152)
    package static let noOffset = KafkaErrorCode(rawValue: -168)

    /// Errors after which a client looks for the leader or coordinator again and repeats the request.
    var isRetriable: Bool {
        switch self {
        case .corruptMessage, .unknownTopicOrPartition, .leaderNotAvailable, .notLeaderOrFollower, .requestTimedOut,
            .brokerNotAvailable, .coordinatorLoadInProgress, .coordinatorNotAvailable, .notCoordinator,
            .notEnoughReplicas, .notEnoughReplicasAfterAppend, .notController, .concurrentTransactions,
            .storageError, .fencedLeaderEpoch, .unknownLeaderEpoch, .unstableOffsetCommit, .transport,
            .requestTimedOutLocally, .fetchSessionIDNotFound:
            true
        default:
            false
        }
    }

    /// Errors that say the client's picture of who leads what is old.
    var invalidatesMetadata: Bool {
        switch self {
        case .unknownTopicOrPartition, .leaderNotAvailable, .notLeaderOrFollower, .fencedLeaderEpoch,
            .unknownLeaderEpoch, .storageError, .transport, .requestTimedOutLocally, .brokerNotAvailable:
            true
        default:
            false
        }
    }
}
