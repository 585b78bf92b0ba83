import Ports
import SimCore
import Testing

@Suite("Row locks")
struct RowLockTests {
    @Test("FOR UPDATE waits for a writer and returns the new version")
    func forUpdateWaits() {
        let host = Accounts.server(1)
        let (writer, locker) = (host.session(), host.session())
        writer.begin()
        writer.run(Accounts.add(7, to: 1))
        locker.begin()
        locker.run(Accounts.select(1, lock: .forUpdate))
        #expect(locker.isWaiting)
        writer.commit()
        #expect(locker.answer()?.rows.first?.balance == 107)
    }

    @Test("FOR UPDATE leaves out a row that no longer satisfies the condition")
    func forUpdateReevaluates() {
        let host = Accounts.server(1)
        let (writer, locker) = (host.session(), host.session())
        writer.begin()
        writer.run(Accounts.set(Accounts.state, "closed", where: [Accounts.id == 1]))
        locker.run(Accounts.selectAll(where: [Accounts.state == "open"], lock: .forUpdate))
        #expect(locker.isWaiting)
        writer.commit()
        #expect(locker.answer()?.rows.count == 0)
    }

    @Test("A FOR UPDATE lock lasts until the transaction ends, and blocks writers but not readers")
    func lockLasts() {
        let host = Accounts.server(1)
        let (holder, writer, reader) = (host.session(), host.session(), host.session())
        holder.begin()
        holder.run(Accounts.select(1, lock: .forUpdate))
        writer.run(Accounts.add(1, to: 1))
        #expect(writer.isWaiting)
        #expect(reader.run(Accounts.select(1))?.rows.count == 1)
        holder.commit()
        #expect(writer.answer()?.affected == 1)
    }

    @Test("SKIP LOCKED leaves out locked rows")
    func skipLocked() {
        let host = Accounts.server(3)
        let (first, second) = (host.session(), host.session())
        first.begin()
        second.begin()
        #expect(first.run(Accounts.selectAll(lock: .forUpdateSkipLocked, limit: 1))?.rows.map(\.id) == [1])
        #expect(second.run(Accounts.selectAll(lock: .forUpdateSkipLocked, limit: 1))?.rows.map(\.id) == [2])
        #expect(first.run(Accounts.selectAll(lock: .forUpdateSkipLocked))?.rows.map(\.id) == [1, 3])
    }

    @Test("NOWAIT fails with 55P03 at the first locked row")
    func noWait() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.select(2, lock: .forUpdate))
        second.begin()
        let reply = second.run(Accounts.selectAll(lock: .forUpdateNoWait))
        #expect(
            reply?.error
                == .statement(
                    .lockNotAvailable, message: "could not obtain lock on row in relation \"accounts\""))
        #expect(second.rollback()?.isSuccess == true)
        #expect(second.run(Accounts.select(1, lock: .forUpdateNoWait))?.rows.count == 1)
    }

    @Test("Waiters are served in the order in which they came")
    func firstInFirstOut() {
        let host = Accounts.server(1)
        let holder = host.session()
        let waiters = (0..<3).map { _ in host.session() }
        holder.begin()
        holder.run(Accounts.add(1, to: 1))
        for (index, waiter) in waiters.enumerated() {
            waiter.begin()
            waiter.run(Accounts.set(Accounts.state, .text("\(index)"), where: [Accounts.id == 1]))
        }
        holder.commit()
        for (index, waiter) in waiters.enumerated() {
            #expect(waiters.map(\.isWaiting) == (0..<3).map { $0 > index })
            waiter.commit()
        }
        #expect(holder.run(Accounts.select(1))?.rows.first?[Accounts.state] == "2")
    }

    @Test("A batch that waits in its middle goes on from there")
    func batchGoesOn() {
        let host = Accounts.server(3)
        let (holder, batch) = (host.session(), host.session())
        holder.begin()
        holder.run(Accounts.add(1, to: 2))
        batch.begin()
        batch.commit(Accounts.add(10, to: 1), Accounts.add(10, to: 2), Accounts.add(10, to: 3))
        #expect(batch.isWaiting)
        holder.commit()
        #expect(batch.answer()?.results.map { $0.rows[0].balance } == [110, 111, 110])
        #expect(holder.run(Accounts.selectAll())?.rows.map(\.balance) == [110, 111, 110])
    }

    @Test("Locking with a limit goes on along the index past rows that others hold")
    func limitWithIndexOrder() {
        let host = Accounts.server(6)
        let (first, second) = (host.session(), host.session())
        let claim = Statement.select(
            Select(
                from: Accounts.table, where: [Accounts.state == "open"], orderedBy: [.ascending(Accounts.due)],
                limit: 2, lock: .forUpdateSkipLocked))
        first.begin()
        second.begin()
        let mine = first.run(claim)?.rows.map(\.id) ?? []
        let theirs = second.run(claim)?.rows.map(\.id) ?? []
        #expect(mine.count == 2 && theirs.count == 2)
        #expect(Set(mine).isDisjoint(with: theirs))
    }

    @Test("A row moved by its key while it was waited for is found under its new key")
    func keyMoves() {
        let host = Accounts.server(1)
        let (mover, waiter) = (host.session(), host.session())
        mover.begin()
        mover.run(Accounts.set(Accounts.id, 9, where: [Accounts.id == 1]))
        waiter.run(Accounts.set(Accounts.state, "seen", where: [Accounts.owner == "owner 1"]))
        mover.commit()
        #expect(waiter.answer()?.rows.map(\.id) == [9])
        #expect(waiter.run(Accounts.select(1))?.rows.count == 0)
        #expect(waiter.run(Accounts.select(9))?.rows.first?[Accounts.state] == "seen")
    }
}
