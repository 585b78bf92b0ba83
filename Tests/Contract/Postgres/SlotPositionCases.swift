import Ports

/// Where a slot stands: what is confirmed, what is held back, and what a crash does to it.
enum SlotPositionCases {
    static let all: [ContractCase] = [
        unconfirmedAgain, confirmedNotAgain, partlyConfirmed, confirmMovesSlot, startLater, startEarlier, oneConsumer,
        freeAfterClose, createTwice, dropMissing, dropActive, openMissing, missingIsNil, dropped, badName,
        crashSetsBack, checkpointAlone, shutdownPersists, restartMovePersists, openTransactionHolds, restartAdvances,
        slotLost, brokenByCrash, currentGrows,
        backlog, twoSlots, confirmGoesForwardOnly,
    ]

    private static func insert(_ ids: ClosedRange<Int64>, _ stage: Stage) async throws {
        let session = try await stage.session("writer")
        for id in ids { try await session.run(Fixtures.insert(id, 0)) }
    }
    /// Ids inserted by each transaction.
    private static func ids(_ transactions: [CommittedTransaction]) -> [Int64] {
        transactions.flatMap { $0.changes.map(\.change) }.compactMap { change in
            if case .insert(let row) = change { row.int64(Fixtures.id) } else { nil }
        }
    }

    private static let unconfirmedAgain = ContractCase.slot(
        "unconfirmed-again", "What was handed out and not confirmed comes again when the slot is opened again"
    ) { stage, server in
        try await insert(3...5, stage)
        let first = try await Slots.consume(server) { try await $0.collect(3) }
        let second = try await Slots.consume(server) { try await $0.collect(3) }
        try expect(second, equals: first, "transactions")
    }

    private static let confirmedNotAgain = ContractCase.slot(
        "confirmed-not-again", "What was confirmed does not come again"
    ) { stage, server in
        try await insert(3...5, stage)
        try await Slots.consume(server) { stream in
            let found = try await stream.collect(3)
            try await stream.confirm(found[2].endLSN)
        }
        try await insert(6...6, stage)
        let again = try await Slots.consume(server) { try await $0.collect(2, timeout: .milliseconds(500)) }
        try expect(ids(again), equals: [6], "ids that come")
    }

    private static let partlyConfirmed = ContractCase.slot(
        "partly-confirmed", "Confirming up to a transaction's end confirms it and all before, and none after"
    ) { stage, server in
        try await insert(3...6, stage)
        try await Slots.consume(server) { stream in
            let found = try await stream.collect(4)
            try await stream.confirm(found[1].endLSN)
        }
        let again = try await Slots.consume(server) { try await $0.collect(3, timeout: .milliseconds(500)) }
        try expect(ids(again), equals: [5, 6], "ids that come again")
    }

    private static let confirmMovesSlot = ContractCase.slot(
        "confirmed-flush-lsn", "The server shows what was confirmed, and whether the slot is in use"
    ) { stage, server in
        try await insert(3...4, stage)
        try expect(try await Slots.slot(server).isActive, equals: false, "in use before")
        try await Slots.consume(server) { stream in
            let found = try await stream.collect(2)
            let before = try await Slots.slot(server)
            try expect(before.isActive, equals: true, "in use meanwhile")
            try expect(before.confirmedFlushLSN < found[0].endLSN, "nothing is confirmed yet")
            try await stream.confirm(found[1].endLSN)
            try await eventually(stage, "the slot shows what was confirmed") {
                try await Slots.slot(server).confirmedFlushLSN >= found[1].endLSN
            }
        }
        try expect(try await Slots.slot(server).isActive, equals: false, "in use afterwards")
    }

    private static let startLater = ContractCase.slot(
        "start-later", "Opening from a later position leaves out what was committed before it"
    ) { stage, server in
        try await insert(3...5, stage)
        let found = try await Slots.consume(server) { try await $0.collect(3) }
        let rest = try await Slots.consume(server, from: found[1].endLSN) {
            try await $0.collect(2, timeout: .milliseconds(500))
        }
        try expect(ids(rest), equals: [5], "ids")
    }

    private static let startEarlier = ContractCase.slot(
        "start-earlier", "Opening from an earlier position than the confirmed one starts at the confirmed one"
    ) { stage, server in
        try await insert(3...5, stage)
        let found = try await Slots.consume(server) { stream in
            let found = try await stream.collect(3)
            try await stream.confirm(found[1].endLSN)
            return found
        }
        let rest = try await Slots.consume(server, from: found[0].commitLSN) {
            try await $0.collect(3, timeout: .milliseconds(500))
        }
        try expect(ids(rest), equals: [5], "ids")
    }

    private static let oneConsumer = ContractCase.slot("one-consumer", "A slot has one consumer: another gets 55006") {
        stage, server in
        try await Slots.consume(server) { stream in
            try await fails(.objectInUse) { await (try await server.changeStreams.open(Slots.name, from: nil)).close() }
            try await insert(3...3, stage)
            try expect(ids(try await stream.collect(1)), equals: [3], "ids at the first consumer")
        }
    }

    private static let freeAfterClose = ContractCase.slot(
        "free-after-close", "After a consumer closed it, a slot can be opened at once"
    ) { _, server in
        for _ in 0..<5 { try await Slots.consume(server) { _ in } }
    }

    private static let createTwice = ContractCase.slot("create-twice", "Creating a slot that exists fails with 42710") {
        _, server in
        try await fails(.duplicateObject) { try await server.changeStreams.createSlot(Slots.name, tables: ["test"]) }
    }

    private static let dropMissing = ContractCase.postgres(
        "slots/drop-missing", "Dropping a slot that does not exist fails with 42704"
    ) { _, server in
        try await fails(.undefinedObject) { try await server.changeStreams.dropSlot(Slots.name) }
    }

    private static let dropActive = ContractCase.slot(
        "drop-active", "Dropping a slot that is consumed fails with 55006"
    ) {
        _, server in
        try await Slots.consume(server) { _ in
            try await fails(.objectInUse) { try await server.changeStreams.dropSlot(Slots.name) }
        }
    }

    private static let openMissing = ContractCase.postgres(
        "slots/open-missing", "Opening a slot that does not exist fails with 42704"
    ) { _, server in
        try await fails(.undefinedObject) { await (try await server.changeStreams.open(Slots.name, from: nil)).close() }
    }

    private static let missingIsNil = ContractCase.postgres(
        "slots/missing", "A slot that does not exist is reported as absent"
    ) {
        _, server in
        try expect(try await server.changeStreams.slot(Slots.name), equals: nil, "slot")
    }

    private static let dropped = ContractCase.slot(
        "dropped", "A slot created again after it was dropped begins anew: what lies between is lost"
    ) { stage, server in
        try await server.changeStreams.dropSlot(Slots.name)
        try expect(try await server.changeStreams.slot(Slots.name), equals: nil, "slot after the drop")
        try await insert(3...4, stage)
        try await server.changeStreams.createSlot(Slots.name, tables: ["test"])
        try await insert(5...5, stage)
        let found = try await Slots.consume(server) { try await $0.collect(2, timeout: .milliseconds(500)) }
        try expect(ids(found), equals: [5], "ids")
    }

    private static let badName = ContractCase.postgres(
        "slots/bad-name", "A slot name with other than a-z, 0-9 and _ fails with 42602"
    ) {
        _, server in
        try await fails(SQLState(rawValue: "42602")) {
            try await server.changeStreams.createSlot("Not-Plain", tables: ["test"])
        }
    }

    /// Inserts rows and confirms them on an open stream, and waits until the server shows it.
    private static func insertAndConfirm(
        _ ids: ClosedRange<Int64>, _ stream: any ChangeStream, _ stage: Stage, _ server: any DatabaseServer
    ) async throws -> [CommittedTransaction] {
        try await insert(ids, stage)
        let found = try await stream.collect(ids.count)
        try await stream.confirm(found[ids.count - 1].endLSN)
        try await eventually(stage, "the slot shows what was confirmed") {
            try await Slots.slot(server).confirmedFlushLSN >= found[ids.count - 1].endLSN
        }
        return found
    }

    private static let crashSetsBack = ContractCase.slot(
        "crash-sets-back", "A crash sets a slot back: transactions that were confirmed come again"
    ) { stage, server in
        let confirmed = try await Slots.consume(server) { stream in
            // The first confirmation may let the restart position move, which saves the slot.
            _ = try await insertAndConfirm(3...4, stream, stage, server)
            return try await insertAndConfirm(5...6, stream, stage, server)
        }
        try await server.crash()
        try await server.start()
        try expect(try await Slots.slot(server).confirmedFlushLSN < confirmed[0].endLSN, "the position went back")
        let again = try await Slots.consume(server) { try await $0.collect(4, timeout: .milliseconds(500)) }
        try expect(Array(again.suffix(2)), equals: confirmed, "transactions that come again")
    }

    private static let checkpointAlone = ContractCase.slot(
        "checkpoint-alone", "A checkpoint does not save a confirmation that moved nothing but the confirmed position"
    ) { stage, server in
        let confirmed = try await Slots.consume(server) { stream in
            _ = try await insertAndConfirm(3...4, stream, stage, server)
            return try await insertAndConfirm(5...6, stream, stage, server)
        }
        try await server.checkpoint()
        try await server.crash()
        try await server.start()
        let again = try await Slots.consume(server) { try await $0.collect(4, timeout: .milliseconds(500)) }
        try expect(Array(again.suffix(2)), equals: confirmed, "transactions that come again")
    }

    private static let shutdownPersists = ContractCase.slot(
        "shutdown-saves", "A clean shutdown saves what was confirmed: it does not come again"
    ) { stage, server in
        try await Slots.consume(server) { stream in
            _ = try await insertAndConfirm(3...4, stream, stage, server)
            _ = try await insertAndConfirm(5...6, stream, stage, server)
        }
        try await server.shutDown()
        try await server.start()
        try await insert(7...7, stage)
        let again = try await Slots.consume(server) { try await $0.collect(2, timeout: .milliseconds(500)) }
        try expect(ids(again), equals: [7], "ids that come")
    }

    private static let restartMovePersists = ContractCase.slot(
        "restart-move-saves",
        "A confirmation that lets restart_lsn move is saved with it: a crash does not take it back"
    ) { stage, server in
        try await insert(3...4, stage)
        let bound = try await server.changeStreams.currentLSN()
        let hasMoved = try await confirmAll(stage, server, until: { $0.restartLSN > bound }, rounds: 20)
        try expect(hasMoved, "restart_lsn passes what was written at the beginning")
        try await server.crash()
        try await server.start()
        let slot = try await Slots.slot(server)
        try expect(slot.restartLSN > bound && slot.confirmedFlushLSN > bound, "the position after the crash: \(slot)")
    }

    /// Confirms everything while checkpoints give the slot the chance to move its restart position.
    private static func confirmAll(
        _ stage: Stage, _ server: any DatabaseServer, until condition: (ReplicationSlot) -> Bool, rounds: Int
    ) async throws -> Bool {
        try await Slots.consume(server) { stream in
            for round in 0..<rounds {
                try await insert(Int64(1_000 + round)...Int64(1_000 + round), stage)
                for transaction in try await stream.collect(1_000, timeout: .milliseconds(200)) {
                    try await stream.confirm(transaction.endLSN)
                }
                try await server.checkpoint()
                if condition(try await Slots.slot(server)) { return true }
            }
            return false
        }
    }

    private static let openTransactionHolds = ContractCase.slot(
        "open-transaction-holds", "An open transaction holds restart_lsn back, however much is confirmed"
    ) { stage, server in
        let a = try await stage.session("A", .readCommitted)
        try await a.run(Fixtures.insert(3, 30))
        let bound = try await server.changeStreams.currentLSN()
        let hasPassed = try await confirmAll(stage, server, until: { $0.restartLSN > bound }, rounds: 5)
        try expect(!hasPassed, "restart_lsn stays below what the open transaction wrote")
        let slot = try await Slots.slot(server)
        try expect(slot.confirmedFlushLSN > bound, "the confirmed position goes on")
        try await a.commit()
    }

    private static let restartAdvances = ContractCase.slot(
        "restart-advances", "Without open transactions restart_lsn follows what is confirmed"
    ) { stage, server in
        try await insert(3...4, stage)
        let bound = try await server.changeStreams.currentLSN()
        let hasPassed = try await confirmAll(stage, server, until: { $0.restartLSN > bound }, rounds: 20)
        try expect(hasPassed, "restart_lsn passes what was written at the beginning")
    }

    private static let slotLost = ContractCase.slot(
        "lost", "A slot that would hold more than max_slot_wal_keep_size is lost, and opening it fails with 55000"
    ) { stage, server in
        try await insert(3...4, stage)
        try expect(try await Slots.slot(server).status, equals: .reserved, "status before")
        try await server.exceedSlotLimit()
        try expect(try await Slots.slot(server).status, equals: .lost, "status afterwards")
        try await fails(.objectNotInPrerequisiteState) {
            await (try await server.changeStreams.open(Slots.name, from: nil)).close()
        }
        try await server.changeStreams.dropSlot(Slots.name)
    }

    private static let brokenByCrash = ContractCase.slot(
        "stream-broken", "A crash breaks the stream as a lost connection; opened again it goes on"
    ) { stage, server in
        let stream = try await server.changeStreams.open(Slots.name, from: nil)
        try await insert(3...3, stage)
        let first = try await stream.collect(1)
        try await stream.confirm(first[0].endLSN)
        try await server.crash()
        do {
            _ = try await stream.next(maximumTransactions: 1, timeout: .seconds(10))
            throw ContractFailure("a stream from a dead server")
        } catch let error as DatabaseError {
            guard case .connectionLost = error else { throw ContractFailure("not a lost connection: \(error)") }
        }
        await stream.close()
        try await server.start()
        try await insert(4...4, stage)
        let again = try await Slots.consume(server) { try await $0.collect(2, timeout: .seconds(1)) }
        try expect(ids(again).last, equals: 4, "the last id that comes")
    }

    private static let currentGrows = ContractCase.postgres(
        "slots/current-lsn", "The server's position grows with every commit"
    ) {
        stage, server in
        var last = try await server.changeStreams.currentLSN()
        for id in 3...5 as ClosedRange<Int64> {
            try await insert(id...id, stage)
            let now = try await server.changeStreams.currentLSN()
            try expect(now > last, "the position grows")
            last = now
        }
    }

    private static let backlog = ContractCase.slot(
        "backlog", "A slot that nobody consumes falls behind the server's position, and nothing is lost meanwhile"
    ) { stage, server in
        let before = try await Slots.slot(server)
        try await insert(3...42, stage)
        let after = try await Slots.slot(server)
        try expect(after.confirmedFlushLSN, equals: before.confirmedFlushLSN, "the confirmed position")
        try expect(after.restartLSN, equals: before.restartLSN, "the restart position")
        let found = try await Slots.consume(server) { try await $0.collect(40) }
        try expect(ids(found), equals: Array(3...42), "ids")
    }

    private static let twoSlots = ContractCase.slot("two-slots", "Two slots stand where their own consumers left them")
    {
        stage, server in
        try await server.changeStreams.createSlot("contract_2", tables: ["test"])
        try await insert(3...4, stage)
        try await Slots.consume(server) { stream in
            let found = try await stream.collect(2)
            try await stream.confirm(found[1].endLSN)
        }
        let other = try await server.changeStreams.open("contract_2", from: nil)
        let found = try await other.collect(2)
        await other.close()
        try expect(ids(found), equals: [3, 4], "ids at the second slot")
        try await server.changeStreams.dropSlot("contract_2")
    }

    private static let confirmGoesForwardOnly = ContractCase.slot(
        "confirm-forward-only", "Confirming an earlier position than before changes nothing"
    ) { stage, server in
        try await insert(3...5, stage)
        try await Slots.consume(server) { stream in
            let found = try await stream.collect(3)
            try await stream.confirm(found[2].endLSN)
            try await stream.confirm(found[0].endLSN)
        }
        let again = try await Slots.consume(server) { try await $0.collect(1, timeout: .milliseconds(500)) }
        try expect(ids(again), equals: [], "ids that come again")
    }
}

/// Waits until a condition holds.
func eventually(
    _ stage: Stage, _ what: String, file: String = #fileID, line: UInt = #line, _ condition: () async throws -> Bool
) async throws {
    let deadline = stage.clock.monotonicNow + Stage.patience
    while try await !condition() {
        guard stage.clock.monotonicNow < deadline else {
            throw ContractFailure("not in \(Stage.patience): \(what)", file: file, line: line)
        }
        try await stage.pause(.milliseconds(10))
    }
}

/// Checks that a call is refused with that state.
func fails(
    _ state: SQLState, file: String = #fileID, line: UInt = #line, _ operation: () async throws -> Void
) async throws {
    do {
        try await operation()
    } catch let error as DatabaseError {
        guard error.sqlState == state else {
            throw ContractFailure("must fail with \(state), but got \(error)", file: file, line: line)
        }
        return
    }
    throw ContractFailure("must fail with \(state), but succeeded", file: file, line: line)
}
