import Ports

/// INSERT ... ON CONFLICT.
enum OnConflictCases {
    static let all: [ContractCase] = [
        doNothingSkips, doNothingWaitsAndSkips, doNothingWaitsAndInserts, doNothingRepeatableRead,
        doNothingWithinStatement,
        doNothingOtherKey, doNothingAnyKey, doUpdate, doUpdateCondition, doUpdateWaits, doUpdateUnseen,
        doUpdateRepeatableRead, doUpdateTwice, doUpdateOtherKey, doUpdateIncrementsAtomically, doNothingTakesNoLock,
        doNothingOnLocked, doNothingOnChanged,
    ]

    private static func insert(
        _ id: Int64, _ value: Int64, _ action: ConflictAction, returning: Bool = true
    ) -> Statement {
        .insert(
            Insert(into: Fixtures.test, rows: [[.int64(id), .int64(value)]], onConflict: action, returning: returning))
    }
    private static let doNothing = ConflictAction.doNothing(key: Fixtures.test.primaryKey)
    private static let overwrite = ConflictAction.doUpdate(
        key: Fixtures.test.primaryKey, assignments: [.setExcluded(Fixtures.value)], condition: [])
    private static let addTen = ConflictAction.doUpdate(
        key: Fixtures.test.primaryKey, assignments: [.increment(Fixtures.value, by: 10)], condition: [])

    private static let doNothingSkips = ContractCase.postgres(
        "on-conflict/do-nothing", "DO NOTHING leaves the existing row alone, counts no row and returns none"
    ) { stage, _ in
        let a = try await stage.session("A")
        let result = try await a.run(insert(1, 99, doNothing), insert(3, 30, doNothing))
        try expect(result[0].affectedRowCount, equals: 0, "rows of the skipped insert")
        try expect(result[0].rows, equals: [], "rows returned by the skipped insert")
        try expect(result[1].rows.map(\.values), equals: [[3, 30]], "rows returned by the other")
        try expect(try await a.value(1), equals: 10, "row 1")
    }

    private static let doNothingWaitsAndSkips = ContractCase.postgres(
        "on-conflict/do-nothing-rival-commits", "DO NOTHING waits for an uncommitted rival, and skips when it commits"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.insert(3, 30))
        let rival = b.start(insert(3, 31, doNothing))
        try await rival.mustWait()
        try await a.commit()
        try expect(try await rival.value()[0].affectedRowCount, equals: 0, "rows that B inserted")
        try await b.commit()
    }

    private static let doNothingWaitsAndInserts = ContractCase.postgres(
        "on-conflict/do-nothing-rival-rolls-back",
        "DO NOTHING waits for an uncommitted rival, and inserts when it rolls back"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.insert(3, 30))
        let rival = b.start(insert(3, 31, doNothing))
        try await rival.mustWait()
        try await a.rollback()
        try expect(try await rival.value()[0].rows.map(\.values), equals: [[3, 31]], "rows that B inserted")
        try await b.commit()
    }

    private static let doNothingRepeatableRead = ContractCase.postgres(
        "on-conflict/do-nothing-unseen",
        "REPEATABLE READ: DO NOTHING on a row that the snapshot does not show fails with 40001"
    ) { stage, _ in
        let a = try await stage.session("A", .repeatableRead)
        try expect(try await a.value(3), equals: nil, "A's snapshot")
        let b = try await stage.session("B")
        try await b.run(Fixtures.insert(3, 30))
        try await a.mustFail(.serializationFailure, insert(3, 31, doNothing))
    }

    private static let doNothingWithinStatement = ContractCase.postgres(
        "on-conflict/do-nothing-within-statement",
        "DO NOTHING skips the second of two rows with one key in one statement"
    ) { stage, _ in
        let a = try await stage.session("A")
        let result = try await a.run(
            .insert(
                Insert(
                    into: Fixtures.test, rows: [[3, 30], [3, 31], [4, 40]], onConflict: doNothing, returning: true)))
        try expect(result[0].rows.map(\.values), equals: [[3, 30], [4, 40]], "rows inserted")
        try expect(result[0].affectedRowCount, equals: 2, "count")
    }

    private static let doNothingOtherKey = ContractCase.postgres(
        "on-conflict/do-nothing-other-key", "DO NOTHING for one key does not forgive a violation of another"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(Fixtures.insertStock(1, "x"))
        let byID = ConflictAction.doNothing(key: Fixtures.stock.primaryKey)
        let error = try await a.mustFail(
            .uniqueViolation, .insert(Insert(into: Fixtures.stock, rows: [[2, "x", 0, nil]], onConflict: byID)))
        try expect(error.constraint, equals: "stock_code_key", "constraint")
    }

    private static let doNothingAnyKey = ContractCase.postgres(
        "on-conflict/do-nothing-any-key", "DO NOTHING without a key forgives every unique key"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(Fixtures.insertStock(1, "x"))
        let result = try await a.run(
            .insert(
                Insert(
                    into: Fixtures.stock, rows: [[2, "x", 0, nil], [1, "y", 0, nil], [3, "z", 0, nil]],
                    onConflict: .doNothing(key: nil))))
        try expect(result[0].affectedRowCount, equals: 1, "rows inserted")
    }

    private static let doUpdate = ContractCase.postgres(
        "on-conflict/do-update", "DO UPDATE changes the existing row with what was to be inserted, and returns it"
    ) { stage, _ in
        let a = try await stage.session("A")
        let result = try await a.run(insert(1, 99, overwrite), insert(3, 30, overwrite), insert(2, 0, addTen))
        try expect(result.map { $0.rows.map(\.values) }, equals: [[[1, 99]], [[3, 30]], [[2, 30]]], "rows returned")
        try expect(result.map(\.affectedRowCount), equals: [1, 1, 1], "counts")
    }

    private static let doUpdateCondition = ContractCase.postgres(
        "on-conflict/do-update-condition",
        "DO UPDATE whose condition is false changes nothing, counts no row and returns none"
    ) { stage, _ in
        let a = try await stage.session("A")
        let ifLess = ConflictAction.doUpdate(
            key: Fixtures.test.primaryKey, assignments: [.setExcluded(Fixtures.value)],
            condition: [Fixtures.value < 15])
        let result = try await a.run(insert(1, 99, ifLess), insert(2, 99, ifLess))
        try expect(result.map { $0.rows.map(\.values) }, equals: [[[1, 99]], []], "rows returned")
        try expect(result.map(\.affectedRowCount), equals: [1, 0], "counts")
    }

    private static let doUpdateWaits = ContractCase.postgres(
        "on-conflict/do-update-rival", "DO UPDATE waits for an uncommitted rival, and updates its row when it commits"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.insert(3, 30))
        let rival = b.start(insert(3, 0, addTen))
        try await rival.mustWait()
        try await a.commit()
        try expect(try await rival.value()[0].rows.map(\.values), equals: [[3, 40]], "the row that B updated")
        try await b.commit()
    }

    private static let doUpdateUnseen = ContractCase.postgres(
        "on-conflict/do-update-newest", "READ COMMITTED: DO UPDATE changes the newest version, changed while it waited"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.set(1, 15))
        let update = b.start(insert(1, 0, addTen))
        try await update.mustWait()
        try await a.commit()
        try expect(try await update.value()[0].rows.map(\.values), equals: [[1, 25]], "the row that B updated")
        try await b.commit()
    }

    private static let doUpdateRepeatableRead = ContractCase.postgres(
        "on-conflict/do-update-unseen",
        "REPEATABLE READ: DO UPDATE of a row that the snapshot does not show fails with 40001"
    ) { stage, _ in
        let a = try await stage.session("A", .repeatableRead)
        try expect(try await a.value(3), equals: nil, "A's snapshot")
        let b = try await stage.session("B")
        try await b.run(Fixtures.insert(3, 30))
        try await a.mustFail(.serializationFailure, insert(3, 31, overwrite))
    }

    private static let doUpdateTwice = ContractCase.postgres(
        "on-conflict/do-update-twice", "DO UPDATE that would touch one row twice fails with 21000"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.mustFail(
            .cardinalityViolation,
            .insert(Insert(into: Fixtures.test, rows: [[1, 11], [1, 12]], onConflict: overwrite)))
        try expect(try await a.value(1), equals: 10, "row 1")
    }

    private static let doUpdateOtherKey = ContractCase.postgres(
        "on-conflict/do-update-other-key", "DO UPDATE for one key fails with 23505 on another"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(Fixtures.insertStock(1, "x"), Fixtures.insertStock(2, "y"))
        let byCode = ConflictAction.doUpdate(
            key: Fixtures.stock.uniqueKeys[0], assignments: [.setExcluded(Fixtures.stockID)], condition: [])
        let error = try await a.mustFail(
            .uniqueViolation, .insert(Insert(into: Fixtures.stock, rows: [[2, "x", 0, nil]], onConflict: byCode)))
        try expect(error.constraint, equals: "stock_pkey", "constraint")
    }

    private static let doUpdateIncrementsAtomically = ContractCase.postgres(
        "on-conflict/do-update-concurrent", "Many concurrent DO UPDATE increments of one new row lose none"
    ) { stage, _ in
        var steps: [Step<[StatementResult]>] = []
        for index in 0..<6 {
            let session = try await stage.session("S\(index)")
            steps.append(session.start(insert(3, 10, addTen)))
        }
        for step in steps { try await step.value() }
        let reader = try await stage.session("R")
        try expect(try await reader.value(3), equals: 60, "six times ten")
    }

    private static let doNothingOnLocked = ContractCase.postgres(
        "on-conflict/do-nothing-locked", "DO NOTHING does not wait for who has only locked the existing row"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.read(1, lock: .forUpdate))
        try expect(try await b.run(insert(1, 99, doNothing))[0].affectedRowCount, equals: 0, "rows that B inserted")
        try await a.commit()
        try await b.commit()
    }

    private static let doNothingOnChanged = ContractCase.postgres(
        "on-conflict/do-nothing-changed",
        "DO NOTHING waits for a transaction that is changing the existing row, then skips"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let insertion = b.start(insert(1, 99, doNothing))
        try await insertion.mustWait()
        try await a.commit()
        try expect(try await insertion.value()[0].affectedRowCount, equals: 0, "rows that B inserted")
        try await b.commit()
    }

    private static let doNothingTakesNoLock = ContractCase.postgres(
        "on-conflict/do-nothing-no-lock", "DO NOTHING takes no lock on the existing row"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await b.run(insert(1, 99, doNothing))
        try await a.run(Fixtures.set(1, 12))
        try await a.commit()
        try await b.commit()
    }
}
