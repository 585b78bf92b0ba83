import Ports
import Testing

@testable import SimCore

@Suite("Standby and failover")
struct StandbyTests {
    private func server(_ change: (inout PostgresSettings) -> Void = { _ in }) -> ScriptedServer {
        var settings = PostgresSettings()
        change(&settings)
        let host = ScriptedServer([Accounts.table], settings: settings)
        host.session().commit(Accounts.insert(1), Accounts.insert(2))
        host.handle(.standbyAttached)
        return host
    }

    @Test("An asynchronous standby: a commit does not wait for it, and failover loses the tail")
    func asynchronousLosesTail() {
        let host = server()
        let session = host.session()
        session.commit(Accounts.add(1, to: 1))
        host.handle(.standbyAcknowledged(host.shipped.last!))
        #expect(session.commit(Accounts.add(10, to: 1))?.isSuccess == true)
        #expect(session.commit(Accounts.insert(3), Accounts.delete(2))?.isSuccess == true)
        host.failOver(to: host.server.standbyAcknowledgedLSN!)
        let after = host.session()
        #expect(after.run(Accounts.selectAll())?.rows.map(\.balance) == [101, 100])
        #expect(host.server.timeline == 2)
        #expect(after.commit(Accounts.insert(3))?.isSuccess == true)
    }

    @Test("A standby that has received more than it acknowledged keeps what it has")
    func receivedButNotAcknowledged() {
        let host = server()
        let session = host.session()
        session.commit(Accounts.add(1, to: 1))
        let received = host.shipped.last!
        session.commit(Accounts.add(10, to: 1))
        host.failOver(to: received)
        #expect(host.session().run(Accounts.select(1))?.rows.first?.balance == 101)
    }

    @Test("Only what is durable on the primary is sent to the standby")
    func shipsDurableOnly() {
        let host = server()
        let session = host.session()
        let before = host.shipped.count
        host.syncsAtOnce = false
        session.commit(Accounts.add(1, to: 1))
        #expect(host.shipped.count == before)
        host.finishSync()
        #expect(host.shipped.last == host.server.flushedLSN)
    }

    @Test("With a synchronous standby a commit waits until the standby has it")
    func synchronousWaits() {
        let host = server { $0.hasSynchronousStandby = true }
        let (writer, reader) = (host.session(), host.session())
        writer.commit(Accounts.add(1, to: 1))
        #expect(writer.isWaiting)
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 100, "it is not visible before")
        host.handle(.standbyAcknowledged(host.shipped.last!))
        #expect(writer.answer()?.isSuccess == true)
        host.failOver(to: host.server.standbyAcknowledgedLSN!)
        #expect(host.session().run(Accounts.select(1))?.rows.first?.balance == 101)
    }

    @Test("synchronous_commit local waits for the own disk only")
    func localCommit() {
        let host = server {
            $0.hasSynchronousStandby = true
            $0.synchronousCommit = .local
        }
        #expect(host.session().commit(Accounts.add(1, to: 1))?.isSuccess == true)
    }

    @Test("A cancelled wait for the synchronous standby is committed locally, with a warning, perhaps not replicated")
    func cancelledWait() {
        let host = server { $0.hasSynchronousStandby = true }
        let (writer, other, reader) = (host.session(), host.session(), host.session())
        writer.commit(Accounts.add(1, to: 1))
        other.commit(Accounts.add(1, to: 2))
        host.handle(.cancelRequested(writer.connection))
        guard case .results(_, let warning) = writer.answer() else {
            Issue.record("the commit was not answered")
            return
        }
        #expect(warning?.contains("committed locally") == true)
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 101)
        #expect(other.isWaiting)
        host.failOver(to: host.server.standbyAcknowledgedLSN!)
        #expect(host.session().run(Accounts.select(1))?.rows.first?.balance == 100)
    }

    @Test("Without a standby, commits that need one wait for the next that is attached")
    func nextStandby() {
        let host = server { $0.hasSynchronousStandby = true }
        let session = host.session()
        host.handle(.standbyDetached)
        session.commit(Accounts.add(1, to: 1))
        #expect(session.isWaiting)
        host.handle(.standbyAttached)
        #expect(session.answer()?.isSuccess == true)
    }

    @Test("A commit that waits for the standby survives a crash of the primary")
    func crashDuringWait() {
        let host = server { $0.hasSynchronousStandby = true }
        host.session().commit(Accounts.add(1, to: 1))
        host.crash()
        #expect(host.session().run(Accounts.select(1))?.rows.first?.balance == 101)
    }

    @Test("Failover leaves a prefix of the commits, with whole indexes", arguments: 1...12)
    func prefix(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let host = server()
        let session = host.session()
        var history = [(end: host.server.flushedLSN, rows: session.run(Accounts.selectAll())?.rows ?? [])]
        for step in 0..<60 {
            let id = Int64.random(in: 1...6, using: &generator)
            let statements: [Statement] = [
                Accounts.insert(id, owner: "owner \(step)"), Accounts.delete(id), Accounts.add(1, to: id),
                Accounts.set(Accounts.owner, .text("owner \(step)"), where: [Accounts.id == .int64(id)]),
                Accounts.set(Accounts.state, .text("\(step)"), where: []),
            ]
            session.commit(statements.randomElement(using: &generator)!)
            history.append((host.server.flushedLSN, session.run(Accounts.selectAll())?.rows ?? []))
            if step == 20 { host.handle(.standbyAcknowledged(host.server.flushedLSN)) }
        }
        let acknowledged = host.server.standbyAcknowledgedLSN!
        let survivor = history.filter { $0.end >= acknowledged }.randomElement(using: &generator)!
        host.failOver(to: survivor.end)
        host.server.checkInvariants()
        let after = host.session()
        #expect(after.run(Accounts.selectAll())?.rows == survivor.rows)
        #expect(host.server.storedVersionCount == survivor.rows.count)
    }

    @Test("What the standby has confirmed is kept no longer")
    func retention() {
        let host = server()
        let session = host.session()
        for _ in 0..<10 { session.commit(Accounts.add(1, to: 1)) }
        #expect(host.server.recentCommits.count == 10)
        host.handle(.standbyAcknowledged(host.server.flushedLSN))
        #expect(host.server.recentCommits.isEmpty)
    }

    @Test("A standby that needs more than max_slot_wal_keep_size is given up")
    func lostStandby() {
        let host = server { $0.maximumSlotWALByteCount = 20_000 }
        let session = host.session()
        for _ in 0..<300 { session.commit(Accounts.add(1, to: 1)) }
        host.handle(.checkpointRequested)
        #expect(host.server.standbyAcknowledgedLSN == nil)
        #expect(host.server.recentCommits.isEmpty)
    }

    // MARK: Slots

    private func slotServer(synchronized: Bool) -> (ScriptedServer, ScriptedSession) {
        let host = server { $0.synchronizesSlots = synchronized }
        let creator = host.session()
        creator.send(.replication(.createSlot(name: "relay", tables: ["accounts"])))
        let consumer = host.session()
        consumer.send(.replication(.start(slot: "relay", from: nil, credit: 100)))
        return (host, consumer)
    }

    @Test("Slots are lost on failover, and a consumer may have seen a commit that the promoted standby lacks")
    func ghost() {
        let (host, consumer) = slotServer(synchronized: false)
        host.session().commit(Accounts.add(1, to: 1))
        #expect(host.takeDelivered(consumer.connection).count == 1)
        host.failOver(to: host.server.standbyAcknowledgedLSN!)
        let session = host.session()
        #expect(session.run(Accounts.select(1))?.rows.first?.balance == 100)
        let start = PostgresRequest.replication(.start(slot: "relay", from: nil, credit: 1))
        #expect(session.send(start)?.sqlState == .undefinedObject)
        #expect(session.send(.replication(.createSlot(name: "relay", tables: ["accounts"])))?.sqlState == nil)
    }

    @Test("Synchronised slots hand out nothing while the synchronous standby is gone")
    func synchronizedSlotsWait() {
        let host = server {
            $0.hasSynchronousStandby = true
            $0.synchronizesSlots = true
        }
        host.session().send(.replication(.createSlot(name: "relay", tables: ["accounts"])))
        host.handle(.standbyAcknowledged(host.server.flushedLSN))
        host.failOver(to: host.server.standbyAcknowledgedLSN!)
        let consumer = host.session()
        consumer.send(.replication(.start(slot: "relay", from: nil, credit: 100)))
        let writer = host.session()
        writer.commit(Accounts.add(1, to: 1))
        #expect(host.takeDelivered(consumer.connection).isEmpty, "it can be undone still, and nobody sees it")
        host.handle(.standbyAttached)
        #expect(writer.answer()?.isSuccess == true)
        #expect(host.takeDelivered(consumer.connection).count == 1)
    }

    @Test("A commit with a row lock waits until what it has read is on the synchronous standby")
    func lockingReadIsConfirmed() {
        let host = server { $0.hasSynchronousStandby = true }
        host.session().commit(Accounts.add(1, to: 1))
        host.crash()
        let (reader, lockingReader) = (host.session(), host.session())
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 101, "visible, and not on the standby")
        lockingReader.commit(Accounts.select(1, lock: .forUpdate))
        #expect(lockingReader.isWaiting)
        host.handle(.standbyAcknowledged(host.server.flushedLSN))
        #expect(lockingReader.answer()?.isSuccess == true)
    }

    @Test("Synchronised slots survive, and hand out only what the standby has")
    func synchronizedSlots() {
        let (host, consumer) = slotServer(synchronized: true)
        let session = host.session()
        session.commit(Accounts.add(1, to: 1))
        #expect(host.takeDelivered(consumer.connection).isEmpty)
        host.handle(.standbyAcknowledged(host.server.flushedLSN))
        let first = host.takeDelivered(consumer.connection)
        #expect(first.count == 1)
        session.commit(Accounts.add(1, to: 1))
        host.handle(.standbyAcknowledged(host.server.flushedLSN))
        let second = host.takeDelivered(consumer.connection)
        consumer.send(.replication(.confirm(first[0].endLSN)))
        session.commit(Accounts.add(1, to: 2))
        host.handle(.standbyAcknowledged(host.server.flushedLSN))
        let third = host.takeDelivered(consumer.connection)
        host.failOver(to: host.server.flushedLSN)
        let next = host.session()
        next.send(.replication(.start(slot: "relay", from: nil, credit: 100)))
        #expect(host.takeDelivered(next.connection) == second + third)
    }
}
