import Ports
import SimCore

/// Where a connector goes on: what it stores, what it confirms, and what comes again.
enum ConnectorRestartCases {
    static let all: [ContractCase] = [
        afterStop, afterCrash, afterCrashOnceMore, firstTransaction, withinTransaction, storedOffset,
        confirmedWhenStored,
        lastIsNotConfirmed,
        flushInterval, databaseCrash, slotLost, slotLostWhenNeeded, heartbeat, heartbeatAction,
    ]

    /// Starts the connector and sees it past its snapshot of two rows.
    private static func begin(_ stage: ConnectorStage) async throws {
        try await stage.connector.start()
        _ = try await stage.changes(2)
    }

    private static func summaries(_ stage: ConnectorStage, _ count: Int) async throws -> [String] {
        try await stage.changes(count).map(\.summary)
    }

    private static let afterStop = ContractCase.debezium(
        "restart/after-stop",
        "Stopped in good order and started again, a connector repeats nothing and leaves out nothing"
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insert(3, 0))
        try await stage.write(Fixtures.insert(4, 0))
        _ = try await stage.changes(4)
        try await stage.connector.stop()
        try await stage.write(Fixtures.insert(5, 0))
        try await stage.connector.start()
        try await stage.write(Fixtures.insert(6, 0))
        try expect(try await summaries(stage, 6), equals: ["r 1", "r 2", "c 3", "c 4", "c 5", "c 6"], "events")
    }

    private static let afterCrash = ContractCase.debezium(
        "restart/after-crash",
        "A worker that dies repeats everything since the last flush, in the same order: at least once"
    ) { stage in
        try await begin(stage)
        try await stage.connector.stop()
        try await stage.connector.start()
        try await stage.write(Fixtures.insert(3, 0))
        try await stage.write(Fixtures.insert(4, 0))
        _ = try await stage.changes(4)
        try await stage.connector.crash()
        try await stage.write(Fixtures.insert(5, 0))
        try await stage.connector.start()
        try expect(
            try await summaries(stage, 7), equals: ["r 1", "r 2", "c 3", "c 4", "c 3", "c 4", "c 5"], "events")
    }

    private static let afterCrashOnceMore = ContractCase.debezium(
        "restart/position-again", "An event that comes again has the position and the transaction that it had"
    ) { stage in
        try await begin(stage)
        try await stage.connector.stop()
        try await stage.connector.start()
        try await stage.write(Fixtures.insert(3, 0), Fixtures.set(3, 1))
        _ = try await stage.changes(4)
        try await stage.connector.crash()
        try await stage.connector.start()
        let records = try await stage.changes(6)
        let sources = records.map { $0.event["source"] ?? .null }
        for member in ["lsn", "txId", "ts_us"] {
            try expect(
                sources[4...5].map { $0[member] }, equals: sources[2...3].map { $0[member] }, "\(member) again")
        }
    }

    private static let withinTransaction = ContractCase.debezium(
        "restart/whole-transactions",
        "A stop after a large transaction repeats none of its events: the offset says which was the last"
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insert(600, 0))
        _ = try await stage.changes(3)
        let rows = (3...402 as ClosedRange<Int64>).map { [Value.int64($0), .int64(0)] }
        try await stage.write(.insert(Insert(into: Fixtures.test, rows: rows)))
        _ = try await stage.changes(403)
        try await stage.connector.stop()
        try await stage.connector.start()
        try await stage.write(Fixtures.insert(500, 0))
        let records = try await stage.changes(404)
        try expect(records.last?.summary, equals: "c 500", "the last event")
    }

    private static let firstTransaction = ContractCase.debezium(
        "restart/after-first-transaction",
        "A stop after the first transaction of all repeats nothing, though its offset has no commit to look for"
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insert(3, 0), Fixtures.insert(4, 0))
        _ = try await stage.changes(4)
        try await stage.connector.stop()
        try await stage.connector.start()
        try await stage.write(Fixtures.insert(5, 0))
        try expect(
            try await summaries(stage, 5), equals: ["r 1", "r 2", "c 3", "c 4", "c 5"], "events")
    }

    private static let storedOffset = ContractCase.debezium(
        "restart/stored-offset",
        "The stored offset has lsn, lsn_proc, lsn_commit, txId and ts_usec of the last event, and the commit before it"
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insert(3, 0))
        try await stage.write(Fixtures.insert(4, 0))
        let records = try await stage.changes(4)
        try await stage.connector.stop()
        guard let offset = try await stage.connector.storedOffset(), case .object(let members) = offset else {
            throw ContractFailure("no offset is stored")
        }
        try expect(
            members.map(\.name), equals: ["lsn_proc", "messageType", "lsn_commit", "lsn", "txId", "ts_usec"],
            "members")
        let source = records[3].event["source"] ?? .null
        try expect(offset["lsn"], equals: source["lsn"], "lsn")
        try expect(offset["lsn_proc"], equals: source["lsn"], "lsn_proc")
        try expect(offset["txId"], equals: source["txId"], "txId")
        try expect(offset["ts_usec"], equals: source["ts_us"], "ts_usec")
        try expect(offset["messageType"], equals: "INSERT", "messageType")
        let commit = offset["lsn_commit"]?.integerValue ?? -1
        try expect(
            source["sequence"], equals: .string("[\"\(commit)\",\"\(source["lsn"]?.integerValue ?? 0)\"]"), "sequence")
    }

    private static func confirmed(_ stage: ConnectorStage) async throws -> LSN {
        guard let slot = try await stage.server.changeStreams.slot(stage.connector.slotName) else {
            throw ContractFailure("the slot is not there")
        }
        return slot.confirmedFlushLSN
    }

    private static let confirmedWhenStored = ContractCase.debezium(
        "restart/confirmed-when-stored", "The slot's confirmed position moves when offsets are flushed, not before"
    ) { stage in
        try await begin(stage)
        try await stage.connector.stop()
        try await stage.connector.start()
        try await stage.write(Fixtures.insert(3, 0))
        try await stage.write(Fixtures.insert(4, 0))
        let records = try await stage.changes(4)
        let lsn = LSN(UInt64(records[2].event["source"]?["lsn"]?.integerValue ?? 0))
        try expect(try await confirmed(stage) <= lsn, "nothing of it is confirmed before the flush")
        try await stage.connector.stop()
        try await stage.clock.sleep(for: .seconds(1))
        try expect(try await confirmed(stage) > lsn, "it is confirmed after the flush")
    }

    private static let lastIsNotConfirmed = ContractCase.debezium(
        "restart/last-not-confirmed",
        "The last transaction is not confirmed until another event follows: its commit carries no offset of its own"
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insert(3, 0))
        try await stage.write(Fixtures.insert(4, 0))
        let records = try await stage.changes(4)
        try await stage.connector.stop()
        try await stage.clock.sleep(for: .seconds(1))
        let last = LSN(UInt64(records[3].event["source"]?["lsn"]?.integerValue ?? 0))
        try expect(try await confirmed(stage) <= last, "the last transaction is not confirmed")
    }

    private static let flushInterval = ContractCase.debezium(
        "restart/flush-interval", "Offsets are flushed every offset.flush.interval.ms without anybody asking"
    ) { stage in
        try await begin(stage)
        try await stage.write(Fixtures.insert(3, 0))
        try await stage.write(Fixtures.insert(4, 0))
        let records = try await stage.changes(4)
        try await stage.clock.sleep(for: stage.connector.offsetFlushInterval + .seconds(8))
        let lsn = LSN(UInt64(records[2].event["source"]?["lsn"]?.integerValue ?? 0))
        try expect(try await stage.connector.storedOffset()?["txId"] != nil, "an offset is stored")
        try expect(try await confirmed(stage) > lsn, "what was flushed is confirmed")
    }

    private static let databaseCrash = ContractCase.debezium(
        "restart/database-crash", "A crash of the database costs the connector nothing but time: it connects again"
    ) { stage in
        try await begin(stage)
        try await stage.connector.stop()
        try await stage.connector.start()
        try await stage.write(Fixtures.insert(3, 0))
        _ = try await stage.changes(3)
        try await stage.server.crash()
        try await stage.server.start()
        try await stage.write(Fixtures.insert(4, 0))
        let deadline = stage.clock.monotonicNow + ConnectorStage.patience
        var seen: [String] = []
        // What was not flushed comes again.
        while seen.last != "c 4" {
            try expect(stage.clock.monotonicNow < deadline, "the new event comes; seen are \(seen)")
            try await stage.clock.sleep(for: .milliseconds(200))
            seen = try await stage.connector.records(of: stage.connector.topic(of: Fixtures.test)).map(\.summary)
        }
        try expect(Set(seen), equals: ["r 1", "r 2", "c 3", "c 4"], "events, some of them again")
    }

    /// Stops the connector, and lets its slot be lost with what is written meanwhile.
    private static func loseSlot(_ stage: ConnectorStage) async throws {
        try await begin(stage)
        try await stage.write(Fixtures.insert(3, 0))
        try await stage.write(Fixtures.insert(4, 0))
        _ = try await stage.changes(4)
        try await stage.connector.stop()
        try await stage.server.changeStreams.dropSlot(stage.connector.slotName)
        try await stage.write(Fixtures.insert(5, 0))
        try await stage.connector.start()
    }

    private static let slotLost = ContractCase.debezium(
        "restart/slot-lost", "A connector whose slot is gone fails, rather than go on behind a gap"
    ) { stage in
        try await loseSlot(stage)
        try await stage.mustFail()
        _ = try await stage.changes(4)
    }

    private static let slotLostWhenNeeded = ContractCase.debezium(
        "restart/slot-lost-when-needed",
        "With snapshot.mode=when_needed a connector whose slot is gone takes a snapshot again",
        options: ConnectorOptions(snapshotMode: .whenNeeded)
    ) { stage in
        try await loseSlot(stage)
        try expect(
            try await summaries(stage, 9),
            equals: ["r 1", "r 2", "c 3", "c 4", "r 1", "r 2", "r 3", "r 4", "r 5"], "events")
    }

    private static let heartbeat = ContractCase.debezium(
        "heartbeat/record", "Heartbeats come on a topic of their own, with the connector's time",
        options: ConnectorOptions(heartbeatInterval: .milliseconds(500))
    ) { stage in
        try await begin(stage)
        let beats = try await stage.recordsOnceThere(stage.connector.heartbeatTopic, 2)
        try expect(beats[0].key, equals: "{\"serverName\":\"\(stage.connector.topicPrefix)\"}", "key")
        let times = beats.prefix(2).compactMap { $0.event["ts_ms"]?.integerValue }
        try expect(times.count == 2 && times[0] < times[1], "times that grow: \(times)")
    }

    private static let heartbeatAction = ContractCase.debezium(
        "heartbeat/action-query", "heartbeat.action.query writes with each heartbeat",
        options: ConnectorOptions(
            heartbeatInterval: .milliseconds(500),
            heartbeatAction: (Fixtures.add(1, to: 1), "UPDATE {schema}.test SET value = value + 1 WHERE id = 1"))
    ) { stage in
        try await stage.connector.start()
        let events = try await stage.recordsOnceThere(stage.connector.topic(of: Fixtures.test), 4)
        try expect(events[2...3].map(\.summary), equals: ["u 1", "u 1"], "events of the action")
    }
}
