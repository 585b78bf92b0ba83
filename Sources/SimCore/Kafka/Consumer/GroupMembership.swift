import Ports

/// A consumer's place in its group (AbstractCoordinator, ConsumerCoordinator).
struct GroupMembership: Sendable {
    enum State: Sendable {
        case unjoined
        /// JoinGroup or SyncGroup is under way.
        case joining
        /// An assignment has come that the application has not been told of.
        case assigned([PartitionID])
        case stable
    }

    let group: String
    var topics: [String]
    var state: State = .unjoined
    var memberID = ""
    var generation: Int32 = -1
    /// Who it was in the last generation that it was part of: what its offsets in a transaction are fenced by, also when
    /// the group has gone on without it (ConsumerCoordinator.groupMetadata).
    var lastGeneration: (memberID: String, number: Int32) = ("", -1)
    var coordinator: NodeID?
    var isFindingCoordinator = false
    /// The group rebalances, or the subscription changed: the next poll joins again.
    var needsRejoin = true
    /// The application has given up what it must before joining.
    var isPrepared = false
    /// Membership ended without a word: what was owned is lost.
    var hasLostPartitions = false
    var retryAt: Instant?
    var nextHeartbeatAt: Instant?
    var isHeartbeatInFlight = false
    /// When the coordinator last showed that it counts on this member.
    var lastHeartbeatAt: Instant = .epoch
    var lastPollAt: Instant
    /// Partition counts that a leader's assignment went by.
    var assignedPartitionCounts: [Int32] = []
    var isLeader = false

    init(group: String, topics: [String], now: Instant) {
        self.group = group
        self.topics = topics
        lastPollAt = now
    }

    /// Whether commits may be made in a generation's name.
    var isInGeneration: Bool {
        switch state {
        case .stable, .assigned: generation >= 0
        case .unjoined, .joining: false
        }
    }

    /// Forgets the membership: the group has gone on without this member.
    mutating func reset(keepsMemberID: Bool = false) {
        state = .unjoined
        generation = -1
        if !keepsMemberID { memberID = "" }
        needsRejoin = true
        isPrepared = false
        hasLostPartitions = true
        nextHeartbeatAt = nil
    }
}
