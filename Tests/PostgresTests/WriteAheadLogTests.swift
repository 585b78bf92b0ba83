import Ports
import SimCore
import Testing

@Suite("Write-ahead log")
struct WriteAheadLogTests {
    @Test("With synchronous_commit on, a commit is answered when its WAL is synced")
    func synchronousCommit() {
        let host = Accounts.server(1)
        let (writer, reader) = (host.session(), host.session())
        host.syncsAtOnce = false
        writer.commit(Accounts.add(1, to: 1))
        #expect(writer.isWaiting)
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 100, "it is not visible before")
        host.finishSync()
        #expect(writer.answer()?.isSuccess == true)
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 101)
    }

    @Test("The locks of a transaction are held until its commit is durable")
    func locksDuringCommit() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        host.syncsAtOnce = false
        first.commit(Accounts.add(1, to: 1))
        second.begin()
        second.run(Accounts.add(1, to: 1))
        #expect(second.isWaiting)
        host.finishSync()
        #expect(second.answer()?.rows.first?.balance == 102)
    }

    @Test("Commits that come while a sync runs share the next one")
    func groupCommit() {
        let host = Accounts.server(4)
        let sessions = (0..<4).map { _ in host.session() }
        host.syncsAtOnce = false
        let before = host.syncCount
        for (index, session) in sessions.enumerated() { session.commit(Accounts.add(1, to: Int64(index + 1))) }
        #expect(host.syncCount == before + 1)
        host.finishSync()
        #expect(sessions.map(\.isWaiting) == [false, true, true, true])
        host.finishSync()
        #expect(sessions.map(\.isWaiting) == [false, false, false, false])
        #expect(host.syncCount == before + 2)
    }

    @Test("A read-only transaction waits for no sync")
    func readOnlyCommit() {
        let host = Accounts.server(1)
        let (writer, reader) = (host.session(), host.session())
        host.syncsAtOnce = false
        writer.commit(Accounts.add(1, to: 1))
        #expect(reader.commit(Accounts.select(1))?.isSuccess == true)
    }

    @Test("A commit that was acknowledged survives a crash, one that was not synced does not")
    func crashKeepsAcknowledged() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        #expect(first.commit(Accounts.add(1, to: 1))?.isSuccess == true)
        host.syncsAtOnce = false
        second.commit(Accounts.add(1, to: 2), Accounts.insert(3), Accounts.delete(1))
        host.crash()
        host.syncsAtOnce = true
        #expect(host.session().run(Accounts.selectAll())?.rows.map(\.balance) == [101, 100])
    }

    @Test("A commit whose record reached the disk counts, though nobody was told")
    func unacknowledgedButDurable() {
        let host = Accounts.server(1)
        let writer = host.session()
        host.syncsAtOnce = false
        writer.commit(Accounts.add(1, to: 1))
        host.crash(surviving: host.server.insertLSN)
        #expect(host.session().run(Accounts.select(1))?.rows.first?.balance == 101)
    }

    @Test("A crash rolls open transactions back and frees their locks")
    func openTransactions() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.add(1, to: 1), Accounts.insert(3), Accounts.delete(2), Accounts.insert(2, owner: "owner 2"))
        second.run(Accounts.insert(3, owner: "rival"))
        #expect(second.isWaiting)
        host.crash()
        let session = host.session()
        #expect(session.run(Accounts.selectAll())?.rows.map { $0.values } == (1...2).map { Accounts.values($0) })
        #expect(session.run(Accounts.selectAll(lock: .forUpdateNoWait))?.rows.count == 2)
        #expect(session.run(Accounts.insert(3))?.affected == 1)
    }

    @Test("synchronous_commit off: acknowledged at once, and a crash loses a suffix of commits")
    func asynchronousCommit() {
        var settings = PostgresSettings()
        settings.synchronousCommit = .off
        let host = ScriptedServer([Accounts.table], settings: settings)
        let session = host.session()
        for id in 1...3 { #expect(session.commit(Accounts.insert(Int64(id)))?.isSuccess == true) }
        #expect(host.syncCount == 0)
        host.advance(by: .milliseconds(200))
        #expect(host.syncCount == 1, "wal_writer_delay")
        session.commit(Accounts.set(Accounts.owner, "renamed", where: [Accounts.id == 1]))
        session.commit(Accounts.delete(2))
        session.commit(Accounts.set(Accounts.id, 33, where: [Accounts.id == 3]))
        session.commit(Accounts.insert(3, owner: "new"))
        session.commit(Accounts.insert(4))
        #expect(session.run(Accounts.selectAll())?.rows.map(\.id) == [1, 3, 4, 33])
        host.crash()
        let after = host.session()
        #expect(after.run(Accounts.selectAll())?.rows.map { $0.values } == (1...3).map { Accounts.values($0) })
        #expect(after.commit(Accounts.insert(4))?.isSuccess == true)
    }

    @Test("What a crash leaves is always a prefix of the commits", arguments: 1...12)
    func crashLeavesPrefix(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var settings = PostgresSettings()
        settings.synchronousCommit = .off
        let host = ScriptedServer([Accounts.table], settings: settings)
        let session = host.session()
        var history: [(end: LSN, rows: [Row])] = [(host.server.insertLSN, [])]
        for step in 0..<60 {
            let id = Int64.random(in: 1...6, using: &generator)
            let statements: [Statement] = [
                Accounts.insert(id, owner: "owner \(id)"), Accounts.delete(id), Accounts.add(1, to: id),
                Accounts.set(Accounts.owner, .text("owner \(step)"), where: [Accounts.id == .int64(id)]),
                Accounts.set(Accounts.id, .int64(7 + id), where: [Accounts.id == .int64(id)]),
                Accounts.set(Accounts.state, .text("\(step)"), where: []),
            ]
            session.begin()
            session.run(statements.randomElement(using: &generator)!)
            session.commit(statements.randomElement(using: &generator)!)
            let rows = session.run(Accounts.selectAll())?.rows ?? []
            history.append((host.server.insertLSN, rows))
            if step == 20 { host.advance(by: .milliseconds(200)) }
        }
        let possible = history.filter { $0.end >= host.server.flushedLSN }
        let survivor = possible.randomElement(using: &generator)!
        host.crash(surviving: survivor.end)
        let after = host.session()
        #expect(after.run(Accounts.selectAll())?.rows == survivor.rows)
        for row in survivor.rows {
            let byOwner = Select(from: Accounts.table, where: [Accounts.owner == row[Accounts.owner]])
            #expect(after.run(.select(byOwner))?.rows == [row], "the indexes are whole")
        }
        #expect(host.server.storedVersionCount == survivor.rows.count)
    }

    @Test("A failed sync panics: nothing is answered any more")
    func failedSync() {
        let host = Accounts.server(1)
        let (writer, reader) = (host.session(), host.session())
        host.syncsAtOnce = false
        writer.commit(Accounts.add(1, to: 1))
        host.failSync()
        #expect(host.panicReason != nil)
        #expect(writer.isWaiting)
        reader.run(Accounts.select(1))
        #expect(reader.isWaiting)
    }

    @Test("Connections are refused with 57P03 while the server recovers")
    func recovering() {
        let host = Accounts.server(1)
        host.server.crash(survivingWAL: host.server.flushedLSN)
        #expect(
            host.session().openingError
                == .statement(.cannotConnectNow, message: "the database system is starting up"))
        host.server.finishRecovery()
        #expect(host.session().openingError == nil)
    }

    @Test("A checkpoint comes checkpoint_timeout after the last one and shortens recovery")
    func checkpointTimeout() {
        let host = Accounts.server(1)
        let session = host.session()
        session.commit(Accounts.add(1, to: 1))
        let before = host.server.recoveryByteCount
        #expect(before > 0)
        host.advance(by: .minutes(5))
        #expect(host.server.recoveryByteCount < before)
        let syncs = host.syncCount
        host.advance(by: .minutes(60))
        #expect(host.syncCount == syncs, "without new WAL there is none")
    }

    @Test("Much WAL brings the checkpoint forward")
    func largeWAL() {
        var settings = PostgresSettings()
        settings.maximumWALByteCount = 100_000
        let host = Accounts.server(1, settings: settings)
        let session = host.session()
        for _ in 0..<2_000 { session.commit(Accounts.add(1, to: 1)) }
        #expect(host.server.insertLSN.rawValue > 300_000)
        #expect(host.server.recoveryByteCount < 100_000)
    }

    @Test("Timers of before a crash do nothing afterwards")
    func timersOfBefore() {
        let host = Accounts.server(2)
        func deadlock() -> (ScriptedSession, ScriptedSession) {
            let (first, second) = (host.session(), host.session())
            first.begin()
            second.begin()
            first.run(Accounts.add(1, to: 1))
            second.run(Accounts.add(1, to: 2))
            first.run(Accounts.add(1, to: 2))
            second.run(Accounts.add(1, to: 1))
            return (first, second)
        }
        _ = deadlock()
        host.crash()
        host.advance(by: .milliseconds(500))
        let (first, second) = deadlock()
        host.advance(by: .milliseconds(999))
        #expect(first.isWaiting && second.isWaiting)
        host.advance(by: .milliseconds(1))
        #expect(!first.isWaiting && !second.isWaiting)
    }
}
