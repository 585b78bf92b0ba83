import Ports
import SimCore
import Testing

@Suite("READ COMMITTED")
struct ReadCommittedTests {
    @Test("Each statement sees what was committed before it began")
    func snapshotPerStatement() throws {
        let host = Accounts.server(1)
        let (reader, writer) = (host.session(), host.session())
        reader.begin()
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 100)
        writer.begin()
        writer.run(Accounts.add(5, to: 1))
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 100)
        writer.commit()
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 105)
    }

    @Test("A transaction sees its own changes, others only after the commit")
    func ownChanges() throws {
        let host = Accounts.server(1)
        let (writer, reader) = (host.session(), host.session())
        writer.begin()
        writer.run(Accounts.insert(2))
        writer.run(Accounts.delete(1))
        #expect(writer.run(Accounts.selectAll())?.rows.map(\.id) == [2])
        #expect(reader.run(Accounts.selectAll())?.rows.map(\.id) == [1])
        writer.commit()
        #expect(reader.run(Accounts.selectAll())?.rows.map(\.id) == [2])
    }

    @Test("An update waits for a concurrent writer, then works on the new version")
    func updateWaits() throws {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.add(-30, to: 1))
        second.begin()
        second.run(Accounts.add(-50, to: 1))
        #expect(second.isWaiting)
        first.commit()
        #expect(!second.isWaiting)
        #expect(second.answer()?.rows.first?.balance == 20)
        second.commit()
        #expect(first.run(Accounts.select(1))?.rows.first?.balance == 20)
    }

    @Test("After the wait the condition is evaluated again on the new version")
    func reevaluation() throws {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.add(-80, to: 1))
        second.run(Accounts.add(-80, to: 1, if: [Accounts.balance >= 80]))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.affected == 0)
    }

    @Test("A waiting update goes on with the old version when the writer rolls back")
    func rollbackOfRival() throws {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.add(-80, to: 1))
        second.run(Accounts.add(-80, to: 1, if: [Accounts.balance >= 80]))
        first.rollback()
        #expect(second.answer()?.rows.first?.balance == 20)
    }

    @Test("Rows that begin to match while a statement waits are not found")
    func newMatchesAreNotFound() throws {
        // The example of the documentation, 13.2.1: hits 9 and 10, both incremented, and DELETE WHERE hits = 10.
        let host = Accounts.server(0)
        let (first, second) = (host.session(), host.session())
        first.commit(Accounts.insert(1, balance: 9), Accounts.insert(2, balance: 10))
        first.begin()
        first.run(.update(Update(Accounts.table, set: [.increment(Accounts.balance, by: 1)], where: [])))
        second.run(.delete(Delete(from: Accounts.table, where: [Accounts.balance == 10])))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.affected == 0)
        #expect(second.run(Accounts.selectAll())?.rows.map(\.balance) == [10, 11])
    }

    @Test("A row that was deleted meanwhile is skipped")
    func deletedMeanwhile() throws {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.delete(1))
        second.run(.update(Update(Accounts.table, set: [.increment(Accounts.balance, by: 1)], where: [])))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.affected == 1)
    }

    @Test("Reading, then writing what was computed, loses an update")
    func lostUpdate() throws {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        second.begin()
        let seenByFirst = try #require(first.run(Accounts.select(1))?.rows.first?.balance)
        let seenBySecond = try #require(second.run(Accounts.select(1))?.rows.first?.balance)
        first.run(Accounts.set(Accounts.balance, .int64(seenByFirst + 10), where: [Accounts.id == 1]))
        first.commit()
        second.run(Accounts.set(Accounts.balance, .int64(seenBySecond + 10), where: [Accounts.id == 1]))
        second.commit()
        #expect(first.run(Accounts.select(1))?.rows.first?.balance == 110)
    }

    @Test("Readers never wait for writers")
    func readersDoNotWait() throws {
        let host = Accounts.server(1)
        let (writer, reader) = (host.session(), host.session())
        writer.begin()
        writer.run(Accounts.add(1, to: 1))
        #expect(reader.run(Accounts.select(1))?.rows.count == 1)
    }

    @Test("A row whose condition fails after the wait stays locked until the transaction ends")
    func failedReevaluationKeepsTheLock() throws {
        let host = Accounts.server(1)
        let (first, second, third) = (host.session(), host.session(), host.session())
        first.begin()
        first.run(Accounts.add(-80, to: 1))
        second.begin()
        second.run(Accounts.add(-80, to: 1, if: [Accounts.balance >= 80]))
        first.commit()
        #expect(second.answer()?.affected == 0)
        third.run(Accounts.add(1, to: 1))
        #expect(third.isWaiting)
        second.commit()
        #expect(third.answer()?.affected == 1)
    }
}
