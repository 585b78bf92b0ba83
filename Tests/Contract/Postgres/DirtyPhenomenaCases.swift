import Ports

/// What no level allows: dirty writes (G0), aborted, intermediate and circular reads (G1a-c), and observed transactions
/// that vanish (OTV). Names as in Adya's thesis and the Hermitage suite.
enum DirtyPhenomenaCases {
    static let all: [ContractCase] = IsolationLevel.allCases.flatMap { level in
        [dirtyWrite(level), abortedRead(level), intermediateRead(level), circularRead(level), vanishing(level)]
    }

    private static func dirtyWrite(_ level: IsolationLevel) -> ContractCase {
        let rule =
            level == .readCommitted
            ? "a second writer of a row waits for the first (no G0)"
            : "a second writer waits for the first and fails with 40001 when it commits (no G0)"
        return .postgres("isolation/g0/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            try await a.run(Fixtures.set(1, 11))
            let second = b.start(Fixtures.set(1, 12))
            try await second.mustWait()
            try await a.run(Fixtures.set(2, 21))
            try await a.commit()
            let c = try await stage.session("C")
            if level == .readCommitted {
                try await second.value()
                try await b.run(Fixtures.set(2, 22))
                try await b.commit()
                try expect(try await c.all(), equals: [1: 12, 2: 22], "both values of the last writer")
            } else {
                try await second.mustFail(.serializationFailure)
                try await b.rollback()
                try expect(try await c.all(), equals: [1: 11, 2: 21], "both values of the first writer")
            }
        }
    }

    private static func abortedRead(_ level: IsolationLevel) -> ContractCase {
        .postgres("isolation/g1a/\(level.slug)", "\(level.title): what is rolled back is never seen (no G1a)") {
            stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            try await a.run(Fixtures.set(1, 101))
            try expect(try await b.value(1), equals: 10, "B before the rollback")
            try await a.rollback()
            try expect(try await b.value(1), equals: 10, "B after the rollback")
            try await b.commit()
        }
    }

    private static func intermediateRead(_ level: IsolationLevel) -> ContractCase {
        let later: Int64 = level == .readCommitted ? 11 : 10
        let rule = "values that a transaction overwrote itself are never seen (no G1b)"
        return .postgres("isolation/g1b/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            try await a.run(Fixtures.set(1, 101))
            try expect(try await b.value(1), equals: 10, "B while A is open")
            try await a.run(Fixtures.set(1, 11))
            try await a.commit()
            try expect(try await b.value(1), equals: later, "B after A's commit")
            try await b.commit()
        }
    }

    private static func circularRead(_ level: IsolationLevel) -> ContractCase {
        let rule = "two open transactions do not see each other's writes (no G1c)"
        return .postgres("isolation/g1c/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            try await a.run(Fixtures.set(1, 11))
            try await b.run(Fixtures.set(2, 22))
            try expect(try await a.value(2), equals: 20, "A of B's row")
            try expect(try await b.value(1), equals: 10, "B of A's row")
            try await a.commit()
            // Each read what the other overwrote: under SERIALIZABLE one of them has to go.
            if level == .serializable {
                try await b.commitMustFail(.serializationFailure)
            } else {
                try await b.commit()
            }
        }
    }

    private static func vanishing(_ level: IsolationLevel) -> ContractCase {
        let rule = "a transaction is seen whole or not at all, and does not vanish again (no OTV)"
        return .postgres("isolation/otv/\(level.slug)", "\(level.title): \(rule)") { stage, _ in
            let a = try await stage.session("A", level)
            let b = try await stage.session("B", level)
            let c = try await stage.session("C", level)
            try await a.run(Fixtures.set(1, 11), Fixtures.set(2, 19))
            let overwriting = b.start(Fixtures.set(1, 12))
            try await overwriting.mustWait()
            try await a.commit()
            try expect(try await c.value(1), equals: 11, "C of row 1 after A's commit")
            if level == .readCommitted {
                try await overwriting.value()
                try await b.run(Fixtures.set(2, 18))
                try expect(try await c.value(2), equals: 19, "C of row 2 while B is open")
                try await b.commit()
                try expect(try await c.all(), equals: [1: 12, 2: 18], "C after B's commit")
            } else {
                try await overwriting.mustFail(.serializationFailure)
                try await b.rollback()
                try expect(try await c.all(), equals: [1: 11, 2: 19], "C after B's rollback")
            }
            try await c.commit()
        }
    }
}

extension IsolationLevel {
    /// The level in an id.
    var slug: String {
        switch self {
        case .readCommitted: "read-committed"
        case .repeatableRead: "repeatable-read"
        case .serializable: "serializable"
        }
    }

    /// The level as the documentation writes it.
    var title: String {
        switch self {
        case .readCommitted: "READ COMMITTED"
        case .repeatableRead: "REPEATABLE READ"
        case .serializable: "SERIALIZABLE"
        }
    }
}
