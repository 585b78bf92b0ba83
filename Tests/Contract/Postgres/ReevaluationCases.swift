import Ports

/// READ COMMITTED: what a statement does that has waited for another transaction.
enum ReevaluationCases {
    static let all: [ContractCase] = [
        noLongerMatches, stillMatches, deletedMeanwhile, incrementAddsToNewest, lockReturnsNewest, rollbackLeavesOld,
        deleteOfChanged, lockedOrder, keyChanged, updateInQueue,
    ]

    private static let setWhere10 = Statement.update(
        Update(Fixtures.test, set: [.set(Fixtures.value, 99)], where: [Fixtures.value == 10]))

    private static let noLongerMatches = ContractCase.postgres(
        "re-evaluation/no-longer-matches", "READ COMMITTED: an UPDATE that waited leaves out a row that matches no more"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let update = b.start(setWhere10)
        try await update.mustWait()
        try await a.commit()
        try expect(try await update.value()[0].affectedRowCount, equals: 0, "rows that B updated")
        try await b.commit()
    }

    private static let stillMatches = ContractCase.postgres(
        "re-evaluation/still-matches",
        "READ COMMITTED: an UPDATE that waited changes the newest version when it still matches"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.insertStock(1, "x", 5))
        try await a.commit()
        try await a.begin(.readCommitted)
        try await a.run(
            .update(Update(Fixtures.stock, set: [.set(Fixtures.note, "by A")], where: [Fixtures.stockID == 1])))
        let update = b.start(
            .update(
                Update(
                    Fixtures.stock, set: [.increment(Fixtures.amount, by: -5)],
                    where: [Fixtures.stockID == 1, Fixtures.amount >= 5], returning: true)))
        try await update.mustWait()
        try await a.commit()
        let row = try await update.value()[0].rows.first
        try expect(row?.values, equals: [1, "x", 0, "by A"], "the row with both changes")
        try await b.commit()
    }

    private static let deletedMeanwhile = ContractCase.postgres(
        "re-evaluation/deleted-meanwhile", "READ COMMITTED: an UPDATE that waited for a DELETE finds no row"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.delete(1))
        let update = b.start(Fixtures.set(1, 11))
        try await update.mustWait()
        try await a.commit()
        try expect(try await update.value()[0].affectedRowCount, equals: 0, "rows that B updated")
        try await b.commit()
    }

    private static let incrementAddsToNewest = ContractCase.postgres(
        "re-evaluation/increment", "READ COMMITTED: increments are never lost"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.add(5, to: 1))
        let second = b.start(Fixtures.add(7, to: 1))
        try await second.mustWait()
        try await a.commit()
        try await second.value()
        try await b.commit()
        let c = try await stage.session("C")
        try expect(try await c.value(1), equals: 22, "10 + 5 + 7")
    }

    private static let lockReturnsNewest = ContractCase.postgres(
        "re-evaluation/lock-returns-newest",
        "READ COMMITTED: SELECT FOR UPDATE that waited returns the newest version (no lost update)"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.read(1, lock: .forUpdate))
        let locked = b.start(Fixtures.read(1, lock: .forUpdate))
        try await locked.mustWait()
        try await a.run(Fixtures.set(1, 11))
        try await a.commit()
        try expect(try await locked.value()[0].rows.first?.int64(Fixtures.value), equals: 11, "what B read")
        try await b.commit()
    }

    private static let rollbackLeavesOld = ContractCase.postgres(
        "re-evaluation/after-rollback",
        "READ COMMITTED: after the other's rollback a waiting UPDATE goes on as if it had not been"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let update = b.start(setWhere10)
        try await update.mustWait()
        try await a.rollback()
        try expect(try await update.value()[0].affectedRowCount, equals: 1, "rows that B updated")
        try await b.commit()
    }

    private static let deleteOfChanged = ContractCase.postgres(
        "re-evaluation/delete-of-changed",
        "READ COMMITTED: a DELETE that waited returns the newest version of the row it deletes"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let deletion = b.start(
            .delete(Delete(from: Fixtures.test, where: [Fixtures.id == 1], returning: true)))
        try await deletion.mustWait()
        try await a.commit()
        try expect(try await deletion.value()[0].rows.first?.values, equals: [1, 11], "the row as B deleted it")
        try await b.commit()
    }

    private static let lockedOrder = ContractCase.postgres(
        "re-evaluation/order-before-lock",
        "READ COMMITTED: SELECT FOR UPDATE sorts before it locks, so changed rows may be out of order"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(Fixtures.set(1, 99))
        let locked = b.start(
            .select(Select(from: Fixtures.test, orderedBy: [.ascending(Fixtures.value)], lock: .forUpdate)))
        try await locked.mustWait()
        try await a.commit()
        let values = try await locked.value()[0].rows.map { $0.int64(Fixtures.value) }
        try expect(values, equals: [99, 20], "values in the order of the old ones")
        try await b.commit()
    }

    private static let keyChanged = ContractCase.postgres(
        "re-evaluation/key-changed",
        "READ COMMITTED: an UPDATE by key that waited does not follow the row to its new key"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        try await a.run(
            .update(Update(Fixtures.test, set: [.set(Fixtures.id, 7)], where: [Fixtures.id == 1])))
        let update = b.start(Fixtures.set(1, 11))
        try await update.mustWait()
        try await a.commit()
        try expect(try await update.value()[0].affectedRowCount, equals: 0, "rows that B updated")
        try await b.commit()
    }

    private static let updateInQueue = ContractCase.postgres(
        "re-evaluation/queue", "Writers that wait for one row get it in the order in which they came"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B", .readCommitted)
        let c = try await stage.session("C", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let second = b.start(Fixtures.set(1, 12))
        try await second.mustWait()
        let third = c.start(Fixtures.set(1, 13))
        try await third.mustWait()
        try await a.commit()
        try await second.value()
        try await third.mustWait()
        try await b.commit()
        try await third.value()
        try await c.commit()
        let reader = try await stage.session("D")
        try expect(try await reader.value(1), equals: 13, "the value of the last writer")
    }
}
