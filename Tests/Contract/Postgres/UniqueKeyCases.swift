import Ports

/// Unique keys, and rivals that insert one at the same time.
enum UniqueKeyCases {
    static let all: [ContractCase] =
        [
            committedDuplicate, waitsThenViolates, waitsThenProceeds, inTheSnapshotOrNot, deletedRival,
            updateToDuplicate,
            nullsAreDistinct, rowByRow, compositeOrder, withinOneStatement, serializableChecked, serializableUnchecked,
            deadlockOfInserters, sameTransaction, bytewise,
        ]

    private static func stock(_ id: Int64, _ code: Value = .null) -> Statement { Fixtures.insertStock(id, code) }

    private static let committedDuplicate = ContractCase.postgres(
        "unique/duplicate", "A duplicate of a committed key fails with 23505 and names the constraint"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(stock(1, "x"))
        let byCode = try await a.mustFail(.uniqueViolation, stock(2, "x"))
        try expect(byCode.constraint, equals: "stock_code_key", "constraint of a duplicate code")
        let byID = try await a.mustFail(.uniqueViolation, stock(1, "y"))
        try expect(byID.constraint, equals: "stock_pkey", "constraint of a duplicate id")
    }

    private static let waitsThenViolates = ContractCase.postgres(
        "unique/rival-commits", "An inserter waits for an uncommitted rival, and gets 23505 when it commits"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(stock(1, "x"))
        let rival = b.start(stock(2, "x"))
        try await rival.mustWait()
        try await a.commit()
        try await rival.mustFail(.uniqueViolation)
    }

    private static let waitsThenProceeds = ContractCase.postgres(
        "unique/rival-rolls-back", "An inserter waits for an uncommitted rival, and proceeds when it rolls back"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(stock(1, "x"))
        let rival = b.start(stock(2, "x"))
        try await rival.mustWait()
        try await a.rollback()
        try expect(try await rival.value()[0].affectedRowCount, equals: 1, "rows that B inserted")
        try await b.commit()
    }

    private static let inTheSnapshotOrNot = ContractCase.postgres(
        "unique/whatever-the-snapshot",
        "REPEATABLE READ: a key that the snapshot does not show fails with 23505 all the same"
    ) { stage, _ in
        let a = try await stage.session("A", .repeatableRead)
        try expect(try await a.rows(.select(Select(from: Fixtures.stock))).count, equals: 0, "rows that A sees")
        let b = try await stage.session("B")
        try await b.run(stock(1, "x"))
        try expect(try await a.rows(.select(Select(from: Fixtures.stock))).count, equals: 0, "rows that A sees later")
        try await a.mustFail(.uniqueViolation, stock(1))
    }

    private static let deletedRival = ContractCase.postgres(
        "unique/rival-deletes",
        "An inserter of a key whose row is being deleted waits: free after commit, 23505 after rollback"
    ) { stage, _ in
        for commits in [true, false] {
            let a = try await stage.session("A", .readCommitted)
            let b = try await stage.session("B")
            try await b.run(stock(commits ? 1 : 2, commits ? "x" : "y"))
            try await a.run(.delete(Delete(from: Fixtures.stock, where: [])))
            let rival = b.start(stock(3, commits ? "x" : "y"))
            try await rival.mustWait()
            if commits {
                try await a.commit()
                try await rival.value()
                try await b.run(.delete(Delete(from: Fixtures.stock, where: [])))
            } else {
                try await a.rollback()
                try await rival.mustFail(.uniqueViolation)
            }
        }
    }

    private static let updateToDuplicate = ContractCase.postgres(
        "unique/update", "An UPDATE to a key that another row has fails with 23505"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.mustFail(
            .uniqueViolation,
            .update(Update(Fixtures.test, set: [.set(Fixtures.id, 2)], where: [Fixtures.id == 1])))
        try expect(try await a.all(), equals: [1: 10, 2: 20], "the rows afterwards")
    }

    private static let nullsAreDistinct = ContractCase.postgres(
        "unique/nulls-distinct", "A unique key admits any number of nulls"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(stock(1), stock(2), stock(3))
    }

    private static let rowByRow = ContractCase.postgres(
        "unique/row-by-row", "A unique key is checked row by row, not at the end of the statement"
    ) { stage, _ in
        let a = try await stage.session("A")
        let shift = Statement.update(Update(Fixtures.test, set: [.increment(Fixtures.id, by: 1)], where: []))
        try await a.mustFail(.uniqueViolation, shift)
        let far = Statement.update(Update(Fixtures.test, set: [.increment(Fixtures.id, by: 100)], where: []))
        try await a.run(far)
        try expect(try await a.all(), equals: [101: 10, 102: 20], "the rows moved out of each other's way")
    }

    private static let compositeOrder = ContractCase.postgres(
        "unique/primary-before-others",
        "A row that violates two keys is reported for the primary key, which is declared first"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(stock(1, "x"))
        let error = try await a.mustFail(.uniqueViolation, stock(1, "x"))
        try expect(error.constraint, equals: "stock_pkey", "constraint")
    }

    private static let withinOneStatement = ContractCase.postgres(
        "unique/within-statement", "Two rows of one INSERT with the same key fail with 23505, and neither is inserted"
    ) { stage, _ in
        let a = try await stage.session("A")
        let twice = Statement.insert(Insert(into: Fixtures.test, rows: [[3, 30], [3, 31]]))
        try await a.mustFail(.uniqueViolation, twice)
        try expect(try await a.value(3), equals: nil, "row 3")
    }

    private static let serializableChecked = ContractCase.postgres(
        "unique/serializable-checked",
        "SERIALIZABLE: an inserter that had looked for the key first gets 40001, not 23505"
    ) { stage, _ in
        let a = try await stage.session("A", .serializable)
        let b = try await stage.session("B", .serializable)
        try expect(try await a.value(3), equals: nil, "A's search")
        try expect(try await b.value(3), equals: nil, "B's search")
        try await a.run(Fixtures.insert(3, 30))
        let rival = b.start(Fixtures.insert(3, 31))
        try await rival.mustWait()
        try await a.commit()
        try await rival.mustFail(.serializationFailure)
    }

    private static let serializableUnchecked = ContractCase.postgres(
        "unique/serializable-unchecked", "SERIALIZABLE: an inserter that had not looked for the key gets 23505"
    ) { stage, _ in
        let a = try await stage.session("A", .serializable)
        let b = try await stage.session("B", .serializable)
        try await a.run(Fixtures.insert(3, 30))
        let rival = b.start(Fixtures.insert(3, 31))
        try await rival.mustWait()
        try await a.commit()
        try await rival.mustFail(.uniqueViolation)
    }

    private static let deadlockOfInserters = ContractCase.postgres(
        "unique/deadlock", "Two that insert the same two keys in opposite order deadlock: one gets 40P01"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.insert(3, 30))
        try await b.run(Fixtures.insert(4, 40))
        let byA = a.start(Fixtures.insert(4, 41))
        try await byA.mustWait()
        let byB = b.start(Fixtures.insert(3, 31))
        let results = (try await byA.result(), try await byB.result())
        switch results {
        case (.failure, _):
            // The victim's rollback removes the row that the other waited for.
            try await byA.mustFail(.deadlockDetected)
            try await byB.value()
        case (_, .failure):
            try await byB.mustFail(.deadlockDetected)
            try await byA.value()
        default: throw ContractFailure("one of two must be the victim: \(results)")
        }
    }

    private static let sameTransaction = ContractCase.postgres(
        "unique/reuse-in-transaction", "A key deleted by the same transaction is free for it"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.delete(1), Fixtures.insert(1, 100))
        try await a.commit()
        try expect(try await a.value(1), equals: 100, "row 1")
    }

    private static let bytewise = ContractCase.postgres(
        "unique/text-bytewise", "Text keys are equal only byte by byte: two spellings of an accent are two keys"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(stock(1, "\u{E9}"), stock(2, "e\u{301}"), stock(3, "E\u{301}"))
        let rows = try await a.rows(.select(Select(from: Fixtures.stock, where: [Fixtures.code == "\u{E9}"])))
        try expect(rows.map { $0.int64(Fixtures.stockID) }, equals: [1], "rows of the composed spelling")
    }
}

extension DatabaseError {
    /// The constraint that a refusal names.
    var constraint: String? {
        if case .statement(_, _, let constraint) = self { constraint } else { nil }
    }
}
