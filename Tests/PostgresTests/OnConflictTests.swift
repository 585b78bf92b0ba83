import Ports
import SimCore
import Testing

@Suite("ON CONFLICT")
struct OnConflictTests {
    private func insertOrSkip(_ id: Int64, owner: String? = nil) -> Statement {
        .insert(
            Insert(
                into: Accounts.table, rows: [Accounts.values(id, owner: owner)],
                onConflict: .doNothing(key: Accounts.table.primaryKey), returning: true))
    }

    private func upsert(_ id: Int64, balance: Int64, if condition: [Comparison] = []) -> Statement {
        .insert(
            Insert(
                into: Accounts.table, rows: [Accounts.values(id, balance: balance)],
                onConflict: .doUpdate(
                    key: Accounts.table.primaryKey, assignments: [.setExcluded(Accounts.balance)], condition: condition),
                returning: true))
    }

    @Test("DO NOTHING skips a committed row and does not return it")
    func doNothing() {
        let session = Accounts.server(1).session()
        let reply = session.run(insertOrSkip(1))
        #expect(reply?.affected == 0 && reply?.rows.isEmpty == true)
        #expect(session.run(insertOrSkip(2))?.rows.map(\.id) == [2])
    }

    @Test("DO NOTHING waits for an uncommitted rival, then skips")
    func doNothingWaits() {
        let host = Accounts.server(0)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.insert(1))
        second.run(insertOrSkip(1))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.affected == 0)
    }

    @Test("DO NOTHING inserts when the rival it waited for rolls back")
    func doNothingInserts() {
        let host = Accounts.server(0)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.insert(1))
        second.run(insertOrSkip(1))
        first.rollback()
        #expect(second.answer()?.affected == 1)
    }

    @Test("DO NOTHING on one key still fails on another")
    func otherKey() {
        let session = Accounts.server(1).session()
        #expect(session.run(insertOrSkip(2, owner: "owner 1"))?.sqlState == .uniqueViolation)
        let any = Statement.insert(
            Insert(
                into: Accounts.table, rows: [Accounts.values(2, owner: "owner 1")], onConflict: .doNothing(key: nil)))
        #expect(session.run(any)?.affected == 0)
    }

    @Test("DO UPDATE changes the existing row, with the values that were to be inserted")
    func doUpdate() {
        let session = Accounts.server(1).session()
        #expect(session.run(upsert(1, balance: 7))?.rows.map(\.balance) == [7])
        #expect(session.run(upsert(2, balance: 8))?.rows.map(\.balance) == [8])
        #expect(session.run(Accounts.selectAll())?.rows.map(\.balance) == [7, 8])
    }

    @Test("DO UPDATE waits for the writer of the row and updates its new version, even one it cannot see")
    func doUpdateWaits() {
        let host = Accounts.server(0)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.insert(1, balance: 3))
        second.run(upsert(1, balance: 9, if: [Accounts.balance == 3]))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.rows.map(\.balance) == [9])
    }

    @Test("DO UPDATE whose condition fails leaves the row alone, and locked")
    func doUpdateCondition() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        #expect(first.run(upsert(1, balance: 9, if: [Accounts.balance == 3]))?.affected == 0)
        second.run(Accounts.add(1, to: 1))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.rows.map(\.balance) == [101])
    }

    @Test("DO UPDATE cannot touch one row twice: 21000")
    func twice() {
        let session = Accounts.server(0).session()
        let statement = Statement.insert(
            Insert(
                into: Accounts.table, rows: [Accounts.values(1), Accounts.values(1)],
                onConflict: .doUpdate(
                    key: Accounts.table.primaryKey, assignments: [.setExcluded(Accounts.balance)], condition: [])))
        #expect(session.run(statement)?.sqlState == .cardinalityViolation)
    }

    @Test("Above READ COMMITTED a conflict with a row beyond the snapshot is 40001", arguments: [true, false])
    func beyondSnapshot(isUpdate: Bool) {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        second.begin(.repeatableRead)
        second.run(Accounts.select(1))
        first.commit(Accounts.insert(2))
        #expect(second.run(isUpdate ? upsert(2, balance: 1) : insertOrSkip(2))?.sqlState == .serializationFailure)
    }
}
