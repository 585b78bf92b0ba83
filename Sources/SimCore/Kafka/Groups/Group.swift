import Ports

/// A member of a group as its coordinator sees it.
struct GroupMember: Sendable {
    var id: String
    let instanceID: String?
    let clientID: String
    var sessionTimeout: Nanoseconds
    var rebalanceTimeout: Nanoseconds
    /// Assignment strategies it knows, best first.
    var protocols: [AssignmentStrategy]
    var subscription: MemberSubscription
    var assignment: [PartitionID] = []
    /// Its JoinGroup, while the rebalance waits for others.
    var awaitingJoin: ResponseHandle?
    /// Its SyncGroup, while the leader's is missing.
    var awaitingSync: ResponseHandle?
    /// Has sent its SyncGroup in this generation.
    var hasSynced = false
    var heartbeatDeadline: Instant
}

/// The states of a classic group.
enum GroupState: String, Sendable {
    /// No members; offsets may remain.
    case empty
    /// Waits for its members to join again.
    case preparingRebalance
    /// Waits for the leader's assignment.
    case completingRebalance
    case stable
}

/// A consumer group (classic protocol).
struct Group: Sendable {
    let id: String
    let partition: PartitionID
    private(set) var state: GroupState = .empty
    var stateChangedAt: Instant
    var generation: Int32 = 0
    var protocolName: AssignmentStrategy?
    /// `false` for a name under which offsets were committed without any member.
    var hasHadMembers = false
    var leaderID: String?
    /// In the order in which they joined.
    var members: [GroupMember] = []
    /// Member ids that were handed out and not joined with yet, until then.
    var pendingMembers: [(id: String, deadline: Instant)] = []
    /// When the rebalance no longer waits.
    var joinDeadline: Instant?
    /// Time left for further members in the first rebalance of an empty group; `nil` in any other.
    var initialDelayRemaining: Nanoseconds?
    var hasNewMember = false
    /// When members that have not sent SyncGroup are dropped.
    var syncDeadline: Instant?
    /// The leader's assignment is being written.
    var isStoringAssignment = false
    /// Topics of the last generation; what expiry of offsets goes by.
    var subscribedTopics: [String] = []
    /// Sorted by partition.
    var offsets: [(partition: PartitionID, value: OffsetAndTimestamp)] = []
    /// Offsets in transactions that have no marker yet.
    var pendingTransactions: [(producerID: Int64, offsets: [(PartitionID, OffsetAndTimestamp)])] = []

    init(id: String, partition: PartitionID, now: Instant) {
        self.id = id
        self.partition = partition
        stateChangedAt = now
    }

    mutating func move(to state: GroupState, now: Instant) {
        self.state = state
        stateChangedAt = now
    }

    mutating func restore(state: GroupState) { self.state = state }

    func memberIndex(_ id: String) -> Int? { members.firstIndex { $0.id == id } }
    func memberIndex(instanceID: String) -> Int? { members.firstIndex { $0.instanceID == instanceID } }

    var rebalanceTimeout: Nanoseconds { members.map(\.rebalanceTimeout).max() ?? .zero }

    func offset(of partition: PartitionID) -> OffsetAndTimestamp? {
        let index = lowerBound(partition)
        return index < offsets.count && offsets[index].partition == partition ? offsets[index].value : nil
    }

    mutating func setOffset(of partition: PartitionID, _ value: OffsetAndTimestamp?) {
        let index = lowerBound(partition)
        let exists = index < offsets.count && offsets[index].partition == partition
        switch (exists, value) {
        case (true, let value?): offsets[index].value = value
        case (true, nil): offsets.remove(at: index)
        case (false, let value?): offsets.insert((partition, value), at: index)
        case (false, nil): break
        }
    }

    private func lowerBound(_ partition: PartitionID) -> Int {
        var low = 0
        var high = offsets.count
        while low < high {
            let middle = (low + high) / 2
            if offsets[middle].partition < partition { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The strategy that all members know and most of them like best (GroupMetadata.selectProtocol).
    func selectProtocol() -> AssignmentStrategy? {
        guard let first = members.first else { return nil }
        let common = first.protocols.filter { candidate in members.allSatisfy { $0.protocols.contains(candidate) } }
        let votes = common.map { candidate in
            members.count { member in member.protocols.first { common.contains($0) } == candidate }
        }
        guard let most = votes.max(), let winner = votes.firstIndex(of: most) else { return nil }
        return common[winner]
    }

    /// Checks who asks: 82 for a fenced instance, 25 for a stranger.
    func check(memberID: String, instanceID: String?) -> KafkaErrorCode {
        if let instanceID {
            guard let index = memberIndex(instanceID: instanceID) else { return .unknownMemberID }
            return members[index].id == memberID ? .none : .fencedInstanceID
        }
        return memberIndex(memberID) != nil ? .none : .unknownMemberID
    }

    func snapshot() -> GroupSnapshot {
        GroupSnapshot(
            generation: generation, protocolName: protocolName, leaderID: leaderID,
            members: members.map {
                GroupSnapshot.Member(
                    id: $0.id, instanceID: $0.instanceID, sessionTimeout: $0.sessionTimeout,
                    rebalanceTimeout: $0.rebalanceTimeout, subscription: $0.subscription, assignment: $0.assignment)
            }, stateChangedAt: stateChangedAt)
    }
}
