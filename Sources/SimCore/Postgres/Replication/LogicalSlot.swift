import Ports

/// A logical replication slot. Source: PostgreSQL documentation, 49.2.2 and 54.19 (`pg_replication_slots`).
struct LogicalSlot {
    let name: String
    /// Numbers of the tables that it publishes, as flags.
    let publishes: ContiguousArray<Bool>
    /// Transactions whose commit record lies below are dealt with.
    var confirmedFlushLSN: LSN
    /// The oldest WAL that decoding may still need.
    var restartLSN: LSN
    /// What a crash leaves of the two: their values when the slot was last saved, which is when its restart position moved,
    /// or when the server was shut down in good order. A checkpoint alone saves nothing, since a confirmation that moves
    /// nothing else does not mark the slot as changed (src/backend/replication/logical/logical.c,
    /// `LogicalConfirmReceivedLocation`; slot.c, `CheckPointReplicationSlots`).
    private(set) var persistedConfirmedFlushLSN: LSN
    private(set) var persistedRestartLSN: LSN
    /// A restart position to be taken once the consumer has confirmed so far.
    var offeredRestart: RestartOffer?
    /// Records of running transactions before this number have been come by.
    var nextRecord: UInt64 = 0
    /// What the standby knows of it, when slots are synchronised.
    var synchronizedConfirmedLSN: LSN
    /// Session of the consumer; -1 for none.
    var consumer = -1
    /// Transactions that may still be sent.
    var credit = 0
    /// Decoded transactions before this number have been sent, or need not be.
    var nextNumber: UInt64 = 0
    /// Its WAL was removed.
    var isLost = false

    struct RestartOffer {
        var validFrom: LSN
        var restartLSN: LSN
    }

    init(name: String, publishes: ContiguousArray<Bool>, at position: LSN, restartLSN: LSN) {
        self.name = name
        self.publishes = publishes
        confirmedFlushLSN = position
        self.restartLSN = restartLSN
        persistedConfirmedFlushLSN = position
        persistedRestartLSN = restartLSN
        synchronizedConfirmedLSN = position
    }

    /// Writes the slot to disk.
    mutating func save() {
        persistedConfirmedFlushLSN = confirmedFlushLSN
        persistedRestartLSN = restartLSN
    }

    /// Goes back to what is on disk, and no further than `end`.
    mutating func restore(upTo end: LSN) {
        confirmedFlushLSN = min(persistedConfirmedFlushLSN, end)
        restartLSN = min(persistedRestartLSN, end)
        releaseConsumer()
    }

    mutating func releaseConsumer() {
        consumer = -1
        credit = 0
        offeredRestart = nil
    }

    func isPublished(_ table: Int32) -> Bool { Int(table) < publishes.count && publishes[Int(table)] }
}

/// A committed transaction that some slot may still hand out, reduced to the tables that are published.
struct DecodedTransaction {
    var commit: PostgresCommitRecord
}

/// What all slots have still to hand out, in commit order. Shared by them, each with its own place in it.
struct DecodedLog {
    private var transactions = FIFOQueue<DecodedTransaction>()
    /// Number of the first that is kept; numbers grow by one.
    private(set) var firstNumber: UInt64 = 0

    var endNumber: UInt64 { firstNumber + UInt64(transactions.count) }
    var count: Int { transactions.count }

    subscript(number: UInt64) -> DecodedTransaction { transactions[Int(number - firstNumber)] }

    mutating func append(_ transaction: DecodedTransaction) { transactions.append(transaction) }

    /// The number of the first transaction whose commit record lies at or after `position`. Logarithmic.
    func firstNumber(from position: LSN) -> UInt64 {
        var low = 0
        var high = transactions.count
        while low < high {
            let middle = (low + high) / 2
            if transactions[middle].commit.commitLSN < position { low = middle + 1 } else { high = middle }
        }
        return firstNumber + UInt64(low)
    }

    /// Forgets what no slot can be asked for again: what commits below `position`.
    mutating func release(below position: LSN) {
        while let first = transactions.first, first.commit.commitLSN < position {
            _ = transactions.removeFirst()
            firstNumber += 1
        }
    }

    /// Forgets what lies at or after `position`, which is no more.
    mutating func truncate(from position: LSN) {
        while transactions.count > 0, transactions[transactions.count - 1].commit.endLSN > position {
            _ = transactions.removeLast()
        }
    }
}
