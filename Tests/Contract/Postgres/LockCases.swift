import Ports

/// Row locks: who waits for whom, who skips, who gives up, and how a deadlock ends.
enum LockCases {
    static let all: [ContractCase] = [
        writerWaitsForLock, readerNeverWaits, differentRows, skipLocked, skipLockedWithLimit, noWait, noWaitFree,
        lockTimeout, statementTimeout, deadlock, deadlockOfThree, errorReleases, rollbackReleases, closeReleases,
        lockIsReentrant, insertersDoNotWait, cancelled,
    ]

    private static func lockAll(_ lock: RowLock, limit: Int? = nil) -> Statement {
        .select(Select(from: Fixtures.test, orderedBy: [.ascending(Fixtures.id)], limit: limit, lock: lock))
    }

    private static let writerWaitsForLock = ContractCase.postgres(
        "locks/for-update-blocks-writers",
        "SELECT FOR UPDATE makes writers and other lockers of the row wait until it ends"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.read(1, lock: .forUpdate))
        let b = try await stage.session("B", .readCommitted)
        let c = try await stage.session("C", .readCommitted)
        let update = b.start(Fixtures.set(1, 11))
        try await update.mustWait()
        let lock = c.start(Fixtures.read(1, lock: .forUpdate))
        try await lock.mustWait()
        try await a.commit()
        try await update.value()
        try await b.commit()
        try expect(try await lock.value()[0].rows.first?.int64(Fixtures.value), equals: 11, "what C read")
        try await c.commit()
    }

    private static let readerNeverWaits = ContractCase.postgres(
        "locks/readers-never-wait", "A plain SELECT waits for nobody and sees the committed version"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11), Fixtures.delete(2))
        let b = try await stage.session("B", .readCommitted)
        try expect(try await b.all(), equals: [1: 10, 2: 20], "what B reads meanwhile")
        try await b.commit()
        try await a.commit()
    }

    private static let differentRows = ContractCase.postgres(
        "locks/rows-not-tables", "Writers of different rows do not wait for each other"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        try await b.run(Fixtures.set(2, 21))
        try await b.commit()
        try await a.commit()
    }

    private static let skipLocked = ContractCase.postgres(
        "locks/skip-locked", "SKIP LOCKED leaves out rows that another transaction has locked, without waiting"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.read(1, lock: .forUpdate))
        let b = try await stage.session("B", .readCommitted)
        let rows = try await b.rows(lockAll(.forUpdateSkipLocked))
        try expect(rows.map { $0.int64(Fixtures.id) }, equals: [2], "rows that B got")
        try await a.commit()
        let again = try await b.rows(lockAll(.forUpdateSkipLocked))
        try expect(again.map { $0.int64(Fixtures.id) }, equals: [1, 2], "rows that B gets after A's commit")
        try await b.commit()
    }

    private static let skipLockedWithLimit = ContractCase.postgres(
        "locks/skip-locked-limit", "SKIP LOCKED with LIMIT 1 hands each worker a row of its own"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        let c = try await stage.session("C", .readCommitted)
        var taken: [Int64] = []
        for worker in [a, b, c] {
            taken += try await worker.rows(lockAll(.forUpdateSkipLocked, limit: 1)).map { $0.int64(Fixtures.id) }
        }
        try expect(taken, equals: [1, 2], "rows that A and B got; C got none")
    }

    private static let noWait = ContractCase.postgres(
        "locks/nowait", "NOWAIT fails with 55P03 at once, and the transaction with it"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let b = try await stage.session("B", .readCommitted)
        try await b.mustFail(.lockNotAvailable, Fixtures.read(1, lock: .forUpdateNoWait))
        try await b.mustFail(.inFailedTransaction, Fixtures.read(2))
        try await b.rollback()
        try await a.commit()
    }

    private static let noWaitFree = ContractCase.postgres(
        "locks/nowait-free", "NOWAIT takes what is free"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let b = try await stage.session("B", .readCommitted)
        try expect(try await b.rows(Fixtures.read(2, lock: .forUpdateNoWait)).count, equals: 1, "rows that B got")
        let update = a.start(Fixtures.set(2, 21))
        try await update.mustWait()
        try await b.commit()
        try await update.value()
        try await a.commit()
    }

    private static let lockTimeout = ContractCase.postgres(
        "locks/lock-timeout", "A statement that waits longer than lock_timeout for a lock fails with 55P03",
        options: DatabaseOptions(lockTimeout: .milliseconds(300))
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let b = try await stage.session("B", .readCommitted)
        let update = b.start(Fixtures.set(1, 12))
        try await update.mustWait()
        try await update.mustFail(.lockNotAvailable)
        try await a.commit()
    }

    private static let statementTimeout = ContractCase.postgres(
        "locks/statement-timeout", "A statement that takes longer than statement_timeout fails with 57014",
        options: DatabaseOptions(statementTimeout: .milliseconds(300))
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let b = try await stage.session("B", .readCommitted)
        let update = b.start(Fixtures.set(1, 12))
        try await update.mustWait()
        try await update.mustFail(.queryCanceled)
        try await a.commit()
    }

    private static let deadlock = ContractCase.postgres(
        "locks/deadlock", "A deadlock is looked for after 1 s; one victim gets 40P01 and the other goes on"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        try await b.run(Fixtures.set(2, 22))
        let byA = a.start(Fixtures.set(2, 21))
        try await byA.mustWait()
        let byB = b.start(Fixtures.set(1, 12))
        try await byB.mustWait(.milliseconds(400))
        try expect(!byA.hasEnded, "nobody is a victim before the deadlock timeout")
        let results = (try await byA.result(), try await byB.result())
        switch results {
        case (.success, .failure):
            try await byB.mustFail(.deadlockDetected)
            try await a.commit()
        case (.failure, .success):
            try await byA.mustFail(.deadlockDetected)
            try await b.commit()
        default: throw ContractFailure("exactly one of two must be the victim: \(results)")
        }
    }

    private static let deadlockOfThree = ContractCase.postgres(
        "locks/deadlock-of-three", "A cycle of three waits is a deadlock, too: exactly one gets 40P01"
    ) { stage, _ in
        let setUp = try await stage.session("set-up")
        try await setUp.run(Fixtures.insert(3, 30))
        let sessions = [
            try await stage.session("A", .readCommitted), try await stage.session("B", .readCommitted),
            try await stage.session("C", .readCommitted),
        ]
        for (index, session) in sessions.enumerated() { try await session.run(Fixtures.add(1, to: Int64(index + 1))) }
        var steps: [Step<[StatementResult]>] = []
        for (index, session) in sessions.enumerated() {
            steps.append(session.start(Fixtures.add(1, to: Int64((index + 1) % 3 + 1))))
        }
        var victims = 0
        // The victim's rollback frees one waiter, whose commit frees the next.
        var pending = Array(zip(sessions, steps))
        let deadline = stage.clock.monotonicNow + Stage.patience
        while !pending.isEmpty {
            guard let index = pending.firstIndex(where: { $0.1.hasEnded }) else {
                try expect(stage.clock.monotonicNow < deadline, "the deadlock is broken in time")
                try await stage.pause(.milliseconds(5))
                continue
            }
            let (session, step) = pending.remove(at: index)
            if case .failure = try await step.result() {
                try await step.mustFail(.deadlockDetected)
                victims += 1
                try await session.rollback()
            } else {
                try await session.commit()
            }
        }
        try expect(victims, equals: 1, "victims")
    }

    private static let errorReleases = ContractCase.postgres(
        "locks/error-releases", "An error lets the transaction's locks go at once, before ROLLBACK"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let b = try await stage.session("B", .readCommitted)
        let update = b.start(Fixtures.set(1, 12))
        try await update.mustWait()
        try await a.mustFail(.uniqueViolation, Fixtures.insert(2, 0))
        try await update.value()
        try await b.commit()
    }

    private static let rollbackReleases = ContractCase.postgres(
        "locks/rollback-releases", "ROLLBACK lets the transaction's locks go"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.read(1, lock: .forUpdate))
        let b = try await stage.session("B")
        let deletion = b.start(Fixtures.delete(1))
        try await deletion.mustWait()
        try await a.rollback()
        try expect(try await deletion.value()[0].affectedRowCount, equals: 1, "rows that B deleted")
    }

    private static let closeReleases = ContractCase.postgres(
        "locks/close-releases", "Closing a session rolls back and lets its locks go"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let b = try await stage.session("B")
        let update = b.start(Fixtures.add(1, to: 1))
        try await update.mustWait()
        await a.close()
        try await update.value()
        try expect(try await b.value(1), equals: 11, "the row, without A's change")
    }

    private static let lockIsReentrant = ContractCase.postgres(
        "locks/own-locks", "A transaction does not wait for its own locks"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(
            Fixtures.read(1, lock: .forUpdate), Fixtures.set(1, 11), Fixtures.read(1, lock: .forUpdateNoWait))
        let rows = try await a.rows(lockAll(.forUpdateSkipLocked))
        try expect(rows.count, equals: 2, "rows, its own locked one among them")
        try await a.commit()
    }

    private static let insertersDoNotWait = ContractCase.postgres(
        "locks/inserted-rows",
        "Rows that others have inserted and not committed are neither seen nor waited for by a locking SELECT"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.insert(3, 30))
        let b = try await stage.session("B", .readCommitted)
        let rows = try await b.rows(lockAll(.forUpdate))
        try expect(rows.map { $0.int64(Fixtures.id) }, equals: [1, 2], "rows that B got")
        try await a.commit()
        try await b.commit()
    }

    private static let cancelled = ContractCase.postgres(
        "locks/cancelled-task", "A waiting statement whose task is cancelled ends with 57014"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let b = try await stage.session("B", .readCommitted)
        let step = b.start { session in
            let clock = stage.clock
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await session.execute(Fixtures.set(1, 12)) }
                try await clock.sleep(for: .milliseconds(100))
                group.cancelAll()
                try await group.waitForAll()
            }
        }
        try await step.mustFail(.queryCanceled)
        try await a.commit()
    }
}
