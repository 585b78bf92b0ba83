import Ports
import SimCore
import Testing

@Suite("Unique keys")
struct UniqueKeyTests {
    private let duplicate = DatabaseError.statement(
        .uniqueViolation, message: "duplicate key value violates unique constraint \"accounts_pkey\"",
        constraint: "accounts_pkey")

    @Test("A committed row of the same key is 23505, named by its constraint")
    func duplicates() {
        let host = Accounts.server(1)
        let session = host.session()
        #expect(session.commit(Accounts.insert(1, owner: "other"))?.error == duplicate)
        let reply = session.commit(Accounts.insert(2, owner: "owner 1"))
        #expect(
            reply?.error
                == .statement(
                    .uniqueViolation,
                    message: "duplicate key value violates unique constraint \"accounts_owner_key\"",
                    constraint: "accounts_owner_key"))
    }

    @Test("An inserter waits for an uncommitted rival and gets 23505 when that commits")
    func rivalCommits() {
        let host = Accounts.server(0)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.insert(1))
        second.run(Accounts.insert(1, owner: "second"))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.error == duplicate)
    }

    @Test("It proceeds when the rival rolls back")
    func rivalRollsBack() {
        let host = Accounts.server(0)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.insert(1))
        second.run(Accounts.insert(1, owner: "second"))
        first.rollback()
        #expect(second.answer()?.affected == 1)
        #expect(first.run(Accounts.select(1))?.rows.first?[Accounts.owner] == "second")
    }

    @Test("An inserter waits for the transaction that deletes the rival")
    func rivalIsDeleted() {
        let host = Accounts.server(1)
        let (first, second, third) = (host.session(), host.session(), host.session())
        first.begin()
        first.run(Accounts.delete(1))
        second.run(Accounts.insert(1))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.affected == 1)
        third.begin()
        third.run(Accounts.delete(1))
        second.run(Accounts.insert(1))
        third.rollback()
        #expect(second.answer()?.error == duplicate)
    }

    @Test("The conflict counts whatever the snapshot sees")
    func conflictBeyondSnapshot() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        second.begin(.repeatableRead)
        second.run(Accounts.select(1))
        first.commit(Accounts.insert(2))
        #expect(second.run(Accounts.select(2))?.rows.count == 0)
        #expect(second.run(Accounts.insert(2))?.sqlState == .uniqueViolation)
    }

    @Test("Rivals for a freed key: one gets it, the next waits for that one")
    func twoWaiters() {
        let host = Accounts.server(0)
        let sessions = (0..<3).map { _ in host.session() }
        for session in sessions {
            session.begin()
            session.run(Accounts.insert(1))
        }
        #expect(sessions.map(\.isWaiting) == [false, true, true])
        sessions[0].rollback()
        #expect(sessions[1].answer()?.affected == 1)
        #expect(sessions[2].isWaiting)
        sessions[1].commit()
        #expect(sessions[2].answer()?.error == duplicate)
    }

    @Test("A row that waits for a rival of its second key already blocks its first key")
    func firstKeyIsTaken() {
        let host = Accounts.server(0)
        let (first, second, third) = (host.session(), host.session(), host.session())
        first.begin()
        first.run(Accounts.insert(1, owner: "ann"))
        second.begin()
        second.run(Accounts.insert(2, owner: "ann"))
        #expect(second.isWaiting)
        third.run(Accounts.insert(2, owner: "bob"))
        #expect(third.isWaiting)
        first.commit()
        #expect(second.answer()?.sqlState == .uniqueViolation)
        #expect(third.answer()?.affected == 1)
    }

    @Test("An update that takes a key waits for and conflicts with rivals like an insert")
    func updateOfKey() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        #expect(
            first.run(Accounts.set(Accounts.owner, "owner 2", where: [Accounts.id == 1]))?.sqlState == .uniqueViolation)
        first.begin()
        first.run(Accounts.insert(3, owner: "carol"))
        second.run(Accounts.set(Accounts.owner, "carol", where: [Accounts.id == 1]))
        #expect(second.isWaiting)
        first.rollback()
        #expect(second.answer()?.rows.first?[Accounts.owner] == "carol")
    }

    @Test("Nulls in a unique key never conflict")
    func nullsAreDistinct() {
        let table = Table(
            "tags", columns: [.column("id", .int64), .column("tag", .text, nullable: true)], primaryKey: ["id"],
            unique: [["tag"]])
        let host = ScriptedServer([table])
        let session = host.session()
        let reply = session.commit(.insert(Insert(into: table, rows: [[1, nil], [2, nil], [3, "a"]])))
        #expect(reply?.affected == 3)
        #expect(session.commit(.insert(Insert(into: table, rows: [[4, "a"]])))?.sqlState == .uniqueViolation)
    }

    @Test("A key that was given up and taken back in one transaction is still its own")
    func keyComesBack() {
        let host = Accounts.server(1)
        let session = host.session()
        for _ in 0..<3 {
            session.begin()
            session.run(Accounts.set(Accounts.owner, "x", where: [Accounts.id == 1]))
            session.commit(Accounts.set(Accounts.owner, "owner 1", where: [Accounts.id == 1]))
        }
        let byOwner = Statement.select(Select(from: Accounts.table, where: [Accounts.owner == "owner 1"]))
        #expect(session.run(byOwner)?.rows.map(\.id) == [1])
        #expect(session.run(.select(Select(from: Accounts.table, where: [Accounts.owner == "x"])))?.rows.count == 0)
    }
}
