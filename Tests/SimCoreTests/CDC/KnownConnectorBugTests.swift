import Ports
import Testing

@testable import SimCore

/// Where connectors have gone wrong in public, and what the modelled one does there.
struct KnownConnectorBugTests {
    private static let table = Table("item", columns: [.column("id", .int64)], primaryKey: ["id"])

    private static func settings(_ change: (inout DebeziumSettings) -> Void = { _ in }) -> DebeziumSettings {
        var settings = DebeziumSettings(connectorName: "c", topicPrefix: "p", slotName: "s", tables: [table])
        change(&settings)
        return settings
    }

    /// A transaction that inserts a row at each of these positions; a row's id is its place among them, from `firstID` on.
    private static func transaction(_ id: UInt64, _ positions: [UInt64], firstID: Int64, end: UInt64)
        -> CommittedTransaction
    {
        CommittedTransaction(
            transactionID: id, commitLSN: LSN(end - 1), endLSN: LSN(end), committedAt: .epoch,
            changes: positions.enumerated().map { index, lsn in
                ChangeEvent(
                    table: table.name, change: .insert(new: Row([.int64(firstID + Int64(index))])), lsn: LSN(lsn))
            })
    }

    private static func stored(
        event: UInt64, processed: UInt64? = nil, commit: UInt64, messageType: String? = "INSERT"
    ) -> ConnectorOffset {
        var offset = ConnectorOffset()
        offset.lsn = LSN(event)
        offset.processedLSN = LSN(processed ?? event)
        offset.commitLSN = LSN(commit)
        offset.messageType = messageType
        return offset
    }

    /// The ids of the rows whose events a connector with that offset makes of what the slot hands out again.
    private static func ids(
        after offset: ConnectorOffset, _ transactions: [CommittedTransaction],
        _ settings: DebeziumSettings = settings()
    ) throws -> [Int64] {
        var connector = DebeziumConnector(settings, stored: offset, runID: "1")
        var ids: [Int64] = []
        for transaction in transactions {
            for record in try connector.receive(transaction, now: .epoch) {
                if let id = record.record.value?.json?["after"]?["id"]?.integerValue { ids.append(id) }
            }
        }
        return ids
    }

    @Test(
        "DBZ-5915, DBZ-6204: BEGIN shares the first change's LSN, and a restart leaves out what was processed and no more",
        arguments: [(100, [2, 3]), (110, [3]), (120, [])] as [(UInt64, [Int64])])
    func beginSharesPosition(event: UInt64, expected: [Int64]) throws {
        let transaction = Self.transaction(7, [100, 110, 120], firstID: 1, end: 140)
        let next = Self.transaction(8, [150], firstID: 9, end: 170)
        let found = try Self.ids(after: Self.stored(event: event, commit: 90), [transaction, next])
        #expect(found == expected + [9])
    }

    @Test("DBZ-6204: a connector that stopped after BEGIN gets the whole transaction again")
    func stoppedAfterBegin() throws {
        let transaction = Self.transaction(7, [100, 110], firstID: 1, end: 140)
        let offset = Self.stored(event: 100, commit: 90, messageType: "BEGIN")
        #expect(try Self.ids(after: offset, [transaction]) == [1, 2])
    }

    @Test("dbz#1554: rows that share an LSN are taken or left as a whole")
    func rowsShareAPosition() throws {
        let transaction = Self.transaction(7, [100, 110, 110, 120], firstID: 1, end: 140)
        #expect(try Self.ids(after: Self.stored(event: 110, commit: 90), [transaction]) == [4])
        #expect(try Self.ids(after: Self.stored(event: 100, commit: 90), [transaction]) == [2, 3, 4])
    }

    @Test("risingwave#22369: events that were committed later come, though their LSNs lie below the last one's")
    func laterTransactionLiesBelow() throws {
        let first = Self.transaction(7, [150], firstID: 1, end: 200)
        let second = Self.transaction(6, [100, 110], firstID: 2, end: 300)
        #expect(try Self.ids(after: Self.stored(event: 150, commit: 90), [first, second]) == [2, 3])
    }

    @Test("DBZ-5739: a slot made anew behind the stored offset fails the task, or has a snapshot taken when_needed")
    func slotMadeAnew() throws {
        let offset = Self.stored(event: 150, processed: 200, commit: 200)
        var failing = DebeziumConnector(Self.settings(), stored: offset, runID: "1")
        #expect(throws: DebeziumError.offsetNoLongerAvailable(stored: LSN(200), slot: LSN(500))) {
            try failing.checkSlot(confirmed: nil, current: LSN(500))
        }
        var snapshotting = DebeziumConnector(
            Self.settings { $0.snapshotMode = .whenNeeded }, stored: offset, runID: "1")
        try snapshotting.checkSlot(confirmed: nil, current: LSN(500))
        #expect(snapshotting.phase == .snapshotNeeded)
        var going = DebeziumConnector(Self.settings(), stored: offset, runID: "1")
        try going.checkSlot(confirmed: LSN(200), current: LSN(500))
        #expect(going.phase == .searching)
    }

    @Test("DBZ-2288: what was committed after the snapshot is streamed, and only rows from before it are in it")
    func streamingAfterSnapshot() throws {
        var connector = DebeziumConnector(Self.settings(), stored: nil, runID: "1")
        connector.beginSnapshot(position: LSN(100), transactionID: 5, at: .epoch)
        let rows = [Row([.int64(1)])]
        let snapshot = try connector.snapshotRows(
            rows[...], of: Self.table, isFirstTable: true, isLastTable: true, rowCount: 1, now: .epoch)
        #expect(snapshot.count == 1)
        connector.finishSnapshot()
        // It began before the snapshot and committed after it: its change lies below the snapshot's position.
        let streamed = try connector.receive(Self.transaction(4, [90], firstID: 2, end: 130), now: .epoch)
        #expect(streamed.count == 1)
    }
}
