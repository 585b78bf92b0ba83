import Ports
import SimCore

/// The snapshot that a connector takes of what was there before it.
enum ConnectorSnapshotCases {
    static let all: [ContractCase] = [
        readsRows, markers, markersOfTables, emptyTable, handover, notAgain, againWithoutOffset, againAfterCrash,
        noData,
        deletedMeanwhile,
    ]

    private static let readsRows = ContractCase.debezium(
        "snapshot/op-r", "A first start reads the rows that are there as events with op r, then streams"
    ) { stage in
        try await stage.connector.start()
        _ = try await stage.changes(2)
        try await stage.write(Fixtures.insert(3, 30))
        let records = try await stage.changes(3)
        try expect(records.map(\.summary), equals: ["r 1", "r 2", "c 3"], "events")
        let first = records[0].event
        try expect(first["before"], equals: .null, "before")
        try expect(first["after"], equals: .members(["id": 1, "value": 10]), "after")
        try expect(first["transaction"], equals: .null, "transaction")
    }

    private static func snapshotMarks(_ records: [ConsumerRecord]) -> [String?] {
        records.map { $0.event["source"]?["snapshot"]?.stringValue }
    }

    private static let markers = ContractCase.debezium(
        "snapshot/markers", "source.snapshot says which rows are the first and the last of a snapshot; then it is false"
    ) { stage in
        try await stage.write(Fixtures.insert(3, 30), Fixtures.insert(4, 40))
        try await stage.connector.start()
        _ = try await stage.changes(4)
        try await stage.write(Fixtures.insert(5, 50))
        let records = try await stage.changes(5)
        try expect(snapshotMarks(records), equals: ["first", "true", "true", "last", "false"], "marks")
        let positions = Set(records.prefix(4).map { $0.event["source"]?["lsn"]?.integerValue })
        try expect(positions.count, equals: 1, "positions of a snapshot's rows")
    }

    private static let markersOfTables = ContractCase.debezium(
        "snapshot/markers-of-tables", "With several tables, the first and last rows of each are told apart",
        options: ConnectorOptions(tables: [Fixtures.stock, Fixtures.test])
    ) { stage in
        try await stage.write(
            Fixtures.insertStock(1, "a"), Fixtures.insertStock(2, "b"), Fixtures.insertStock(3, "c"),
            Fixtures.insert(3, 30))
        try await stage.connector.start()
        let stock = try await stage.changes(3, of: Fixtures.stock)
        let test = try await stage.changes(3)
        try expect(snapshotMarks(stock), equals: ["first", "true", "last_in_data_collection"], "marks of stock")
        try expect(snapshotMarks(test), equals: ["first_in_data_collection", "true", "last"], "marks of test")
    }

    private static let emptyTable = ContractCase.debezium(
        "snapshot/empty", "An empty table gives no events of a snapshot, and is streamed all the same",
        options: ConnectorOptions(tables: [Fixtures.stock])
    ) { stage in
        try await stage.connector.start()
        try await stage.clock.sleep(for: ConnectorStage.quietSpan)
        try await stage.write(Fixtures.insertStock(1, "a"))
        let records = try await stage.changes(1, of: Fixtures.stock)
        try expect(records[0].operation, equals: "c", "operation")
    }

    private static let handover = ContractCase.debezium(
        "snapshot/handover",
        "What is committed while the snapshot is taken comes once: in the snapshot, or in the stream after it"
    ) { stage in
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await stage.connector.start() }
            for id in 3...62 as ClosedRange<Int64> {
                try await stage.write(Fixtures.insert(id, 0))
                try await stage.clock.sleep(for: .milliseconds(20))
            }
            try await group.waitForAll()
        }
        let records = try await stage.changes(62)
        let ids = records.compactMap { $0.event["after"]?["id"]?.integerValue }
        try expect(ids, equals: Array(1...62), "ids, each once and in order")
    }

    private static let notAgain = ContractCase.debezium(
        "snapshot/not-again", "A connector that is stopped in good order and started again takes no snapshot"
    ) { stage in
        try await stage.connector.start()
        _ = try await stage.changes(2)
        try await stage.connector.stop()
        try await stage.connector.start()
        try await stage.write(Fixtures.insert(3, 30))
        let records = try await stage.changes(3)
        try expect(records.map(\.summary), equals: ["r 1", "r 2", "c 3"], "events")
    }

    private static let againWithoutOffset = ContractCase.debezium(
        "snapshot/again-without-offset", "A connector whose offset is gone takes its snapshot again: rows come twice"
    ) { stage in
        try await stage.connector.start()
        _ = try await stage.changes(2)
        try await stage.connector.stop()
        try await stage.connector.forgetOffset()
        try await stage.connector.start()
        let records = try await stage.changes(4)
        try expect(records.map(\.summary), equals: ["r 1", "r 2", "r 1", "r 2"], "events")
    }

    private static let againAfterCrash = ContractCase.debezium(
        "snapshot/again-after-crash",
        "A worker that dies before it has flushed the offset of its snapshot takes it again"
    ) { stage in
        try await stage.connector.start()
        _ = try await stage.changes(2)
        try await stage.connector.crash()
        try await stage.connector.start()
        let records = try await stage.changes(4)
        try expect(records.map(\.summary), equals: ["r 1", "r 2", "r 1", "r 2"], "events")
    }

    private static let noData = ContractCase.debezium(
        "snapshot/no-data", "With snapshot.mode=no_data nothing of what was there before is read",
        options: ConnectorOptions(snapshotMode: .noData)
    ) { stage in
        try await stage.connector.start()
        try await stage.clock.sleep(for: ConnectorStage.quietSpan)
        try await stage.write(Fixtures.insert(3, 30))
        let records = try await stage.changes(1)
        try expect(records.map(\.summary), equals: ["c 3"], "events")
    }

    private static let deletedMeanwhile = ContractCase.debezium(
        "snapshot/deleted-meanwhile",
        "A snapshot that is taken again does not show what was deleted before it: no event tells of the delete"
    ) { stage in
        try await stage.connector.start()
        _ = try await stage.changes(2)
        try await stage.connector.stop()
        try await stage.connector.forgetOffset()
        try await stage.write(Fixtures.delete(1))
        try await stage.connector.start()
        let records = try await stage.changes(3)
        try expect(records.map(\.summary), equals: ["r 1", "r 2", "r 2"], "events")
    }
}
