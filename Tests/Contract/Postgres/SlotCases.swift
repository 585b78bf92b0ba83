import Ports

/// What logical decoding hands out, and in which form.
enum SlotCases {
    static let all: [ContractCase] = [
        commitOrder, abortedNever, wholeInOrder, openNotYet, onlyItsTables, updateForms, withoutEffect, onConflict,
        beforeCreation, creationWaits, everyType, largeTransaction, emptyAfterTimeout, maximum, durableOnly,
        separateCommits, sameRowTwice, multiRowStatement, callsAreTotallyOrdered,
    ]

    private static let commitOrder = ContractCase.slot(
        "commit-order",
        "Transactions come in the order of their commits; a change may lie below another's that committed earlier"
    ) { stage, server in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.insert(3, 30))
        try await b.run(Fixtures.insert(4, 40))
        try await b.commit()
        try await a.commit()
        let found = try await Slots.consume(server) { try await $0.collect(2) }
        try expect(found.rowChanges, equals: [[.inserted(4, 40)], [.inserted(3, 30)]], "changes, B's first")
        try expect(found[0].commitLSN < found[1].commitLSN, "commit LSNs grow")
        try expect(found[0].endLSN > found[0].commitLSN, "a transaction ends after its commit record")
        try expect(found[1].changes[0].lsn < found[0].changes[0].lsn, "the later transaction's change lies lower")
        try expect(found[0].transactionID != found[1].transactionID, "transaction ids differ")
    }

    private static let abortedNever = ContractCase.slot("aborted", "Aborted transactions are never handed out") {
        stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.insert(3, 30))
        try await a.rollback()
        try await a.mustFail(.uniqueViolation, Fixtures.insert(4, 40), Fixtures.insert(1, 0))
        try await a.run(Fixtures.insert(5, 50))
        let found = try await Slots.consume(server) { try await $0.collect(2, timeout: .milliseconds(500)) }
        try expect(found.rowChanges, equals: [[.inserted(5, 50)]], "changes")
    }

    private static let wholeInOrder = ContractCase.slot(
        "whole", "A transaction is handed out whole, its changes in the order in which it made them"
    ) { stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.insert(3, 30), Fixtures.set(1, 11))
        let b = try await stage.session("B")
        try await b.run(Fixtures.set(2, 21))
        try await a.run(Fixtures.delete(3), Fixtures.set(1, 12))
        try await a.commit()
        let found = try await Slots.consume(server) { try await $0.collect(2) }
        try expect(
            found.rowChanges,
            equals: [[.updated(2, 21)], [.inserted(3, 30), .updated(1, 11), .deleted(3), .updated(1, 12)]], "changes")
    }

    private static let openNotYet = ContractCase.slot(
        "open-transaction", "An open transaction is not handed out before it commits"
    ) { stage, server in
        try await Slots.consume(server) { stream in
            let a = try await stage.session("A", .readCommitted)
            try await a.run(Fixtures.insert(3, 30))
            try await stream.mustBeQuiet()
            try await a.commit()
            try expect(try await stream.collect(1).rowChanges, equals: [[.inserted(3, 30)]], "changes")
        }
    }

    private static let onlyItsTables = ContractCase.slot(
        "tables", "Changes of other tables are left out, and transactions of nothing else altogether"
    ) { stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.insertStock(1, "x"), Fixtures.insert(3, 30), Fixtures.insertStock(2, "y"))
        try await a.commit()
        try await a.run(Fixtures.insertStock(3, "z"))
        try await a.run(Fixtures.insert(4, 40))
        let found = try await Slots.consume(server) { try await $0.collect(3, timeout: .milliseconds(500)) }
        try expect(found.rowChanges, equals: [[.inserted(3, 30)], [.inserted(4, 40)]], "changes")
        try expect(found.flatMap { $0.changes.map(\.table) }, equals: ["test", "test"], "tables")
    }

    private static let updateForms = ContractCase.slot(
        "old-rows", "An update shows the old key only when it changed the key; a delete shows the key and nothing else"
    ) { stage, server in
        let a = try await stage.session("A")
        try await a.run(Fixtures.set(1, 11))
        try await a.run(.update(Update(Fixtures.test, set: [.set(Fixtures.id, 7)], where: [Fixtures.id == 1])))
        try await a.run(Fixtures.delete(7))
        let found = try await Slots.consume(server) { try await $0.collect(3) }
        try expect(
            found.rowChanges,
            equals: [[.updated(1, 11)], [.update(oldKey: Row([1, nil]), new: Row([7, 11]))], [.deleted(7)]], "changes")
    }

    private static let withoutEffect = ContractCase.slot(
        "no-op-update", "An update to the same value is a change; a statement that found no row is none"
    ) { stage, server in
        let a = try await stage.session("A")
        try await a.run(Fixtures.set(99, 0))
        try await a.run(Fixtures.set(1, 10))
        let found = try await Slots.consume(server) { try await $0.collect(2, timeout: .milliseconds(500)) }
        try expect(found.rowChanges, equals: [[.updated(1, 10)]], "changes")
    }

    private static let onConflict = ContractCase.slot(
        "on-conflict", "ON CONFLICT shows what it did: an update, an insert, or nothing"
    ) { stage, server in
        let key = Fixtures.test.primaryKey
        let upsert = ConflictAction.doUpdate(key: key, assignments: [.setExcluded(Fixtures.value)], condition: [])
        let a = try await stage.session("A")
        try await a.run(.insert(Insert(into: Fixtures.test, rows: [[1, 99]], onConflict: .doNothing(key: key))))
        try await a.run(.insert(Insert(into: Fixtures.test, rows: [[1, 11], [3, 30]], onConflict: upsert)))
        let found = try await Slots.consume(server) { try await $0.collect(2, timeout: .milliseconds(500)) }
        try expect(found.rowChanges, equals: [[.updated(1, 11), .inserted(3, 30)]], "changes")
    }

    private static let beforeCreation = ContractCase.postgres(
        "slots/before-creation", "What was committed before the slot was created is not handed out"
    ) { stage, server in
        let a = try await stage.session("A")
        try await a.run(Fixtures.insert(3, 30))
        try await server.changeStreams.createSlot(Slots.name, tables: ["test"])
        try await a.run(Fixtures.insert(4, 40))
        let found = try await Slots.consume(server) { try await $0.collect(2, timeout: .milliseconds(500)) }
        try expect(found.rowChanges, equals: [[.inserted(4, 40)]], "changes")
    }

    private static let creationWaits = ContractCase.postgres(
        "slots/creation-waits", "Creating a slot waits for the transactions that are writing; theirs are not handed out"
    ) { stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.insert(3, 30))
        let b = try await stage.session("B")
        let creation = b.start { _ in try await server.changeStreams.createSlot(Slots.name, tables: ["test"]) }
        try await creation.mustWait(.milliseconds(400))
        try await a.commit()
        try await creation.value()
        try await a.run(Fixtures.insert(4, 40))
        let found = try await Slots.consume(server) { try await $0.collect(2, timeout: .milliseconds(500)) }
        try expect(found.rowChanges, equals: [[.inserted(4, 40)]], "changes")
    }

    private static let everyType = ContractCase.slot(
        "types", "Every type is handed out as it is stored", tables: ["every_type"]
    ) { stage, server in
        let rows: [[Value]] = [
            [
                1, -5, "text \u{1F600}", true, .uuid(UniqueID(high: 5, low: 6)),
                .timestamp(Instant(nanosecondsSinceEpoch: 1_795_361_297_622_123_000)),
                .json(.members(["a": [1, .decimal(unscaled: 150, scale: 2)]])), .bytes([0, 255]),
            ],
            [2, nil, nil, nil, nil, nil, nil, nil],
        ]
        let a = try await stage.session("A")
        try await a.run(.insert(Insert(into: Fixtures.everyType, rows: rows)))
        let found = try await Slots.consume(server) { try await $0.collect(1) }
        try expect(found.rowChanges, equals: [rows.map { .insert(new: Row($0)) }], "changes")
    }

    private static let largeTransaction = ContractCase.slot(
        "large", "A transaction of many rows is still handed out as one"
    ) { stage, server in
        let a = try await stage.session("A")
        let rows = (3...5_002).map { [Value.int64(Int64($0)), .int64(0)] }
        try await a.run(.insert(Insert(into: Fixtures.test, rows: rows)))
        let found = try await Slots.consume(server) { try await $0.collect(1) }
        try expect(found.map(\.changes.count), equals: [5_000], "changes in each transaction")
    }

    private static let emptyAfterTimeout = ContractCase.slot(
        "timeout", "When nothing was committed in time, nothing is handed out, without an error"
    ) { stage, server in
        try await Slots.consume(server) { stream in
            let before = stage.clock.monotonicNow
            try await stream.mustBeQuiet(.milliseconds(200))
            let waited = stage.clock.monotonicNow - before
            try expect(waited >= .milliseconds(190) && waited < .seconds(2), "it waited \(waited)")
        }
    }

    private static let maximum = ContractCase.slot(
        "maximum", "No more transactions are handed out at once than asked for"
    ) {
        stage, server in
        let a = try await stage.session("A")
        for id in 3...7 as ClosedRange<Int64> { try await a.run(Fixtures.insert(id, 0)) }
        try await Slots.consume(server) { stream in
            _ = try await stream.collect(1)
            try await stage.pause(.milliseconds(100))
            try expect(
                try await stream.next(maximumTransactions: 3, timeout: .seconds(5)).count, equals: 3, "at most 3")
            try expect(try await stream.next(maximumTransactions: 3, timeout: .seconds(5)).count, equals: 1, "the last")
        }
    }

    private static let durableOnly = ContractCase.slot(
        "flushed-only", "Only what is flushed is handed out: no crash can take back what a consumer has seen",
        options: DatabaseOptions(isSynchronousCommit: false)
    ) { stage, server in
        let a = try await stage.session("A")
        let seen = try await Slots.consume(server) { stream in
            for id in 3...100 as ClosedRange<Int64> { try await a.run(Fixtures.insert(id, 0)) }
            let seen = try await stream.next(maximumTransactions: 1_000, timeout: .milliseconds(20))
            try await server.crash()
            return seen
        }
        try await server.start()
        let b = try await stage.session("B")
        let left = try await b.all()
        for case .insert(let row) in seen.rowChanges.flatMap({ $0 }) {
            try expect(left[row.int64(Fixtures.id)] != nil, "row \(row.values) was handed out and is gone")
        }
    }

    private static let separateCommits = ContractCase.slot(
        "one-each", "Each statement outside a transaction is a transaction of its own; a pipeline of several is one"
    ) { stage, server in
        let a = try await stage.session("A")
        try await a.run(Fixtures.insert(3, 30))
        try await a.run(Fixtures.insert(4, 40), Fixtures.insert(5, 50))
        let found = try await Slots.consume(server) { try await $0.collect(2) }
        try expect(found.rowChanges, equals: [[.inserted(3, 30)], [.inserted(4, 40), .inserted(5, 50)]], "changes")
    }

    private static let sameRowTwice = ContractCase.slot(
        "same-row-twice", "Every change of a row is handed out, not only the last"
    ) {
        stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.add(1, to: 1), Fixtures.add(1, to: 1), Fixtures.delete(1), Fixtures.insert(1, 0))
        try await a.commit()
        let found = try await Slots.consume(server) { try await $0.collect(1) }
        try expect(
            found.rowChanges, equals: [[.updated(1, 11), .updated(1, 12), .deleted(1), .inserted(1, 0)]], "changes")
    }

    private static let multiRowStatement = ContractCase.slot(
        "multi-row", "A statement that changes several rows hands out one change for each"
    ) { stage, server in
        let a = try await stage.session("A")
        try await a.run(Fixtures.addToAll(1))
        let found = try await Slots.consume(server) { try await $0.collect(1) }
        try expect(found.rowChanges, equals: [[.updated(1, 11), .updated(2, 21)]], "changes")
    }

    private static let callsAreTotallyOrdered = ContractCase.slot(
        "concurrent-commits", "Concurrent commits are handed out once each, with growing commit LSNs"
    ) { stage, server in
        let steps = try await withSessions(stage, count: 6) { session, index in
            session.start { session in
                for round in 0..<10 {
                    _ = try await session.execute(Fixtures.insert(Int64(100 + index * 10 + round), 0))
                }
            }
        }
        for step in steps { try await step.value() }
        let found = try await Slots.consume(server) { try await $0.collect(61, timeout: .milliseconds(500)) }
        try expect(found.count, equals: 60, "transactions")
        for (earlier, later) in zip(found, found.dropFirst()) {
            try expect(earlier.commitLSN < later.commitLSN && earlier.endLSN <= later.commitLSN, "commit LSNs grow")
        }
    }

    private static func withSessions<Result>(
        _ stage: Stage, count: Int, _ body: (StageSession, Int) -> Result
    ) async throws -> [Result] {
        var results: [Result] = []
        for index in 0..<count { results.append(body(try await stage.session("S\(index)"), index)) }
        return results
    }
}
