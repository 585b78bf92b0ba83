import Ports

/// Positions of the write-ahead log and what is not yet durable in it.
///
/// The log's content is the commit records, since recovery and decoding need only what was committed; records of
/// other kinds count by their size. Source: PostgreSQL documentation, chapter 30.
struct WriteAheadLog {
    /// A fresh cluster's first position, as initdb leaves it.
    static let start = LSN(0x0100_0000)

    /// Where the next record goes.
    private(set) var insertLSN = WriteAheadLog.start
    /// Durable up to here.
    private(set) var flushedLSN = WriteAheadLog.start
    /// What the running sync will make durable; `nil` when none runs.
    private(set) var syncTarget: LSN?
    /// Sessions that wait for a sync, in the order of their commit records.
    var committers = FIFOQueue<Int>()

    /// Adds a record of that size and returns its position.
    mutating func append(byteCount: Int) -> LSN {
        let position = insertLSN
        // Records are aligned to 8 bytes.
        insertLSN = LSN(position.rawValue + UInt64((byteCount + 7) & ~7))
        return position
    }

    /// Starts a sync of everything written, unless one runs or there is nothing to sync.
    mutating func startSync() -> LSN? {
        guard syncTarget == nil, flushedLSN < insertLSN else { return nil }
        syncTarget = insertLSN
        return insertLSN
    }

    mutating func finishSync(upTo position: LSN) {
        syncTarget = nil
        flushedLSN = max(flushedLSN, position)
    }

    /// Goes back to what survived a crash.
    mutating func truncate(to position: LSN) {
        insertLSN = position
        flushedLSN = position
        syncTarget = nil
        committers = FIFOQueue()
    }

    /// About what a row costs in a record.
    static func byteCount(_ values: [Value]) -> Int {
        var sum = 0
        for value in values {
            switch value {
            case .null: break
            case .int64, .timestamp: sum += 8
            case .bool: sum += 1
            case .uuid: sum += 16
            case .text(let text): sum += text.utf8.count + 4
            case .bytes(let bytes): sum += bytes.count + 4
            case .json(let document): sum += document.estimatedByteCount + 4
            }
        }
        return sum
    }

    // Fixed parts of records: header, block reference, tuple header. Source: src/include/access/{xlogrecord,heapam_xlog}.h
    static let insertByteCount = 54
    static let updateByteCount = 68
    static let deleteByteCount = 54
    static let lockByteCount = 54
    static let indexEntryByteCount = 64
    static let commitByteCount = 46
    static let abortByteCount = 34
    static let checkpointByteCount = 114
    static let runningTransactionsByteCount = 50
    /// `wal_segment_size`.
    static let segmentByteCount: UInt64 = 16 << 20
}
