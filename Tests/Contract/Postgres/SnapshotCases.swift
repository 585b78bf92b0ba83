import Ports

/// What a snapshot for each statement allows and one for each transaction does not: predicates that change under a
/// transaction (PMP), lost updates (P4), read skew (G-single).
enum SnapshotCases {
    static let all: [ContractCase] =
        IsolationLevel.allCases.flatMap { level in
            [predicate(level), predicateWrite(level), lostUpdate(level), readSkew(level), readSkewWrite(level)]
        } + [
            snapshotAtFirstStatement(.repeatableRead), snapshotAtFirstStatement(.serializable), statementSnapshots,
            ownWrites(.readCommitted), ownWrites(.repeatableRead), updateOfDeleted, lockOfChanged, lockOfUnchanged,
        ]

    private static let valueIs30 = Statement.select(Select(from: Fixtures.test, where: [Fixtures.value == 30]))
    private static let deleteValue20 = Statement.delete(Delete(from: Fixtures.test, where: [Fixtures.value == 20]))

    private static func predicate(_ level: IsolationLevel) -> ContractCase {
        let isSeen = level == .readCommitted
        let rule =
            isSeen ? "rows committed between two reads appear (PMP)" : "rows committed meanwhile stay unseen (no PMP)"
        return .postgres("isolation/pmp/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            try expect(try await a.rows(valueIs30).count, equals: 0, "A before")
            try await b.run(Fixtures.insert(3, 30))
            try await b.commit()
            try expect(try await a.rows(valueIs30).count, equals: isSeen ? 1 : 0, "A after B's commit")
            try await a.commit()
        }
    }

    private static func predicateWrite(_ level: IsolationLevel) -> ContractCase {
        let rule =
            level == .readCommitted
            ? "a DELETE that waited looks again at the rows it found, and does not find rows that match only now"
            : "a DELETE of a row changed since the snapshot fails with 40001"
        return .postgres("isolation/pmp-write/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            try await a.run(Fixtures.addToAll(10))
            let deletion = b.start(deleteValue20)
            try await deletion.mustWait()
            try await a.commit()
            if level == .readCommitted {
                try expect(try await deletion.value()[0].affectedRowCount, equals: 0, "rows that B deleted")
                try expect(
                    try await b.all(), equals: [1: 20, 2: 30], "B's view, with a row of 20 that it did not find")
                try await b.commit()
            } else {
                try await deletion.mustFail(.serializationFailure)
            }
        }
    }

    private static func lostUpdate(_ level: IsolationLevel) -> ContractCase {
        let rule =
            level == .readCommitted
            ? "reading and then writing loses an update (P4)"
            : "the second of two that read and write a row fails with 40001 (no P4)"
        return .postgres("isolation/p4/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            let readByA = try await a.value(1) ?? 0
            let readByB = try await b.value(1) ?? 0
            try await a.run(Fixtures.set(1, readByA + 1))
            let second = b.start(Fixtures.set(1, readByB + 2))
            try await second.mustWait()
            try await a.commit()
            let c = try await stage.session("C")
            if level == .readCommitted {
                try await second.value()
                try await b.commit()
                try expect(try await c.value(1), equals: 12, "the row, where 13 was meant")
            } else {
                try await second.mustFail(.serializationFailure)
                try await b.rollback()
                try expect(try await c.value(1), equals: 11, "the row, with A's update only")
            }
        }
    }

    private static func readSkew(_ level: IsolationLevel) -> ContractCase {
        let later: Int64 = level == .readCommitted ? 18 : 20
        let rule =
            level == .readCommitted
            ? "two reads of one transaction may lie on both sides of another's commit (G-single)"
            : "all reads of a transaction are of one moment (no G-single)"
        return .postgres("isolation/g-single/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            try expect(try await a.value(1), equals: 10, "A of row 1")
            try await b.run(Fixtures.set(1, 12), Fixtures.set(2, 18))
            try await b.commit()
            try expect(try await a.value(2), equals: later, "A of row 2 after B's commit")
            try await a.commit()
        }
    }

    private static func readSkewWrite(_ level: IsolationLevel) -> ContractCase {
        let rule =
            level == .readCommitted
            ? "a DELETE by value does not find the row that another has changed"
            : "a DELETE of a row that another has changed since the snapshot fails with 40001 at once"
        return .postgres("isolation/g-single-write/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            try expect(try await a.value(1), equals: 10, "A of row 1")
            try await b.run(Fixtures.set(1, 12), Fixtures.set(2, 18))
            try await b.commit()
            if level == .readCommitted {
                try expect(try await a.run(deleteValue20)[0].affectedRowCount, equals: 0, "rows that A deleted")
                try await a.commit()
            } else {
                try await a.mustFail(.serializationFailure, deleteValue20)
            }
        }
    }

    private static func snapshotAtFirstStatement(_ level: IsolationLevel) -> ContractCase {
        .postgres(
            "isolation/snapshot-at-first-statement/\(level.slug)",
            "\(level.title): the snapshot is taken at the first statement, not at BEGIN"
        ) { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B")
            try await b.run(Fixtures.set(1, 11))
            try expect(try await a.value(1), equals: 11, "A's first read, after B's commit")
            try await b.run(Fixtures.set(1, 12))
            try expect(try await a.value(1), equals: 11, "A's second read")
            try await a.commit()
        }
    }

    private static let statementSnapshots = ContractCase.postgres(
        "isolation/statement-snapshot", "READ COMMITTED: each statement sees what was committed when it began"
    ) { stage, _ in
        let a = try await stage.session("A", .readCommitted)
        let b = try await stage.session("B")
        for value in [11, 12, 13] as [Int64] {
            try await b.run(Fixtures.set(1, value))
            try expect(try await a.value(1), equals: value, "A's next read")
        }
        try await a.commit()
    }

    private static func ownWrites(_ level: IsolationLevel) -> ContractCase {
        .postgres("isolation/own-writes/\(level.slug)", "\(level.title): a transaction sees its own writes") {
            stage, _ in
            let a = try await stage.session("A", level)
            try await a.run(Fixtures.set(1, 11), Fixtures.insert(3, 30), Fixtures.delete(2))
            try expect(try await a.all(), equals: [1: 11, 3: 30], "A's own view")
            let b = try await stage.session("B")
            try expect(try await b.all(), equals: [1: 10, 2: 20], "the view of others")
            try await a.rollback()
        }
    }

    private static let updateOfDeleted = ContractCase.postgres(
        "isolation/update-of-deleted", "REPEATABLE READ: updating a row that another has deleted fails with 40001"
    ) { stage, _ in
        let a = try await stage.session("A", .repeatableRead)
        try expect(try await a.value(1), equals: 10, "A's snapshot")
        let b = try await stage.session("B")
        try await b.run(Fixtures.delete(1))
        try await a.mustFail(.serializationFailure, Fixtures.set(1, 11))
    }

    private static let lockOfChanged = ContractCase.postgres(
        "isolation/lock-of-changed",
        "REPEATABLE READ: SELECT FOR UPDATE of a row changed since the snapshot fails with 40001"
    ) { stage, _ in
        let a = try await stage.session("A", .repeatableRead)
        try expect(try await a.value(1), equals: 10, "A's snapshot")
        let b = try await stage.session("B")
        try await b.run(Fixtures.set(1, 11))
        try await a.mustFail(.serializationFailure, Fixtures.read(1, lock: .forUpdate))
    }

    private static let lockOfUnchanged = ContractCase.postgres(
        "isolation/lock-only-is-no-change",
        "REPEATABLE READ: a row that another only locked, not changed, can be updated"
    ) { stage, _ in
        let a = try await stage.session("A", .repeatableRead)
        try expect(try await a.value(1), equals: 10, "A's snapshot")
        let b = try await stage.session("B", .readCommitted)
        try await b.run(Fixtures.read(1, lock: .forUpdate))
        let update = a.start(Fixtures.set(1, 11))
        try await update.mustWait()
        try await b.commit()
        try await update.value()
        try await a.commit()
    }
}
