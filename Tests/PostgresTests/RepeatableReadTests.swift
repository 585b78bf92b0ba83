import Ports
import SimCore
import Testing

@Suite("REPEATABLE READ")
struct RepeatableReadTests {
    @Test("The snapshot is taken with the first statement and kept")
    func snapshotPerTransaction() {
        let host = Accounts.server(1)
        let (reader, writer) = (host.session(), host.session())
        reader.begin(.repeatableRead)
        writer.commit(Accounts.add(1, to: 1))
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 101)
        writer.commit(Accounts.add(1, to: 1), Accounts.insert(2))
        #expect(reader.run(Accounts.selectAll())?.rows.map(\.balance) == [101])
        reader.commit()
        #expect(reader.run(Accounts.selectAll())?.rows.map(\.balance) == [102, 100])
    }

    @Test("A row that was updated since the snapshot cannot be updated: 40001")
    func updatedSinceSnapshot() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        second.begin(.repeatableRead)
        second.run(Accounts.select(1))
        first.commit(Accounts.add(1, to: 1))
        let reply = second.run(Accounts.add(1, to: 1))
        #expect(
            reply?.error
                == .statement(.serializationFailure, message: "could not serialize access due to concurrent update"))
    }

    @Test("First updater wins: the one that waited gets 40001 when the other commits")
    func firstUpdaterWins() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin(.repeatableRead)
        second.begin(.repeatableRead)
        second.run(Accounts.select(1))
        first.run(Accounts.add(1, to: 1))
        second.run(Accounts.add(1, to: 1))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.sqlState == .serializationFailure)
    }

    @Test("It goes on when the other rolls back")
    func rivalRollsBack() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin(.repeatableRead)
        second.begin(.repeatableRead)
        second.run(Accounts.select(1))
        first.run(Accounts.add(1, to: 1))
        second.run(Accounts.add(5, to: 1))
        first.rollback()
        #expect(second.answer()?.rows.first?.balance == 105)
    }

    @Test("It goes on when the other had only locked the row")
    func rivalOnlyLocked() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        second.begin(.repeatableRead)
        second.run(Accounts.select(1))
        first.run(Accounts.select(1, lock: .forUpdate))
        second.run(Accounts.add(5, to: 1))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.rows.first?.balance == 105)
    }

    @Test("A row that was deleted since the snapshot cannot be locked: 40001")
    func deletedSinceSnapshot() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        second.begin(.repeatableRead)
        second.run(Accounts.select(2))
        first.commit(Accounts.delete(1))
        let reply = second.run(Accounts.select(1, lock: .forUpdate))
        #expect(
            reply?.error
                == .statement(.serializationFailure, message: "could not serialize access due to concurrent delete"))
    }

    @Test("Write skew is allowed")
    func writeSkew() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        first.begin(.repeatableRead)
        second.begin(.repeatableRead)
        #expect(first.run(Accounts.selectAll())?.rows.map(\.balance).reduce(0, +) == 200)
        #expect(second.run(Accounts.selectAll())?.rows.map(\.balance).reduce(0, +) == 200)
        first.run(Accounts.add(-100, to: 1))
        second.run(Accounts.add(-100, to: 2))
        #expect(first.commit()?.isSuccess == true)
        #expect(second.commit()?.isSuccess == true)
    }

    @Test("The snapshot keeps old versions; they are freed when it ends")
    func oldVersionsAreKept() {
        let host = Accounts.server(1)
        let (reader, writer) = (host.session(), host.session())
        reader.begin(.repeatableRead)
        reader.run(Accounts.select(1))
        for _ in 0..<100 { writer.commit(Accounts.add(1, to: 1)) }
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 100)
        #expect(host.server.storedVersionCount > 50)
        reader.commit()
        writer.commit(Accounts.add(1, to: 1))
        #expect(host.server.storedVersionCount == 1)
    }
}
