import Ports

/// A transaction whose commit record is in the WAL.
struct PostgresCommitRecord {
    var transactionID: UInt64
    /// LSN of its first record.
    var firstLSN: LSN
    var commitLSN: LSN
    var endLSN: LSN
    var committedAt: Instant
    var changes: ContiguousArray<LoggedChange>
}
