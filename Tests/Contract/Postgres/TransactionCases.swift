import Ports

/// Transactions and statements as wholes: what an error takes with it, and what a session may do when.
enum TransactionCases {
    static let all: [ContractCase] = [
        failedUntilRollback, commitOfFailed, beginTwice, commitWithout, rollbackWithout, statementIsAtomic,
        pipelineIsTransaction, pipelineStopsAtError, sessionAfterError, emptyTransaction, notNull, check, checkOnUpdate,
        overflow, undefinedTable, mismatch, mismatchInTransaction, executeAndCommit, executeAndCommitFails,
        selfReference,
        closedRollsBack, poolTimeout, poolIsFair, emptyInsert,
    ]

    private static let failedUntilRollback = ContractCase.postgres(
        "transactions/failed-until-rollback", "After an error every statement fails with 25P02 until ROLLBACK"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(2, 21))
        try await a.mustFail(.uniqueViolation, Fixtures.insert(1, 0))
        try await a.mustFail(.inFailedTransaction, Fixtures.read(1))
        try await a.mustFail(.inFailedTransaction, Fixtures.insert(3, 30))
        try await a.rollback()
        try expect(try await a.all(), equals: [1: 10, 2: 20], "after the rollback")
    }

    private static let commitOfFailed = ContractCase.postgres(
        "transactions/commit-of-failed", "COMMIT of a failed transaction rolls back, and is reported as 25P02"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(2, 21))
        try await a.mustFail(.uniqueViolation, Fixtures.insert(1, 0))
        try await a.commitMustFail(.inFailedTransaction)
        try expect(try await a.all(), equals: [1: 10, 2: 20], "afterwards, outside any transaction")
    }

    private static let beginTwice = ContractCase.postgres(
        "transactions/begin-twice", "BEGIN inside a transaction is refused with 25001, and the transaction goes on"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        try await a.start { try await $0.begin(.readCommitted) }.mustFail(.activeTransaction)
        try await a.commit()
        try expect(try await a.value(1), equals: 11, "row 1")
    }

    private static let commitWithout = ContractCase.postgres(
        "transactions/commit-without", "COMMIT without a transaction is refused with 25P01"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.commitMustFail(.noActiveTransaction)
        try await a.run(Fixtures.set(1, 11))
        try await a.commitMustFail(.noActiveTransaction)
    }

    private static let rollbackWithout = ContractCase.postgres(
        "transactions/rollback-without", "ROLLBACK without a transaction does nothing"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.rollback()
        try await a.run(Fixtures.set(1, 11))
        try await a.rollback()
        try expect(try await a.value(1), equals: 11, "row 1, committed by its own statement")
    }

    private static let statementIsAtomic = ContractCase.postgres(
        "transactions/statement-atomic", "A statement that fails on one row has changed none"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.mustFail(
            .uniqueViolation, .insert(Insert(into: Fixtures.test, rows: [[3, 30], [4, 40], [1, 0]])))
        try expect(try await a.all(), equals: [1: 10, 2: 20], "the rows afterwards")
    }

    private static let pipelineIsTransaction = ContractCase.postgres(
        "transactions/pipeline-atomic", "Statements sent together without BEGIN are one transaction"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.mustFail(.uniqueViolation, Fixtures.insert(3, 30), Fixtures.insert(1, 0), Fixtures.insert(4, 40))
        try expect(try await a.all(), equals: [1: 10, 2: 20], "the rows afterwards")
        try await a.run(Fixtures.insert(3, 30), Fixtures.insert(4, 40))
        try expect(try await a.all().count, equals: 4, "rows after a pipeline that succeeded")
    }

    private static let pipelineStopsAtError = ContractCase.postgres(
        "transactions/pipeline-first-error", "A pipeline reports its first error; statements after it are not run"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.mustFail(
            .checkViolation, Fixtures.set(1, 11), Fixtures.insertStock(1, "x", -1), Fixtures.insert(2, 0))
        try await a.rollback()
    }

    private static let sessionAfterError = ContractCase.postgres(
        "transactions/session-after-error", "A session without a transaction goes on after an error"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.mustFail(.uniqueViolation, Fixtures.insert(1, 0))
        try await a.run(Fixtures.insert(3, 30))
    }

    private static let emptyTransaction = ContractCase.postgres(
        "transactions/empty", "A transaction of nothing commits"
    ) { stage, _ in
        let a = try await stage.session("A", .serializable)
        try await a.commit()
        try await a.begin(.readCommitted)
        try await a.rollback()
    }

    private static let notNull = ContractCase.postgres(
        "constraints/not-null", "A null in a NOT NULL column fails with 23502"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.mustFail(.notNullViolation, .insert(Insert(into: Fixtures.test, rows: [[3, nil]])))
        try await a.mustFail(
            .notNullViolation,
            .update(Update(Fixtures.test, set: [.set(Fixtures.value, nil)], where: [Fixtures.id == 1])))
    }

    private static let check = ContractCase.postgres(
        "constraints/check", "A row that violates a check fails with 23514 and names the constraint"
    ) { stage, _ in
        let a = try await stage.session("A")
        let error = try await a.mustFail(.checkViolation, Fixtures.insertStock(1, "x", -1))
        try expect(error.constraint, equals: "stock_amount_not_negative_check", "constraint")
        try await a.run(Fixtures.insertStock(1, "x", 0))
    }

    private static let checkOnUpdate = ContractCase.postgres(
        "constraints/check-concurrent",
        "A check judges the newest version: two decrements of the last item, and the second fails with 23514"
    ) { stage, _ in
        let setUp = try await stage.session("set-up")
        try await setUp.run(Fixtures.insertStock(1, "x", 1))
        let take = Statement.update(
            Update(Fixtures.stock, set: [.increment(Fixtures.amount, by: -1)], where: [Fixtures.stockID == 1]))
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(take)
        let second = b.start(take)
        try await second.mustWait()
        try await a.commit()
        try await second.mustFail(.checkViolation)
    }

    private static let overflow = ContractCase.postgres(
        "constraints/overflow", "An increment that leaves 64 bits fails with 22003"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.run(Fixtures.set(1, .max), Fixtures.set(2, .min))
        try await a.mustFail(.numericValueOutOfRange, Fixtures.add(1, to: 1))
        try await a.mustFail(.numericValueOutOfRange, Fixtures.add(-1, to: 2))
        try await a.run(Fixtures.add(-1, to: 1))
    }

    private static let undefinedTable = ContractCase.postgres(
        "transactions/undefined-table", "A statement on a table that does not exist fails with 42P01"
    ) { stage, _ in
        let missing = Table("missing", columns: [.column("id", .int64)], primaryKey: ["id"])
        let a = try await stage.session("A")
        try await a.mustFail(.undefinedTable, .select(Select(from: missing)))
        try await a.run(Fixtures.read(1))
    }

    private static let mismatch = ContractCase.postgres(
        "transactions/type-mismatch", "A value of another type than its column's is refused with 42804"
    ) { stage, _ in
        let a = try await stage.session("A")
        try await a.mustFail(.datatypeMismatch, .insert(Insert(into: Fixtures.test, rows: [[3, "thirty"]])))
        try await a.mustFail(.datatypeMismatch, .select(Select(from: Fixtures.test, where: [Fixtures.id == "one"])))
        try await a.run(Fixtures.read(1))
    }

    private static let mismatchInTransaction = ContractCase.postgres(
        "transactions/type-mismatch-in-transaction",
        "A value of another type takes its transaction with it, like any refusal"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        try await a.mustFail(.datatypeMismatch, .insert(Insert(into: Fixtures.test, rows: [[3, true]])))
        try await a.mustFail(.inFailedTransaction, Fixtures.read(1))
        try await a.commitMustFail(.inFailedTransaction)
        try expect(try await a.value(1), equals: 10, "row 1")
    }

    private static let executeAndCommit = ContractCase.postgres(
        "transactions/execute-and-commit", "Statements sent with their COMMIT are committed when the answer comes"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let results = try await a.start { session in
            try await session.executeAndCommit([Fixtures.set(1, 11), Fixtures.read(1)])
        }.value()
        try expect(results.count, equals: 2, "results, the COMMIT not among them")
        let b = try await stage.session("B")
        try expect(try await b.value(1), equals: 11, "what B sees")
    }

    private static let executeAndCommitFails = ContractCase.postgres(
        "transactions/execute-and-commit-fails",
        "When a statement sent with its COMMIT fails, the transaction is over and rolled back"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        try await a.start { session in
            try await session.executeAndCommit([Fixtures.set(2, 21), Fixtures.insert(1, 0)])
        }.mustFail(.uniqueViolation)
        try expect(try await a.all(), equals: [1: 10, 2: 20], "afterwards")
        let b = try await stage.session("B")
        try await b.run(Fixtures.set(1, 12))
        try await a.begin(.readCommitted)
        try await a.commit()
    }

    private static let selfReference = ContractCase.postgres(
        "transactions/statement-snapshot-of-itself",
        "A statement does not see its own changes: each row is updated once"
    ) { stage, _ in
        let a = try await stage.session("A")
        let result = try await a.run(
            .update(Update(Fixtures.test, set: [.increment(Fixtures.value, by: 10)], where: [Fixtures.value >= 10])))
        try expect(result[0].affectedRowCount, equals: 2, "rows updated")
        try expect(try await a.all(), equals: [1: 20, 2: 30], "each once")
    }

    private static let closedRollsBack = ContractCase.postgres(
        "sessions/close-rolls-back", "What an unfinished transaction did is gone when its session closes"
    ) { stage, server in
        let session = try await server.database.connect()
        try await session.begin(.readCommitted)
        _ = try await session.execute(Fixtures.set(1, 11))
        await session.close()
        let a = try await stage.session("A")
        try expect(try await a.value(1), equals: 10, "row 1")
    }

    private static let poolTimeout = ContractCase.postgres(
        "sessions/pool-timeout",
        "A caller for whom no connection becomes free in time is told so, and nothing was sent",
        options: DatabaseOptions(connectionLimit: 2, queueTimeout: .milliseconds(300))
    ) { stage, server in
        let a = try await stage.session("A")
        let b = try await stage.session("B")
        try await a.run(Fixtures.read(1))
        try await b.run(Fixtures.read(1))
        do {
            _ = try await server.database.connect()
            throw ContractFailure("a third connection of two")
        } catch let error as DatabaseError {
            guard case .poolTimeout(let waited) = error else { throw ContractFailure("not a pool timeout: \(error)") }
            try expect(waited >= .milliseconds(300), "it waited \(waited)")
        }
        await a.close()
        let c = try await stage.session("C")
        try await c.run(Fixtures.read(1))
    }

    private static let poolIsFair = ContractCase.postgres(
        "sessions/pool-queue", "Callers get freed connections in the order in which they came",
        options: DatabaseOptions(connectionLimit: 1)
    ) { stage, server in
        let holder = try await server.database.connect()
        let order = Log()
        let waiters = (0..<3).map { index in
            let step = Step<Void>("waiter \(index)", stage.clock)
            return (index, step)
        }
        for (index, step) in waiters {
            stage.run {
                do {
                    let session = try await server.database.connect()
                    order.append("\(index)")
                    await session.close()
                    step.end(.success(()))
                } catch {
                    step.end(.failure(error))
                }
            }
            try await stage.pause(.milliseconds(30))
        }
        await holder.close()
        for (_, step) in waiters { try await step.value() }
        try expect(order.entries, equals: ["0", "1", "2"], "order of service")
    }

    private static let emptyInsert = ContractCase.postgres(
        "transactions/empty-insert", "An INSERT of no rows does nothing"
    ) { stage, _ in
        let a = try await stage.session("A")
        let result = try await a.run(.insert(Insert(into: Fixtures.test, rows: [], returning: true)))
        try expect(result[0].affectedRowCount, equals: 0, "rows inserted")
    }
}
