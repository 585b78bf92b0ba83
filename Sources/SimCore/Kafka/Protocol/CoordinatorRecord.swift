package import Ports

/// The key of a record in `__consumer_offsets` or `__transaction_state`: what compaction keeps the last value of.
package enum CoordinatorKey: Hashable, Sendable {
    case offset(group: String, partition: PartitionID)
    case group(String)
    case transaction(transactionalID: String)
}

/// The value of a record in an internal topic.
package enum CoordinatorValue: Sendable {
    case offset(OffsetAndTimestamp)
    case group(GroupSnapshot)
    case transaction(TransactionSnapshot)
}

/// A record of an internal topic; without a value it is a tombstone.
package struct CoordinatorRecord: Sendable {
    package let key: CoordinatorKey
    package let value: CoordinatorValue?

    /// About how many bytes it takes: the figure that segments and fetches are measured in.
    var estimatedByteCount: Int {
        switch value {
        case .group(let snapshot): 64 + snapshot.members.count * 128
        case .transaction(let snapshot): 96 + snapshot.partitions.count * 8
        case .offset, .none: 64
        }
    }
}

/// A committed offset with the time of the commit, from which it expires.
package struct OffsetAndTimestamp: Hashable, Sendable {
    package let offset: Int64
    package let committedAt: Instant
}

/// A group's last stable generation, as a new coordinator finds it.
package struct GroupSnapshot: Sendable {
    struct Member: Sendable {
        let id: String
        let instanceID: String?
        let sessionTimeout: Nanoseconds
        let rebalanceTimeout: Nanoseconds
        let subscription: MemberSubscription
        let assignment: [PartitionID]
    }

    let generation: Int32
    let protocolName: AssignmentStrategy?
    let leaderID: String?
    let members: [Member]
    /// When the group's state last changed: an empty group's offsets expire counted from here (KIP-211).
    let stateChangedAt: Instant
}

/// The state of a transactional id.
enum TransactionState: String, Sendable {
    case empty, ongoing, prepareCommit, prepareAbort, completeCommit, completeAbort
    /// Expired: its id is being removed.
    case dead
    /// Timed out, or its producer is being fenced by a newer one: aborted under a bumped epoch.
    case prepareEpochFence
}

/// A transactional id's state as the transaction log keeps it.
package struct TransactionSnapshot: Sendable {
    var producer: ProducerIdentity
    /// The identity before the last bump of the id itself; `none` unless the epochs ran out.
    var lastProducerEpoch: Int16
    var timeout: Nanoseconds
    var state: TransactionState
    var partitions: [PartitionID]
    var startedAt: Instant
    var updatedAt: Instant
}
