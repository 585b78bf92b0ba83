import Ports

/// Who a consumer is within its group, for offsets that are committed in a transaction (KIP-447).
package struct ConsumerGroupMetadata: Hashable, Sendable {
    package let group: String
    package let memberID: String
    package let instanceID: String?
    package let generation: Int32
}

/// The client's side of transactions (TransactionManager).
struct ProducerTransaction: Sendable {
    enum State: Sendable {
        /// No producer id yet.
        case uninitialized
        case initializing
        /// Between transactions.
        case ready
        case open
        case committing
        case aborting
        /// Aborted; the coordinator is asked for another epoch before the next transaction.
        case bumpingEpoch
    }

    /// Offsets on their way into the transaction.
    struct PendingOffsets: Sendable {
        enum Stage: Sendable {
            case addGroup, findCoordinator, commit
        }

        let call: CallID
        let deadline: Instant
        let group: ConsumerGroupMetadata
        let offsets: [PartitionOffset]
        var stage: Stage = .addGroup
    }

    var state: State = .uninitialized
    var abortableError: EventLogError?
    /// The coordinator knows of something to end.
    var hasStarted = false
    var needsEpochBump = false
    var partitionsToAdd: [PartitionID] = []
    var pendingOffsets: PendingOffsets?
    var coordinator: NodeID?
    var groupCoordinator: (group: String, node: NodeID)?
    var isRequestInFlight = false
    var retryAt: Instant?
    /// Whoever waits for the initialisation or the end.
    var waiting: (call: CallID, deadline: Instant)?

    /// Nothing is under way that closing should wait for.
    var isSettled: Bool {
        switch state {
        case .uninitialized, .ready, .open: true
        case .initializing, .committing, .aborting, .bumpingEpoch: false
        }
    }

    func collectDeadlines(into earliest: inout EarliestDeadline) {
        earliest.consider(retryAt)
        earliest.consider(waiting?.deadline)
        earliest.consider(pendingOffsets?.deadline)
    }

    /// A failure that leaves nothing but to abort.
    mutating func fail(with error: EventLogError) {
        guard state == .open || state == .committing, abortableError == nil, !error.isFatal else { return }
        abortableError = EventLogError(
            error.code, "the transaction has to be aborted: \(error.message)", outcome: .noEffect,
            requiresAbort: true)
    }
}
