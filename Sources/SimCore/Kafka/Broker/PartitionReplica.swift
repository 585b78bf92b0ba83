import Ports

/// What a leader knows of one follower.
struct RemoteReplica: Sendable {
    let node: NodeID
    /// What it fetched up to; -1 until it has fetched from this leader.
    var logEndOffset: Int64 = -1
    /// When it last had everything the leader had.
    var lastCaughtUpAt: Instant
    var lastFetchAt: Instant
    /// The leader's end when it last fetched: reaching it later still counts as caught up then.
    var leaderEndOffsetAtLastFetch: Int64 = 0
    /// Registration under which it last fetched.
    var brokerEpoch: Int64 = -1
    /// Member of the largest ISR that the controller may hold now: the high watermark waits for it.
    var isInMaximalISR: Bool

    /// Replica.isCaughtUp: at the leader's end, or there within the allowed lag.
    func isCaughtUp(leaderEndOffset: Int64, now: Instant, lagMaximum: Nanoseconds) -> Bool {
        logEndOffset == leaderEndOffset || now - lastCaughtUpAt <= lagMaximum
    }
}

/// A fetch session that has this partition in it.
struct FetchWatcher: Sendable {
    let connection: Int32
    let entry: Int32
    let isFollower: Bool
}

/// A produce request with acks=all that waits for this partition's high watermark.
struct WaitingProduce: Sendable {
    let requiredOffset: Int64
    let slot: Int32
    let serial: Int64
    let resultIndex: Int32
}

/// What a follower does for a partition now.
enum FollowerState: Sendable {
    /// Part of the fetcher's session.
    case fetching
    /// Waits for the leader's answer to OffsetsForLeaderEpoch (KIP-101).
    case awaitingEpochEnd
    /// After an error, until then.
    case delayed(until: Instant)
}

/// One replica of a partition on a broker: its log, and its part in the replication.
struct PartitionReplica: ~Copyable, Sendable {
    let id: PartitionID
    /// Which coordinator lives on this partition's leader, if any.
    let coordinator: CoordinatorKind?
    var log: PartitionLog
    var isLeader = false
    var leader: NodeID = .none
    var leaderEpoch: Int32 = -1
    var partitionEpoch: Int32 = -1
    var replicas: [NodeID] = []
    /// As the controller last confirmed it.
    var inSyncReplicas: [NodeID] = []
    /// The ISR that the controller has been asked for.
    var proposedInSyncReplicas: [NodeID]?
    /// Where this leader's epoch begins: a follower must be past it to join the ISR.
    var leaderEpochStartOffset: Int64 = 0
    var remotes: [RemoteReplica] = []
    var watchers: [FetchWatcher] = []
    /// Sorted by required offset.
    var waitingProduces: [WaitingProduce] = []
    var followerState: FollowerState = .fetching
    /// Queued for the fetcher's next request.
    var isDirty = false
    /// Position and epoch that the leader was last told: an answer to another one is not for this log any more.
    var toldOffset: Int64 = -1
    var toldLeaderEpoch: Int32 = -1

    init(id: PartitionID, coordinator: CoordinatorKind?, log: consuming PartitionLog) {
        self.id = id
        self.coordinator = coordinator
        self.log = log
    }

    /// The process has died: of what a broker knows of a partition, only the log is left.
    mutating func forgetAllButLog() {
        isLeader = false
        leader = .none
        leaderEpoch = -1
        partitionEpoch = -1
        replicas = []
        inSyncReplicas = []
        proposedInSyncReplicas = nil
        remotes = []
        watchers = []
        waitingProduces = []
        followerState = .fetching
        isDirty = false
        toldOffset = -1
        toldLeaderEpoch = -1
    }

    var effectiveMinimumInSyncReplicas: Int { min(log.configuration.minimumInSyncReplicas, max(replicas.count, 1)) }
    var isUnderMinimumISR: Bool { inSyncReplicas.count < effectiveMinimumInSyncReplicas }

    /// Larger of the confirmed and the proposed ISR (KIP-497): members of either hold the high watermark back.
    var maximalISRCount: Int { max(inSyncReplicas.count, proposedInSyncReplicas?.count ?? 0) }

    mutating func refreshMaximalISR() {
        for index in remotes.indices {
            let node = remotes[index].node
            remotes[index].isInMaximalISR =
                inSyncReplicas.contains(node) || (proposedInSyncReplicas?.contains(node) ?? false)
        }
    }

    /// Checks a client's or follower's idea of the leader epoch; -1 checks nothing.
    func check(leaderEpoch epoch: Int32) -> KafkaErrorCode {
        if epoch >= 0, epoch < leaderEpoch { return .fencedLeaderEpoch }
        if epoch > leaderEpoch { return .unknownLeaderEpoch }
        return isLeader ? .none : .notLeaderOrFollower
    }
}
