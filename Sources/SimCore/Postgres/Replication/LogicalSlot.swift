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
    /// What a crash leaves of the two: their values at the last checkpoint.
    var persistedConfirmedFlushLSN: LSN
    var persistedRestartLSN: LSN
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

    init(name: String, publishes: ContiguousArray<Bool>, at position: LSN) {
        self.name = name
        self.publishes = publishes
        confirmedFlushLSN = position
        restartLSN = position
        persistedConfirmedFlushLSN = position
        persistedRestartLSN = position
        synchronizedConfirmedLSN = position
    }

    func isPublished(_ table: Int32) -> Bool { Int(table) < publishes.count && publishes[Int(table)] }
}

/// A committed transaction that some slot may still hand out, reduced to the tables that are published.
struct DecodedTransaction {
    var commit: PostgresCommitRecord
    /// First record of the oldest transaction that was open when this one committed.
    var oldestOpenLSN: LSN
}

/// What all slots have still to hand out, in commit order. Shared by them, each with its own place in it.
struct DecodedLog {
    private var transactions = PostgresQueue<DecodedTransaction>()
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
