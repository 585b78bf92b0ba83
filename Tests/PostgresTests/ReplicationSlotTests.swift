import Ports
import Testing

@testable import SimCore

@Suite("Logical replication slots")
struct ReplicationSlotTests {
    private static let other = Table("others", columns: [.column("id", .int64)], primaryKey: ["id"])
    private static let insertOther = Statement.insert(
        Insert(into: other, rows: [[1]], onConflict: .doNothing(key: nil)))

    private func server(_ settings: PostgresSettings = PostgresSettings()) -> ScriptedServer {
        ScriptedServer([Accounts.table, Self.other], settings: settings)
    }

    private func createSlot(_ host: ScriptedServer, _ name: String = "relay") {
        let session = host.session()
        session.send(.replication(.createSlot(name: name, tables: ["accounts"])))
        session.close()
    }

    /// A connection that streams a slot.
    private func consumer(_ host: ScriptedServer, _ name: String = "relay", credit: Int = 1_000) -> ScriptedSession {
        let session = host.session()
        session.send(.replication(.start(slot: name, from: nil, credit: credit)))
        return session
    }

    private func slot(_ host: ScriptedServer, _ name: String = "relay") -> ReplicationSlot? {
        let session = host.session()
        defer { session.close() }
        if case .slot(let slot) = session.send(.replication(.slot(name: name))) { return slot }
        return nil
    }

    private func ids(_ transactions: [CommittedTransaction]) -> [[Int64]] {
        transactions.map { transaction in
            transaction.changes.map { change in
                switch change.change {
                case .insert(let new), .update(_, let new): new.id
                case .delete(let oldKey): -oldKey.id
                }
            }
        }
    }

    @Test("A slot that is being created is there and active until it is consistent, even when its creator is gone")
    func slotInCreation() {
        let host = server()
        let open = host.session()
        open.begin()
        open.run(Accounts.insert(1))
        let creator = host.session()
        let create = PostgresRequest.replication(.createSlot(name: "relay", tables: ["accounts"]))
        creator.send(create)
        #expect(creator.isWaiting)
        // A backend that waits for transactions does not look at its connection.
        creator.close()
        #expect(slot(host)?.isActive == true)
        #expect(slot(host)?.confirmedFlushLSN == .zero)
        let next = host.session()
        #expect(next.send(create)?.sqlState == .duplicateObject)
        #expect(next.send(.replication(.start(slot: "relay", from: nil, credit: 1)))?.sqlState == .objectInUse)
        #expect(next.send(.replication(.dropSlot(name: "relay")))?.sqlState == .objectInUse)
        open.commit()
        #expect(slot(host)?.isActive == false)
        #expect(next.send(.replication(.start(slot: "relay", from: nil, credit: 1)))?.error == nil)
        #expect(slot(host)?.isActive == true)
    }

    @Test("Whole transactions are handed out in the order of their commits, never aborted ones")
    func commitOrder() {
        let host = server()
        createSlot(host)
        let reader = consumer(host)
        let (first, second, third) = (host.session(), host.session(), host.session())
        first.begin()
        first.run(Accounts.insert(1))
        second.begin()
        second.run(Accounts.insert(2))
        third.begin()
        third.run(Accounts.insert(3))
        third.rollback()
        #expect(host.takeDelivered(reader.connection).isEmpty)
        second.commit(Accounts.insert(4))
        first.commit(Accounts.insert(5), Accounts.delete(5))
        let delivered = host.takeDelivered(reader.connection)
        #expect(ids(delivered) == [[2, 4], [1, 5, -5]])
        #expect(delivered[0].commitLSN < delivered[1].commitLSN)
        #expect(delivered.allSatisfy { $0.commitLSN < $0.endLSN })
    }

    @Test("A change's LSN may lie below another's that was committed earlier")
    func eventPositions() {
        let host = server()
        createSlot(host)
        let reader = consumer(host)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.insert(1))
        second.commit(Accounts.insert(2))
        first.commit()
        let delivered = host.takeDelivered(reader.connection)
        #expect(ids(delivered) == [[2], [1]])
        #expect(delivered[1].changes[0].lsn < delivered[0].changes[0].lsn)
    }

    @Test("Changes carry the old key only when it changed, and the key alone of a deleted row")
    func oldKeys() {
        let host = server()
        createSlot(host)
        let reader = consumer(host)
        let session = host.session()
        session.commit(Accounts.insert(1))
        session.commit(Accounts.add(1, to: 1))
        session.commit(Accounts.set(Accounts.id, 2, where: [Accounts.id == 1]))
        session.commit(Accounts.delete(2))
        let changes = host.takeDelivered(reader.connection).flatMap(\.changes).map(\.change)
        var moved = Accounts.values(2, balance: 101, owner: "owner 1")
        #expect(changes[0] == .insert(new: Row(Accounts.values(1))))
        #expect(changes[1] == .update(oldKey: nil, new: Row(Accounts.values(1, balance: 101))))
        #expect(changes[2] == .update(oldKey: Row([1, nil, nil, nil, nil]), new: Row(moved)))
        moved = [2, nil, nil, nil, nil]
        #expect(changes[3] == .delete(oldKey: Row(moved)))
    }

    @Test("Only what is durable is decoded")
    func onlyDurable() {
        let host = server()
        createSlot(host)
        let reader = consumer(host)
        let session = host.session()
        host.syncsAtOnce = false
        session.commit(Accounts.insert(1))
        #expect(host.takeDelivered(reader.connection).isEmpty)
        host.finishSync()
        #expect(ids(host.takeDelivered(reader.connection)) == [[1]])
    }

    @Test("A transaction that touched none of the slot's tables is not handed out")
    func otherTables() {
        let host = server()
        createSlot(host)
        let reader = consumer(host)
        let session = host.session()
        session.commit(Self.insertOther)
        session.commit(Accounts.insert(1), Self.insertOther)
        #expect(ids(host.takeDelivered(reader.connection)) == [[1]])
    }

    @Test("A consumer is sent no more than it granted")
    func credit() {
        let host = server()
        createSlot(host)
        let reader = consumer(host, credit: 2)
        let session = host.session()
        for id in 1...5 { session.commit(Accounts.insert(Int64(id))) }
        #expect(ids(host.takeDelivered(reader.connection)) == [[1], [2]])
        reader.send(.replication(.grant(credit: 2)))
        #expect(ids(host.takeDelivered(reader.connection)) == [[3], [4]])
    }

    @Test("One consumer per slot: 55006; the next one begins at the confirmed position")
    func oneConsumer() throws {
        let host = server()
        createSlot(host)
        let first = consumer(host)
        let session = host.session()
        session.commit(Accounts.insert(1))
        session.commit(Accounts.insert(2))
        let second = host.session()
        let start = PostgresRequest.replication(.start(slot: "relay", from: nil, credit: 10))
        #expect(second.send(start)?.sqlState == .objectInUse)
        #expect(second.send(.replication(.dropSlot(name: "relay")))?.sqlState == .objectInUse)
        let delivered = host.takeDelivered(first.connection)
        first.send(.replication(.confirm(try #require(delivered.first).endLSN)))
        #expect(slot(host)?.confirmedFlushLSN == delivered[0].endLSN)
        first.close()
        #expect(slot(host)?.isActive == false)
        second.send(start)
        #expect(ids(host.takeDelivered(second.connection)) == [[2]])
    }

    @Test("A slot may be opened further ahead, never further back than its confirmed position")
    func openedAhead() {
        let host = server()
        createSlot(host)
        let session = host.session()
        for id in 1...3 { session.commit(Accounts.insert(Int64(id))) }
        let reader = consumer(host)
        let delivered = host.takeDelivered(reader.connection)
        reader.send(.replication(.confirm(delivered[0].endLSN)))
        reader.send(.replication(.stop))
        reader.send(.replication(.start(slot: "relay", from: delivered[1].endLSN, credit: 10)))
        #expect(ids(host.takeDelivered(reader.connection)) == [[3]])
        reader.send(.replication(.stop))
        reader.send(.replication(.start(slot: "relay", from: .zero, credit: 10)))
        #expect(ids(host.takeDelivered(reader.connection)) == [[2], [3]])
    }

    @Test("confirmed_flush_lsn is not saved when it moves: after a crash it goes back, and changes come again")
    func goesBack() {
        let host = server()
        createSlot(host)
        let session = host.session()
        var reader = consumer(host)
        session.commit(Accounts.insert(1))
        host.handle(.checkpointRequested)
        session.commit(Accounts.insert(2))
        // This passes a record of what runs, which saves the slot.
        reader.send(.replication(.confirm(host.takeDelivered(reader.connection)[1].endLSN)))
        let persisted = slot(host)?.confirmedFlushLSN
        session.commit(Accounts.insert(3))
        reader.send(.replication(.confirm(host.takeDelivered(reader.connection)[0].endLSN)))
        #expect(slot(host)?.confirmedFlushLSN != persisted)
        host.crash()
        #expect(slot(host)?.confirmedFlushLSN == persisted)
        #expect(slot(host)?.isActive == false)
        reader = consumer(host)
        #expect(ids(host.takeDelivered(reader.connection)) == [[3]])
    }

    @Test("A checkpoint alone does not save what was confirmed")
    func checkpointSavesNothing() {
        let host = server()
        createSlot(host)
        let session = host.session()
        let reader = consumer(host)
        let created = slot(host)?.confirmedFlushLSN
        session.commit(Accounts.insert(1))
        reader.send(.replication(.confirm(host.takeDelivered(reader.connection)[0].endLSN)))
        // A consumer that went on would come by the checkpoint's record of what runs, which saves the slot.
        reader.close()
        host.handle(.checkpointRequested)
        host.crash()
        #expect(slot(host)?.confirmedFlushLSN == created)
    }

    @Test("A shutdown in good order saves what was confirmed, and ends sessions with 57P01")
    func shutdownSaves() {
        let host = server()
        createSlot(host)
        let session = host.session()
        let reader = consumer(host)
        session.commit(Accounts.insert(1))
        let end = host.takeDelivered(reader.connection)[0].endLSN
        reader.send(.replication(.confirm(end)))
        host.handle(.shutdownRequested)
        #expect(host.hasStopped)
        #expect(host.closed[session.connection]?.sqlState == .adminShutdown)
        host.crash()
        #expect(slot(host)?.confirmedFlushLSN == end)
    }

    @Test("restart_lsn is held back by an open transaction, and moves to records of what runs that are confirmed")
    func restartPosition() {
        let host = server()
        createSlot(host)
        let reader = consumer(host)
        let (long, session) = (host.session(), host.session())
        func confirmAll() {
            for transaction in host.takeDelivered(reader.connection) {
                reader.send(.replication(.confirm(transaction.endLSN)))
            }
        }
        long.begin()
        long.run(Accounts.insert(100))
        let beforeOthers = host.server.insertLSN
        for id in 1...3 {
            session.commit(Accounts.insert(Int64(id)))
            host.handle(.checkpointRequested)
        }
        session.commit(Accounts.insert(4))
        confirmAll()
        #expect(slot(host).map { $0.restartLSN < beforeOthers } == true, "the open transaction needs it")
        long.commit()
        host.handle(.checkpointRequested)
        let checkpoint = host.server.insertLSN
        session.commit(Accounts.insert(5))
        #expect(slot(host).map { $0.restartLSN < beforeOthers } == true, "it is not confirmed yet")
        confirmAll()
        #expect(slot(host).map { $0.restartLSN > beforeOthers && $0.restartLSN < checkpoint } == true)
        #expect(slot(host).map { $0.confirmedFlushLSN > checkpoint } == true)
    }

    @Test("The background writer records what runs every 15 s, so that restart_lsn moves without checkpoints")
    func recordsOfWhatRuns() {
        let host = server()
        createSlot(host)
        let reader = consumer(host)
        let session = host.session()
        session.commit(Accounts.insert(1))
        let first = host.server.insertLSN
        host.advance(by: .seconds(16))
        session.commit(Accounts.insert(2))
        for transaction in host.takeDelivered(reader.connection) {
            reader.send(.replication(.confirm(transaction.endLSN)))
        }
        #expect(slot(host)?.restartLSN == first)
    }

    @Test("A slot becomes consistent when the transactions that were open have ended")
    func consistentPoint() {
        let host = server()
        let (open, creator, later) = (host.session(), host.session(), host.session())
        open.begin()
        open.run(Accounts.insert(1))
        creator.send(.replication(.createSlot(name: "relay", tables: ["accounts"])))
        #expect(creator.isWaiting)
        later.begin()
        later.run(Accounts.insert(2))
        open.commit()
        #expect(!creator.isWaiting)
        later.commit()
        let reader = consumer(host)
        #expect(ids(host.takeDelivered(reader.connection)) == [[2]], "changes of a later transaction are whole")
    }

    @Test("Creating a slot twice is 42710, of an unknown table 42P01; dropping an unknown one 42704")
    func refusals() {
        let host = server()
        createSlot(host)
        let session = host.session()
        func create(_ name: String, _ table: String) -> SQLState? {
            session.send(.replication(.createSlot(name: name, tables: [table])))?.sqlState
        }
        #expect(create("relay", "accounts") == .duplicateObject)
        #expect(create("other", "nothing") == .undefinedTable)
        #expect(session.send(.replication(.dropSlot(name: "other")))?.sqlState == .undefinedObject)
        #expect(session.send(.replication(.dropSlot(name: "relay")))?.isSuccess == true)
        #expect(slot(host) == nil)
        #expect(create("relay", "accounts") == nil)
    }

    @Test("Past max_slot_wal_keep_size the slot is lost at the next checkpoint: 55000")
    func lostSlot() {
        var settings = PostgresSettings()
        settings.maximumSlotWALByteCount = 20_000
        let host = server(settings)
        createSlot(host)
        let session = host.session()
        for id in 1...30 { session.commit(Accounts.insert(Int64(id))) }
        #expect(slot(host)?.status == .reserved)
        for id in 31...90 { session.commit(Accounts.insert(Int64(id))) }
        #expect(slot(host)?.status == .unreserved, "its WAL is still there")
        host.handle(.checkpointRequested)
        #expect(slot(host)?.status == .lost)
        let reply = session.send(.replication(.start(slot: "relay", from: nil, credit: 1)))
        #expect(reply?.sqlState == .objectNotInPrerequisiteState)
        #expect(host.server.decodedLog.count == 0, "what it held is free")
    }

    @Test("A consumer whose slot is lost is disconnected")
    func lostWhileConsumed() {
        var settings = PostgresSettings()
        settings.maximumSlotWALByteCount = 20_000
        let host = server(settings)
        createSlot(host)
        let reader = consumer(host)
        let session = host.session()
        for id in 1...90 { session.commit(Accounts.insert(Int64(id))) }
        host.handle(.checkpointRequested)
        #expect(host.closed[reader.connection]?.sqlState == .adminShutdown)
    }

    @Test("Beyond max_wal_size a slot's status is extended")
    func extendedSlot() {
        var settings = PostgresSettings()
        settings.maximumWALByteCount = 10_000
        let host = server(settings)
        createSlot(host)
        let session = host.session()
        for id in 1...60 { session.commit(Accounts.insert(Int64(id))) }
        #expect(slot(host)?.status == .extended)
    }

    @Test("Decoded changes are forgotten once every slot has confirmed them and was saved")
    func memory() {
        let host = server()
        createSlot(host, "first")
        createSlot(host, "second")
        let readers = [consumer(host, "first"), consumer(host, "second")]
        let session = host.session()
        for id in 1...10 { session.commit(Accounts.insert(Int64(id))) }
        #expect(host.server.decodedLog.count == 10)
        let ends = readers.map { host.takeDelivered($0.connection).map(\.endLSN) }
        readers[0].send(.replication(.confirm(ends[0][9])))
        readers[1].send(.replication(.confirm(ends[1][3])))
        host.handle(.checkpointRequested)
        #expect(host.server.decodedLog.count == 10, "a crash may take the confirmations back")
        session.commit(Accounts.insert(11))
        let last = readers.map { host.takeDelivered($0.connection)[0].endLSN }
        readers[0].send(.replication(.confirm(last[0])))
        #expect(host.server.decodedLog.count == 11, "the second slot still needs them")
        readers[1].send(.replication(.confirm(last[1])))
        #expect(host.server.decodedLog.count == 1, "the first slot has not been saved since")
    }

    @Test("A slot sees what was committed in a crash's last, unacknowledged moment")
    func survivorsAreDecoded() {
        let host = server()
        createSlot(host)
        let session = host.session()
        host.syncsAtOnce = false
        session.commit(Accounts.insert(1))
        host.crash(surviving: host.server.insertLSN)
        host.syncsAtOnce = true
        let reader = consumer(host)
        #expect(ids(host.takeDelivered(reader.connection)) == [[1]])
    }
}
