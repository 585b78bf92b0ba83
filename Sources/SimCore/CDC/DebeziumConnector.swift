import Ports

/// A Debezium PostgreSQL connector's task with the part of its Connect worker that stores offsets, as a state machine: rows
/// and transactions in, records with their offsets out. It does no IO and has no clock of its own.
///
/// Sources: Debezium documentation, "Debezium connector for PostgreSQL"; Kafka documentation, Connect (`offset.flush.*`).
struct DebeziumConnector: Sendable {
    enum Phase: Hashable, Sendable {
        case snapshotNeeded, snapshotting
        /// Looks for the place in the stream where it was.
        case searching
        case streaming
    }

    let format: ChangeEventFormat
    private let router: OutboxEventRouter?
    private(set) var phase: Phase
    /// That of the last event or commit that was read.
    private(set) var offset: ConnectorOffset
    /// That of the last record of which it and all before are acknowledged, until it is stored.
    private var unstored: ConnectorOffset?
    /// Complaints since they were last taken.
    private var complaints: [String] = []

    // Snapshot.
    private var snapshotSource: ChangeEventFormat.Source?

    // Streaming.
    private var search: PositionSearch?
    /// What was read while the place was looked for.
    private var readAgain: [CommittedTransaction] = []
    /// Events before this LSN are left out.
    private var resumeFrom: LSN?
    private var lastHeartbeat: Instant?

    var settings: DebeziumSettings { format.settings }

    /// - Parameters:
    ///   - stored: the offset in Connect's topic; `nil` when there is none.
    ///   - runID: names this start of the task.
    init(_ settings: DebeziumSettings, stored: ConnectorOffset?, runID: String) {
        format = ChangeEventFormat(settings: settings, runID: runID)
        router = settings.outboxRouter.map { OutboxEventRouter(settings: $0) }
        offset = stored ?? ConnectorOffset()
        let isSnapshotDone = stored.map { $0.snapshot != .running } ?? false
        if isSnapshotDone {
            offset.snapshot = .none
            phase = .streaming
            beginSearch()
        } else if settings.snapshotMode == .noData {
            phase = .streaming
        } else {
            // An interrupted snapshot begins again.
            offset = ConnectorOffset()
            phase = .snapshotNeeded
        }
    }

    /// Checks that the slot still has what the stored offset needs.
    ///
    /// - Parameters:
    ///   - slot: what the slot has confirmed; `nil` when there is none and it has to be created.
    ///   - current: the server's position.
    /// - Throws: ``DebeziumError/offsetNoLongerAvailable(stored:slot:)``, unless a snapshot may be taken instead.
    mutating func checkSlot(confirmed slot: LSN?, current: LSN) throws(DebeziumError) {
        guard phase == .searching, let stored = offset.commitLSN ?? offset.processedLSN else { return }
        let position = slot ?? current
        guard position > stored else { return }
        guard settings.snapshotMode == .whenNeeded else {
            throw .offsetNoLongerAvailable(stored: stored, slot: position)
        }
        offset = ConnectorOffset()
        search = nil
        phase = .snapshotNeeded
    }

    /// Where the slot is asked to begin.
    var startLSN: LSN? { offset.processedLSN ?? offset.lsn }

    mutating func takeComplaints() -> [String] {
        defer { complaints = [] }
        return complaints
    }

    // MARK: Snapshot

    /// The snapshot's transaction is open.
    ///
    /// - Parameters:
    ///   - position: of the slot that was created with it, or else of the log.
    ///   - transactionID: the newest that the snapshot could see.
    ///   - at: the database's time.
    mutating func beginSnapshot(position: LSN, transactionID: UInt64, at: Instant) {
        precondition(phase == .snapshotNeeded, "a snapshot is begun in phase \(phase)")
        phase = .snapshotting
        snapshotSource = ChangeEventFormat.Source(lsn: position, transactionID: transactionID, at: at)
        offset.lsn = position
        offset.transactionID = transactionID
        offset.timestampMicroseconds = format.microseconds(at)
        offset.snapshot = .running
    }

    /// Rows of one table, in the order in which they were read.
    ///
    /// - Parameter place: the numbers of the first and the last row among all rows of the snapshot, and of the table.
    mutating func snapshotRows(
        _ rows: ArraySlice<Row>, of table: Table, isFirstTable: Bool, isLastTable: Bool, rowCount: Int, now: Instant
    ) throws(DebeziumError) -> [SourceRecord] {
        guard var source = snapshotSource, phase == .snapshotting else {
            preconditionFailure("rows of a snapshot that was not begun")
        }
        var records: [SourceRecord] = []
        for index in rows.indices {
            let isLast = index == rowCount - 1
            source.snapshot =
                if isLast && isLastTable {
                    "last"
                } else if index == 0 && isFirstTable {
                    "first"
                } else if isLast {
                    "last_in_data_collection"
                } else if index == 0 {
                    "first_in_data_collection"
                } else {
                    "true"
                }
            if isLast && isLastTable { offset.snapshot = .complete }
            let row = rows[index]
            if let router {
                let record = try router.route(row, table, contextHeaders: format.contextHeaders)
                records.append(SourceRecord(record: record, offset: offset))
                continue
            }
            let value = format.envelope(
                before: .null, after: format.document(row, table), source, table, transaction: nil, operation: "r",
                now: now)
            records.append(
                SourceRecord(
                    record: format.record(table, key: format.key(row, table), value: value), offset: offset))
        }
        return records
    }

    /// All rows are produced: from here on the slot is streamed, from where the snapshot was taken.
    mutating func finishSnapshot() {
        precondition(phase == .snapshotting, "a snapshot ends in phase \(phase)")
        offset.snapshot = .none
        snapshotSource = nil
        phase = .streaming
    }

    // MARK: Streaming

    private mutating func beginSearch() {
        guard let position = startLSN else { return }
        phase = .searching
        search = PositionSearch(lastCommit: offset.commitLSN, lastEvent: position, lastMessageType: offset.messageType)
    }

    /// The records of a committed transaction; none yet while the place is looked for.
    ///
    /// - Throws: ``DebeziumError/unexpectedOutboxRow(_:)``
    mutating func receive(_ transaction: CommittedTransaction, now: Instant) throws(DebeziumError) -> [SourceRecord] {
        guard phase == .searching else {
            var records: [SourceRecord] = []
            try append(transaction, to: &records, now: now)
            return records
        }
        readAgain.append(transaction)
        guard let found = lookFor(transaction) else { return [] }
        resumeFrom = found
        phase = .streaming
        search = nil
        let again = readAgain
        readAgain = []
        var records: [SourceRecord] = []
        for transaction in again { try append(transaction, to: &records, now: now) }
        return records
    }

    private mutating func lookFor(_ transaction: CommittedTransaction) -> LSN? {
        let start = transaction.changes.first?.lsn ?? transaction.commitLSN
        let messages =
            [PositionSearch.Message.begin(start)] + transaction.changes.map { .change($0.lsn) }
            + [.commit(transaction.endLSN)]
        for message in messages {
            if let found = search?.look(at: message) { return found }
        }
        return nil
    }

    /// Whether what stands at an LSN was processed before the restart.
    private mutating func isLeftOut(_ lsn: LSN) -> Bool {
        guard let resumeFrom else { return false }
        if lsn == resumeFrom {
            self.resumeFrom = nil
            return false
        }
        return true
    }

    private mutating func append(
        _ transaction: CommittedTransaction, to records: inout [SourceRecord], now: Instant
    ) throws(DebeziumError) {
        let start = transaction.changes.first?.lsn ?? transaction.commitLSN
        let id = "\(transaction.transactionID):\(start.rawValue)"
        if !isLeftOut(start) { appendTransactionRecord("BEGIN", id, start, transaction, nil, to: &records) }
        var counts: [(table: String, count: Int64)] = []
        for (index, change) in transaction.changes.enumerated() {
            // The first change stands where BEGIN does.
            if index > 0 ? isLeftOut(change.lsn) : resumeFrom != nil { continue }
            move(to: change.lsn, transaction, messageType(change.change))
            try append(change, transaction, id, &counts, to: &records, now: now)
        }
        if isLeftOut(transaction.endLSN) { return }
        offset.processedLSN = transaction.endLSN
        offset.commitLSN = transaction.endLSN
        let endID = "\(transaction.transactionID):\(transaction.endLSN.rawValue)"
        appendTransactionRecord("END", endID, transaction.endLSN, transaction, counts, to: &records)
    }

    private mutating func move(to lsn: LSN, _ transaction: CommittedTransaction, _ messageType: String) {
        offset.lsn = lsn
        offset.processedLSN = lsn
        offset.transactionID = transaction.transactionID
        offset.timestampMicroseconds = format.microseconds(transaction.committedAt)
        offset.messageType = messageType
    }

    private func messageType(_ change: RowChange) -> String {
        switch change {
        case .insert: "INSERT"
        case .update: "UPDATE"
        case .delete: "DELETE"
        }
    }

    private mutating func appendTransactionRecord(
        _ status: String, _ id: String, _ lsn: LSN, _ transaction: CommittedTransaction,
        _ counts: [(table: String, count: Int64)]?, to records: inout [SourceRecord]
    ) {
        guard settings.providesTransactionMetadata else { return }
        move(to: lsn, transaction, status == "BEGIN" ? "BEGIN" : "COMMIT")
        let record = format.transactionRecord(status, id: id, counts: counts, at: transaction.committedAt)
        records.append(SourceRecord(record: record, offset: offset))
    }

    private mutating func append(
        _ change: ChangeEvent, _ transaction: CommittedTransaction, _ id: String,
        _ counts: inout [(table: String, count: Int64)], to records: inout [SourceRecord], now: Instant
    ) throws(DebeziumError) {
        guard let table = settings.tables.first(where: { $0.name == change.table }) else { return }
        if let router {
            try route(change, table, router, to: &records)
            return
        }
        let source = ChangeEventFormat.Source(
            lastCommitLSN: offset.commitLSN, lsn: change.lsn, transactionID: transaction.transactionID,
            at: transaction.committedAt)
        for event in events(of: change.change, table) {
            let place = count(event, in: table, id, &counts)
            let value = format.envelope(
                before: event.before, after: event.after, source, table, transaction: place,
                operation: event.operation, now: now)
            let record = format.record(table, key: event.key, value: value, headers: event.headers)
            records.append(SourceRecord(record: record, offset: offset))
            if event.operation == "d", settings.emitsTombstones {
                let tombstone = format.record(table, key: event.key, value: nil, headers: event.headers)
                records.append(SourceRecord(record: tombstone, offset: offset))
            }
        }
    }

    private func count(
        _ event: RowEvent, in table: Table, _ id: String, _ counts: inout [(table: String, count: Int64)]
    ) -> ChangeEventFormat.TransactionPlace? {
        guard settings.providesTransactionMetadata else { return nil }
        var index = counts.firstIndex { $0.table == table.name }
        if index == nil {
            counts.append((table.name, 0))
            index = counts.count - 1
        }
        counts[index!].count += 1
        let total = counts.reduce(0) { $0 + $1.count }
        return ChangeEventFormat.TransactionPlace(id: id, totalOrder: total, collectionOrder: counts[index!].count)
    }

    /// One change event of a changed row.
    private struct RowEvent {
        var operation: String
        var key: JSONValue
        var before: JSONValue
        var after: JSONValue
        var headers: [RecordHeader] = []
    }

    /// A changed key is a delete of the old row and a create of the new one, each naming the other.
    private func events(of change: RowChange, _ table: Table) -> [RowEvent] {
        switch change {
        case .insert(let row):
            return [
                RowEvent(
                    operation: "c", key: format.key(row, table), before: .null, after: format.document(row, table))
            ]
        case .update(nil, let row):
            return [
                RowEvent(
                    operation: "u", key: format.key(row, table), before: .null, after: format.document(row, table))
            ]
        case .update(let old?, let row):
            let (oldKey, newKey) = (format.key(old, table), format.key(row, table))
            return [
                RowEvent(
                    operation: "d", key: oldKey, before: format.keyDocument(old, table), after: .null,
                    headers: [RecordHeader("__debezium.newkey", DocumentText.compact(newKey))]),
                RowEvent(
                    operation: "c", key: newKey, before: .null, after: format.document(row, table),
                    headers: [RecordHeader("__debezium.oldkey", DocumentText.compact(oldKey))]),
            ]
        case .delete(let old):
            return [
                RowEvent(
                    operation: "d", key: format.key(old, table), before: format.keyDocument(old, table), after: .null)
            ]
        }
    }

    private mutating func route(
        _ change: ChangeEvent, _ table: Table, _ router: OutboxEventRouter, to records: inout [SourceRecord]
    ) throws(DebeziumError) {
        switch change.change {
        case .insert(let row):
            let record = try router.route(row, table, contextHeaders: format.contextHeaders)
            records.append(SourceRecord(record: record, offset: offset))
        case .update(nil, let row):
            if case .refused(let text) = try router.refuseUpdate(format.key(row, table)) { complaints.append(text) }
        case .update(_?, let row):
            // It arrives as a delete and a create.
            let record = try router.route(row, table, contextHeaders: format.contextHeaders)
            records.append(SourceRecord(record: record, offset: offset))
        case .delete: break
        }
    }

    // MARK: Heartbeats

    /// Whether a heartbeat is due; asked after each poll.
    mutating func takeHeartbeat(now: Instant) -> SourceRecord? {
        guard settings.heartbeatInterval > .zero, phase == .streaming else { return nil }
        if let last = lastHeartbeat, now - last < settings.heartbeatInterval { return nil }
        defer { lastHeartbeat = now }
        // The interval counts from the beginning of streaming.
        guard lastHeartbeat != nil else { return nil }
        return SourceRecord(record: format.heartbeat(now: now), offset: offset)
    }

    // MARK: Offsets

    /// Records up to and including one with this offset are acknowledged by Kafka.
    mutating func acknowledged(_ offset: ConnectorOffset) { unstored = offset }

    /// What there is to store when offsets are flushed; `nil` when nothing was acknowledged since.
    mutating func takeOffsetToStore() -> ConnectorOffset? {
        defer { unstored = nil }
        return unstored
    }

    /// What may be confirmed to the slot once an offset is stored: whole transactions only.
    static func confirmable(_ stored: ConnectorOffset) -> LSN? { stored.commitLSN ?? stored.processedLSN }
}
