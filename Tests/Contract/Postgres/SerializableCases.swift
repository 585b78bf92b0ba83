import Ports

/// Write skew (G2-item), its form with predicates (G2), and what only serializable snapshot isolation prevents.
enum SerializableCases {
    static let all: [ContractCase] =
        IsolationLevel.allCases.flatMap { [writeSkew($0), predicateSkew($0)] }
        + [
            readOnlyAnomaly(.repeatableRead), readOnlyAnomaly(.serializable), mixedLevels, retrySucceeds,
            threeTransactions, increments, readersAlone,
        ]

    private static let valueIs30 = Statement.select(Select(from: Fixtures.test, where: [Fixtures.value == 30]))

    private static func writeSkew(_ level: IsolationLevel) -> ContractCase {
        let isAllowed = level != .serializable
        let rule =
            isAllowed
            ? "write skew is allowed (G2-item)" : "the second committer of a write skew fails with 40001 (no G2-item)"
        return .postgres("isolation/g2-item/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            try expect(try await a.all(), equals: [1: 10, 2: 20], "A's view")
            try expect(try await b.all(), equals: [1: 10, 2: 20], "B's view")
            try await a.run(Fixtures.set(1, 11))
            try await b.run(Fixtures.set(2, 21))
            try await a.commit()
            if isAllowed { try await b.commit() } else { try await b.commitMustFail(.serializationFailure) }
            let c = try await stage.session("C")
            try expect(try await c.all(), equals: [1: 11, 2: isAllowed ? 21 : 20], "what is left")
        }
    }

    private static func predicateSkew(_ level: IsolationLevel) -> ContractCase {
        let isAllowed = level != .serializable
        let rule =
            isAllowed
            ? "two transactions may each insert what the other looked for and did not find (G2)"
            : "of two that each insert what the other did not find, the second committer fails with 40001 (no G2)"
        return .postgres("isolation/g2/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            try expect(try await a.rows(valueIs30).count, equals: 0, "A's search")
            try expect(try await b.rows(valueIs30).count, equals: 0, "B's search")
            try await a.run(Fixtures.insert(3, 30))
            try await b.run(Fixtures.insert(4, 30))
            try await a.commit()
            if isAllowed { try await b.commit() } else { try await b.commitMustFail(.serializationFailure) }
            let c = try await stage.session("C")
            try expect(try await c.rows(valueIs30).count, equals: isAllowed ? 2 : 1, "rows of 30 that are left")
        }
    }

    private static func readOnlyAnomaly(_ level: IsolationLevel) -> ContractCase {
        let rule =
            level == .serializable
            ? "a reader that saw only the later of two writers makes the earlier fail with 40001"
            : "a reader may see only the later of two writers that read each other's past (read-only anomaly)"
        return .postgres("isolation/read-only-anomaly/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            try expect(try await a.all(), equals: [1: 10, 2: 20], "A's view")
            let b = try await stage.session("B", level)
            try await b.run(Fixtures.add(5, to: 2))
            try await b.commit()
            let c = try await stage.session("C", level)
            try expect(try await c.all(), equals: [1: 10, 2: 25], "C's view")
            try await c.commit()
            if level == .serializable {
                try await a.mustFail(.serializationFailure, Fixtures.set(1, 0))
            } else {
                try await a.run(Fixtures.set(1, 0))
                try await a.commit()
            }
        }
    }

    private static let mixedLevels = ContractCase.postgres(
        "isolation/serializable-among-its-own", "SERIALIZABLE guards only against other SERIALIZABLE transactions"
    ) { stage, _ in
        let a = try await stage.session("A", .serializable)
        let b = try await stage.session("B", .repeatableRead)
        _ = try await a.all()
        _ = try await b.all()
        try await a.run(Fixtures.set(1, 11))
        try await b.run(Fixtures.set(2, 21))
        try await a.commit()
        try await b.commit()
    }

    private static let retrySucceeds = ContractCase.postgres(
        "isolation/serializable-retry", "SERIALIZABLE: the transaction that failed succeeds when it is run again"
    ) { stage, _ in
        let a = try await stage.session("A", .serializable)
        let b = try await stage.session("B", .serializable)
        _ = try await a.all()
        _ = try await b.all()
        try await a.run(Fixtures.set(1, 11))
        try await b.run(Fixtures.set(2, 21))
        try await a.commit()
        try await b.commitMustFail(.serializationFailure)
        try await b.begin(.serializable)
        try expect(try await b.all(), equals: [1: 11, 2: 20], "B's view at the second try")
        try await b.run(Fixtures.set(2, 21))
        try await b.commit()
    }

    private static let threeTransactions = ContractCase.postgres(
        "isolation/serializable-cycle-of-three",
        "SERIALIZABLE: of three that each overwrite what the next has read, not all commit"
    ) { stage, _ in
        let setUp = try await stage.session("set-up")
        try await setUp.run(Fixtures.insert(3, 30))
        let sessions = [
            try await stage.session("A", .serializable), try await stage.session("B", .serializable),
            try await stage.session("C", .serializable),
        ]
        for (index, session) in sessions.enumerated() { _ = try await session.value(Int64(index + 1)) }
        var failures = 0
        for (index, session) in sessions.enumerated() {
            let next = Int64((index + 1) % 3 + 1)
            let step = session.start { transaction in
                _ = try await transaction.execute(Fixtures.add(1, to: next))
            }
            guard case .failure = try await step.result() else { continue }
            try await step.mustFail(.serializationFailure)
            failures += 1
        }
        for session in sessions {
            let commit = session.startCommit()
            guard case .failure = try await commit.result() else { continue }
            let error = try await commit.databaseError()
            try expect(
                error.sqlState == .serializationFailure || error.sqlState == .inFailedTransaction,
                "a commit fails with 40001, or because a statement did, not with \(error)")
            if error.sqlState == .serializationFailure { failures += 1 }
        }
        try expect((1...2).contains(failures), "\(failures) of three failed; one has to, all must not")
    }

    private static let increments = ContractCase.postgres(
        "isolation/serializable-increment", "SERIALIZABLE: a concurrent increment of the same row fails with 40001"
    ) { stage, _ in
        let a = try await stage.session("A", .serializable)
        let b = try await stage.session("B", .serializable)
        try await a.run(Fixtures.add(1, to: 1))
        let second = b.start(Fixtures.add(1, to: 1))
        try await second.mustWait()
        try await a.commit()
        try await second.mustFail(.serializationFailure)
    }

    private static let readersAlone = ContractCase.postgres(
        "isolation/serializable-readers", "SERIALIZABLE: transactions that only read do not disturb each other"
    ) { stage, _ in
        let a = try await stage.session("A", .serializable)
        let b = try await stage.session("B", .serializable)
        _ = try await a.all()
        _ = try await b.all()
        try await a.commit()
        try await b.commit()
    }
}
