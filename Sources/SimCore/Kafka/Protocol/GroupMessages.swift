package import Ports

/// A member's subscription as its group's leader sees it (ConsumerProtocolSubscription).
package struct MemberSubscription: Hashable, Sendable {
    package var topics: [String]
    /// Partitions it owns now (KIP-429), believed only as far as ``generation`` is the newest.
    package var owned: [PartitionID]
    package var generation: Int32
}

package struct JoinGroupRequest: Sendable {
    package let group: String
    /// Empty for a member that has no id yet.
    package let memberID: String
    package let instanceID: String?
    package let clientID: String
    package let sessionTimeout: Nanoseconds
    /// The consumer's `max.poll.interval.ms`: how long a rebalance waits for it.
    package let rebalanceTimeout: Nanoseconds
    /// In order of preference.
    package let protocols: [AssignmentStrategy]
    package let subscription: MemberSubscription
}

package struct GroupMemberDescription: Sendable {
    package let id: String
    package let instanceID: String?
    package let subscription: MemberSubscription
}

package struct JoinGroupResponse: Sendable {
    package var error: KafkaErrorCode
    package var generation: Int32
    package var protocolName: AssignmentStrategy?
    package var leader: String
    package var memberID: String
    /// For the leader only: who there is to assign to.
    package var members: [GroupMemberDescription]
    /// A static leader that came back in a stable group: it need not assign again (KIP-814).
    package var skipsAssignment: Bool

    static func failed(_ error: KafkaErrorCode, memberID: String) -> JoinGroupResponse {
        JoinGroupResponse(
            error: error, generation: -1, protocolName: nil, leader: "", memberID: memberID, members: [],
            skipsAssignment: false)
    }
}

package struct MemberAssignment: Sendable {
    package let memberID: String
    package let partitions: [PartitionID]
}

package struct SyncGroupRequest: Sendable {
    package let group: String
    package let memberID: String
    package let instanceID: String?
    package let generation: Int32
    /// From the leader: everybody's; otherwise empty.
    package let assignments: [MemberAssignment]
}

package struct HeartbeatRequest: Sendable {
    package let group: String
    package let memberID: String
    package let instanceID: String?
    package let generation: Int32
}

package struct LeaveGroupRequest: Sendable {
    package let group: String
    package let memberID: String
    package let instanceID: String?
}

/// An offset to be committed.
package struct PartitionOffset: Hashable, Sendable {
    package let partition: PartitionID
    package let offset: Int64
}

package struct OffsetCommitRequest: Sendable {
    package let group: String
    package let memberID: String
    package let instanceID: String?
    /// -1 outside any generation.
    package let generation: Int32
    package let offsets: [PartitionOffset]
}

package struct OffsetFetchRequest: Sendable {
    package let group: String
    /// `nil`: all that the group has.
    package let partitions: [PartitionID]?
    /// Answers 88 while a transaction's offsets are pending (KIP-447).
    package let requiresStable: Bool
}
