import Ports

/// What a crash of the server leaves, and what a client knows of it.
enum DurabilityCases {
    static let all: [ContractCase] = [
        synchronousSurvives, asynchronousLosesSuffix, uncommittedIsGone, checkpointKeeps, synchronousFlushesEarlier,
        locksAreGone, commitLost, executeLost, ownTransactionLost, readLost, serverDown, silentServer, silentCommit,
        administratorEnds, poolRecovers, sequenceOfCrashes,
    ]

    private static let asynchronous = DatabaseOptions(isSynchronousCommit: false)

    private static func crashAndRestart(_ server: any DatabaseServer) async throws {
        try await server.crash()
        try await server.start()
    }

    /// Ids of `test` beyond the fixtures' own, from a new connection.
    private static func survivors(_ stage: Stage) async throws -> [Int64] {
        let reader = try await stage.session("reader")
        return try await reader.rows(
            .select(Select(from: Fixtures.test, where: [Fixtures.id > 2], orderedBy: [.ascending(Fixtures.id)]))
        ).map { $0.int64(Fixtures.id) }
    }

    private static let synchronousSurvives = ContractCase.postgres(
        "durability/synchronous-commit-on", "synchronous_commit=on: a commit that was acknowledged survives a crash"
    ) { stage, server in
        let a = try await stage.session("A")
        for id in 3...40 as ClosedRange<Int64> { try await a.run(Fixtures.insert(id, 0)) }
        try await crashAndRestart(server)
        try expect(try await survivors(stage), equals: Array(3...40), "rows after the crash")
    }

    private static let asynchronousLosesSuffix = ContractCase.postgres(
        "durability/synchronous-commit-off",
        "synchronous_commit=off: a crash loses at most a suffix of the commits, and corrupts nothing",
        options: asynchronous
    ) { stage, server in
        let a = try await stage.session("A")
        for id in 3...300 as ClosedRange<Int64> { try await a.run(Fixtures.insert(id, 0)) }
        try await crashAndRestart(server)
        let left = try await survivors(stage)
        try expect(left, equals: Array(3...300).prefix(left.count).map(Int64.init), "rows, a prefix of the commits")
        let b = try await stage.session("B")
        try await b.run(Fixtures.insert(1_000, 0))
    }

    private static let uncommittedIsGone = ContractCase.postgres(
        "durability/uncommitted", "What was not committed is gone after a crash"
    ) { stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.insert(3, 0), Fixtures.set(1, 11))
        try await server.checkpoint()
        try await crashAndRestart(server)
        let b = try await stage.session("B")
        try expect(try await b.all(), equals: [1: 10, 2: 20], "rows after the crash")
    }

    private static let checkpointKeeps = ContractCase.postgres(
        "durability/checkpoint", "synchronous_commit=off: what was committed before a checkpoint survives a crash",
        options: asynchronous
    ) { stage, server in
        let a = try await stage.session("A")
        for id in 3...50 as ClosedRange<Int64> { try await a.run(Fixtures.insert(id, 0)) }
        try await server.checkpoint()
        try await crashAndRestart(server)
        try expect(try await survivors(stage), equals: Array(3...50), "rows after the crash")
    }

    private static let synchronousFlushesEarlier = ContractCase.postgres(
        "durability/synchronous-flushes-earlier",
        "A synchronous commit makes every earlier asynchronous one durable, too",
        options: asynchronous
    ) { stage, server in
        let a = try await stage.session("A")
        for id in 3...50 as ClosedRange<Int64> { try await a.run(Fixtures.insert(id, 0)) }
        _ = try await server.client(DatabaseOptions()).executeAtomically([Fixtures.insert(51, 0)])
        try await crashAndRestart(server)
        try expect(try await survivors(stage), equals: Array(3...51), "rows after the crash")
    }

    private static let locksAreGone = ContractCase.postgres(
        "durability/locks-are-gone", "A crash ends every transaction and its locks"
    ) { stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.read(1, lock: .forUpdate))
        try await crashAndRestart(server)
        let b = try await stage.session("B")
        try await b.run(Fixtures.set(1, 11))
    }

    /// An operation that is under way when the server stops answering and then dies.
    private static func lost(
        _ id: String, _ rule: String, begins: Bool, isUnknown: Bool,
        _ operation: @escaping @Sendable (any DatabaseSession) async throws -> Void
    ) -> ContractCase {
        .postgres("durability/\(id)", rule) { stage, server in
            let a = try await stage.session("A", begins ? .readCommitted : nil)
            try await a.run(begins ? Fixtures.set(1, 11) : Fixtures.read(1))
            try await server.pause()
            let step = a.start(operation)
            try await step.mustWait()
            try await server.crash()
            let error = try await step.databaseError()
            switch error {
            case .commitOutcomeUnknown: try expect(isUnknown, "the outcome is known: \(error)")
            case .connectionLost: try expect(!isUnknown, "the outcome is unknown: \(error)")
            default: throw ContractFailure("not a lost connection: \(error)")
            }
            try await server.start()
            let b = try await stage.session("B")
            if !isUnknown { try expect(try await b.all(), equals: [1: 10, 2: 20], "rows, without effect") }
        }
    }

    private static let commitLost = lost(
        "commit-outcome-unknown", "A connection lost during COMMIT leaves the outcome unknown", begins: true,
        isUnknown: true
    ) { try await $0.commit() }

    private static let executeLost = lost(
        "statement-lost", "A connection lost before COMMIT was sent: the transaction had no effect", begins: true,
        isUnknown: false
    ) { _ = try await $0.execute(Fixtures.set(2, 21)) }

    private static let ownTransactionLost = lost(
        "own-transaction-lost",
        "A connection lost while a statement outside a transaction runs leaves the outcome unknown",
        begins: false, isUnknown: true
    ) { _ = try await $0.execute(Fixtures.set(2, 21)) }

    private static let readLost = lost(
        "read-lost", "A connection lost while nothing is written leaves nothing unknown", begins: false,
        isUnknown: false
    ) { _ = try await $0.execute(Fixtures.read(1)) }

    private static let serverDown = ContractCase.postgres(
        "durability/server-down", "While the server is down, opening a connection fails as a lost one"
    ) { stage, server in
        try await server.crash()
        do {
            let session = try await server.client(DatabaseOptions()).connect()
            await session.close()
            throw ContractFailure("a connection to a server that is down")
        } catch let error as DatabaseError {
            guard case .connectionLost = error else { throw ContractFailure("not a lost connection: \(error)") }
            try expect(error.isSafeToRetry, "nothing was sent")
        }
        try await server.start()
    }

    private static let silentServer = ContractCase.postgres(
        "sessions/silent-server", "A server that answers nothing any more counts as lost after the response timeout",
        options: DatabaseOptions(responseTimeout: .milliseconds(500))
    ) { stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.read(1))
        try await server.pause()
        let step = a.start(Fixtures.set(1, 11))
        try await step.mustWait()
        guard case .connectionLost = try await step.databaseError() else {
            throw ContractFailure("not a lost connection")
        }
        try await server.resume()
    }

    private static let silentCommit = ContractCase.postgres(
        "sessions/silent-commit", "A COMMIT that a silent server does not answer leaves the outcome unknown",
        options: DatabaseOptions(responseTimeout: .milliseconds(500))
    ) { stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        try await server.pause()
        let step = a.startCommit()
        try await step.mustWait()
        guard case .commitOutcomeUnknown = try await step.databaseError() else {
            throw ContractFailure("the outcome is known")
        }
        try await server.resume()
        // The server reads what was sent when it wakes: the commit took effect after the client had given up.
        let b = try await stage.session("B")
        let deadline = stage.clock.monotonicNow + Stage.patience
        while try await b.value(1) != 11 {
            try expect(stage.clock.monotonicNow < deadline, "the commit takes effect")
            try await stage.pause(.milliseconds(10))
        }
    }

    private static let administratorEnds = ContractCase.postgres(
        "sessions/terminated",
        "A statement whose session the administrator ends fails with 57P01; an idle session is lost"
    ) { stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.set(1, 11))
        let b = try await stage.session("B", .readCommitted)
        let waiting = b.start(Fixtures.set(1, 12))
        try await waiting.mustWait()
        try await server.terminateSessions()
        try await waiting.mustFail(.adminShutdown)
        let error = try await a.start(Fixtures.read(1)).databaseError()
        guard case .connectionLost = error else { throw ContractFailure("not a lost connection: \(error)") }
        let c = try await stage.session("C")
        try expect(try await c.all(), equals: [1: 10, 2: 20], "rows, without effect")
    }

    private static let poolRecovers = ContractCase.postgres(
        "sessions/pool-recovers", "After a restart the pool hands out new connections, not the broken ones",
        options: DatabaseOptions(connectionLimit: 2)
    ) { stage, server in
        for _ in 0..<2 { _ = try await server.database.executeAtomically([Fixtures.add(1, to: 1)]) }
        try await crashAndRestart(server)
        for _ in 0..<4 { _ = try await server.database.executeAtomically([Fixtures.add(1, to: 1)]) }
        let a = try await stage.session("A")
        try expect(try await a.value(1), equals: 16, "row 1 after six increments")
    }

    private static let sequenceOfCrashes = ContractCase.postgres(
        "durability/crash-after-crash",
        "Recovery can itself be followed by a crash: acknowledged commits of both lives survive"
    ) { stage, server in
        for id in 3...5 as ClosedRange<Int64> {
            let a = try await stage.session("A\(id)")
            try await a.run(Fixtures.insert(id, 0))
            try await crashAndRestart(server)
        }
        try expect(try await survivors(stage), equals: [3, 4, 5], "rows after three crashes")
    }
}
