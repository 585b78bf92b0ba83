import Ports
import Testing

@testable import SimCore

@Suite("SERIALIZABLE")
struct SerializableTests {
    private let conflict = DatabaseError.statement(
        .serializationFailure, message: "could not serialize access due to read/write dependencies among transactions")

    @Test("Write skew: the second to commit fails with 40001, and a retry of it succeeds")
    func writeSkew() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        for session in [first, second] {
            session.begin(.serializable)
            session.run(Accounts.selectAll())
        }
        first.run(Accounts.add(-100, to: 1))
        #expect(second.run(Accounts.add(-100, to: 2))?.isSuccess == true)
        #expect(first.commit()?.isSuccess == true)
        #expect(second.commit()?.error == conflict)
        second.begin(.serializable)
        #expect(second.run(Accounts.selectAll())?.rows.map(\.balance).reduce(0, +) == 100)
        #expect(second.commit(Accounts.add(-100, to: 2))?.isSuccess == true)
    }

    @Test("A statement after the other's commit fails with 40001 already")
    func failsAtStatement() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        for session in [first, second] {
            session.begin(.serializable)
            session.run(Accounts.selectAll())
        }
        first.commit(Accounts.add(-100, to: 1))
        #expect(second.run(Accounts.add(-100, to: 2))?.error == conflict)
    }

    @Test("A transaction that was doomed by another's commit fails at its next statement")
    func doomed() {
        let host = Accounts.server(3)
        let (reader, pivot, writer) = (host.session(), host.session(), host.session())
        for session in [reader, pivot, writer] { session.begin(.serializable) }
        reader.run(Accounts.select(1))
        pivot.run(Accounts.select(2))
        writer.run(Accounts.select(3))
        pivot.run(Accounts.add(1, to: 1))
        writer.run(Accounts.add(1, to: 2))
        // reader -> pivot -> writer, and the writer is the first to commit.
        #expect(writer.commit()?.isSuccess == true)
        #expect(pivot.run(Accounts.select(3))?.error == conflict)
        #expect(reader.commit()?.isSuccess == true)
    }

    @Test("The order of commits counts: when the last of the chain does not commit first, nobody fails")
    func commitOrder() {
        let host = Accounts.server(3)
        let (reader, pivot, writer) = (host.session(), host.session(), host.session())
        for session in [reader, pivot, writer] { session.begin(.serializable) }
        reader.run(Accounts.select(1))
        pivot.run(Accounts.select(2))
        writer.run(Accounts.select(3))
        pivot.run(Accounts.add(1, to: 1))
        writer.run(Accounts.add(1, to: 2))
        #expect(reader.commit()?.isSuccess == true)
        #expect(pivot.commit()?.isSuccess == true)
        #expect(writer.commit()?.isSuccess == true)
    }

    @Test("The anomaly of the read-only transaction is prevented")
    func readOnlyAnomaly() {
        // Fekete, O'Neil, O'Neil 2004: a batch is closed, a receipt still goes into it, a report misses the receipt.
        let host = Accounts.server(2)
        let (receipt, closing, report) = (host.session(), host.session(), host.session())
        receipt.begin(.serializable)
        receipt.run(Accounts.select(1))
        closing.begin(.serializable)
        closing.commit(Accounts.set(Accounts.state, "closed", where: [Accounts.id == 1]))
        report.begin(.serializable)
        #expect(report.run(Accounts.select(1))?.rows.first?[Accounts.state] == "closed")
        report.commit(Accounts.selectAll(where: [Accounts.owner == "receipt"]))
        let insert = receipt.run(Accounts.insert(3, owner: "receipt"))
        #expect(insert?.error == conflict)
    }

    @Test("A read-only transaction whose snapshot precedes the first commit does no harm")
    func harmlessReader() {
        let host = Accounts.server(2)
        let (receipt, closing, report) = (host.session(), host.session(), host.session())
        receipt.begin(.serializable)
        receipt.run(Accounts.select(1))
        report.begin(.serializable)
        report.run(Accounts.select(1))
        closing.begin(.serializable)
        closing.commit(Accounts.set(Accounts.state, "closed", where: [Accounts.id == 1]))
        #expect(report.commit(Accounts.selectAll(where: [Accounts.owner == "receipt"]))?.isSuccess == true)
        #expect(receipt.commit(Accounts.insert(3, owner: "receipt"))?.isSuccess == true)
    }

    /// Two transactions that each look for something and insert what the other looks for.
    private func phantom(_ look: Statement) -> [SQLState?] {
        let host = Accounts.server(1)
        let sessions = [host.session(), host.session()]
        for session in sessions {
            session.begin(.serializable)
            session.run(look)
        }
        return sessions.enumerated().map { index, session in
            let owner = index == 0 ? "x" : "y"
            session.run(Accounts.insert(Int64(index + 20), owner: owner, state: "new"))
            return session.commit()?.sqlState
        }
    }

    @Test("Rows that were not there are protected as well: by a key, a list of keys, a range and a whole table")
    func phantoms() {
        let paths = [
            Accounts.selectAll(where: [Accounts.id.isIn([20, 21])]),
            Accounts.selectAll(where: [Accounts.owner.isIn(["x", "y"])]),
            Accounts.selectAll(where: [Accounts.state == "new"]),
            Accounts.selectAll(where: [Accounts.state >= "m", Accounts.state < "p"]),
            Accounts.selectAll(where: [Accounts.balance == 100]),
            Accounts.selectAll(where: [Accounts.id > 10]),
        ]
        for path in paths {
            let outcome = phantom(path)
            #expect(outcome[0] == nil)
            #expect(outcome[1] == .serializationFailure || outcome[1] == .inFailedTransaction, "\(path)")
        }
    }

    @Test("What lies beside the range that was read does not conflict")
    func besideTheRange() {
        for path in [
            Accounts.selectAll(where: [Accounts.id.isIn([30, 31])]),
            Accounts.selectAll(where: [Accounts.state == "old"]),
            Accounts.selectAll(where: [Accounts.state > "o", Accounts.state < "x"]),
        ] {
            #expect(phantom(path) == [nil, nil], "\(path)")
        }
    }

    @Test("A scan that stopped at its limit has read no further")
    func limitedScan() {
        let host = Accounts.server(0)
        let setUp = host.session()
        for id in 1...5 { setUp.commit(Accounts.insert(Int64(id), state: "s\(id)")) }
        func attempt(_ states: [String], _ firstID: Int64) -> [SQLState?] {
            let sessions = [host.session(), host.session()]
            let look = Select(
                from: Accounts.table, where: [Accounts.state >= "s2"], orderedBy: [.ascending(Accounts.state)], limit: 2
            )
            for session in sessions {
                session.begin(.serializable)
                session.run(.select(look))
            }
            return sessions.enumerated().map { index, session in
                session.commit(
                    Accounts.insert(firstID + Int64(index), owner: states[index], state: states[index]))?
                    .sqlState
            }
        }
        #expect(attempt(["s40", "s41"], 10) == [nil, nil])
        #expect(attempt(["s20", "s21"], 20) == [nil, .serializationFailure])
    }

    @Test("A row that was looked at and did not match is protected as well")
    func lookedAtButNotMatched() {
        let host = Accounts.server(2)
        let sessions = [host.session(), host.session()]
        for session in sessions {
            session.begin(.serializable)
            #expect(
                session.run(Accounts.selectAll(where: [Accounts.state == "open", Accounts.balance > 500]))?.affected
                    == 0)
        }
        #expect(sessions[0].commit(Accounts.add(900, to: 1))?.isSuccess == true)
        #expect(sessions[1].commit(Accounts.add(900, to: 2))?.sqlState == .serializationFailure)
    }

    @Test("Two that both found a key free and insert it: the loser gets 40001, not 23505")
    func lostRace() {
        let host = Accounts.server(0)
        let sessions = [host.session(), host.session()]
        for session in sessions {
            session.begin(.serializable)
            session.run(Accounts.select(1))
        }
        sessions[0].run(Accounts.insert(1))
        sessions[1].run(Accounts.insert(1))
        #expect(sessions[1].isWaiting)
        sessions[0].commit()
        #expect(sessions[1].answer()?.error == conflict)
        let blind = host.session()
        blind.begin(.serializable)
        #expect(blind.run(Accounts.insert(1))?.sqlState == .uniqueViolation, "it had not looked")
    }

    @Test("DO NOTHING on an existing row has read it")
    func doNothingReads() {
        let host = Accounts.server(2)
        let sessions = [host.session(), host.session()]
        for (index, session) in sessions.enumerated() {
            session.begin(.serializable)
            let values = Accounts.values(Int64(index + 1))
            session.run(.insert(Insert(into: Accounts.table, rows: [values], onConflict: .doNothing(key: nil))))
        }
        #expect(sessions[0].commit(Accounts.delete(2))?.isSuccess == true)
        #expect(sessions[1].commit(Accounts.delete(1))?.sqlState == .serializationFailure)
    }

    @Test("Transactions of lower levels take no part")
    func lowerLevels() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        first.begin(.serializable)
        second.begin(.repeatableRead)
        for session in [first, second] { session.run(Accounts.selectAll()) }
        first.run(Accounts.add(-100, to: 1))
        second.run(Accounts.add(-100, to: 2))
        #expect(first.commit()?.isSuccess == true)
        #expect(second.commit()?.isSuccess == true)
    }

    @Test("A transaction that waits for its WAL sync cannot be the victim any more")
    func preparedIsSafe() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        for session in [first, second] {
            session.begin(.serializable)
            session.run(Accounts.selectAll())
        }
        host.syncsAtOnce = false
        first.commit(Accounts.add(-100, to: 1))
        #expect(second.run(Accounts.add(-100, to: 2))?.error == conflict)
        host.finishSync()
        #expect(first.answer()?.isSuccess == true)
    }

    @Test("Locks and edges are forgotten once nobody overlaps them")
    func memory() {
        let host = Accounts.server(3)
        let (long, short) = (host.session(), host.session())
        for round in 0..<50 {
            if round == 10 {
                long.begin(.serializable)
                long.run(Accounts.select(3))
            }
            short.begin(.serializable)
            short.run(Accounts.select(Int64(round % 2 + 1)))
            short.commit(Accounts.add(1, to: 1))
            if round < 10 { #expect(host.server.serialization.count == 0) }
        }
        #expect(host.server.serialization.count == 41)
        long.commit()
        #expect(host.server.serialization.count == 0)
        #expect(host.server.serialization.readLockCount == 0)
    }
}
