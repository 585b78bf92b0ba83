import Ports
import SimCore
import Testing

@Suite("Transactions, batches and connections")
struct TransactionStateTests {
    @Test("An error aborts the transaction until rollback: 25P02")
    func abortedUntilRollback() {
        let session = Accounts.server(1).session()
        session.begin()
        session.run(Accounts.add(1, to: 1))
        #expect(session.run(Accounts.insert(1))?.sqlState == .uniqueViolation)
        #expect(session.run(Accounts.select(1))?.sqlState == .inFailedTransaction)
        #expect(session.rollback()?.isSuccess == true)
        #expect(session.run(Accounts.select(1))?.rows.first?.balance == 100)
    }

    @Test("Committing an aborted transaction fails, and ends it")
    func commitOfAborted() {
        let session = Accounts.server(1).session()
        session.begin()
        session.run(Accounts.insert(1))
        #expect(session.commit()?.sqlState == .inFailedTransaction)
        #expect(session.run(Accounts.select(1))?.rows.count == 1)
    }

    @Test("What an aborted transaction held is free before its rollback")
    func abortFreesAtOnce() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.add(1, to: 1))
        second.run(Accounts.add(10, to: 1))
        first.run(Accounts.insert(1))
        #expect(second.answer()?.rows.first?.balance == 110)
    }

    @Test("The first statement that fails ends the batch: those after it are not run")
    func batchStops() {
        let session = Accounts.server(1).session()
        let reply = session.commit(Accounts.add(1, to: 1), Accounts.insert(1), Accounts.add(1, to: 1))
        #expect(reply?.sqlState == .uniqueViolation)
        #expect(session.run(Accounts.select(1))?.rows.first?.balance == 100)
    }

    @Test("Statements without a transaction are one of their own")
    func implicitTransaction() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        #expect(first.run(Accounts.add(1, to: 1), Accounts.add(1, to: 1))?.affected == 1)
        #expect(second.run(Accounts.select(1))?.rows.first?.balance == 102)
    }

    @Test("BEGIN inside a transaction is 25001")
    func nestedBegin() {
        let session = Accounts.server(1).session()
        session.begin()
        session.run(Accounts.select(1))
        session.begin()
        #expect(session.run(Accounts.select(1))?.sqlState == .activeTransaction)
        #expect(session.run(Accounts.select(1))?.isSuccess == true)
    }

    @Test("Rollback undoes inserts, updates, deletes and their index entries")
    func rollbackUndoes() {
        let host = Accounts.server(3)
        let (session, other) = (host.session(), host.session())
        session.begin()
        session.run(Accounts.insert(4))
        session.run(Accounts.set(Accounts.owner, "new", where: [Accounts.id == 1]))
        session.run(Accounts.set(Accounts.owner, "newer", where: [Accounts.id == 1]))
        session.run(Accounts.set(Accounts.state, "closed", where: [Accounts.id == 2]))
        session.run(Accounts.delete(3))
        session.rollback()
        #expect(other.run(Accounts.selectAll())?.rows.map { $0.values } == (1...3).map { Accounts.values($0) })
        for owner in ["new", "newer", "owner 4"] {
            #expect(other.commit(Accounts.insert(10 + Int64(owner.utf8.count), owner: owner))?.isSuccess == true)
        }
        let closed = other.run(Accounts.selectAll(where: [Accounts.state == "closed"]))
        #expect(closed?.rows.count == 0)
    }

    @Test("One connection more than max_connections is refused with 53300")
    func connectionLimit() {
        var settings = PostgresSettings()
        settings.maximumConnections = 2
        let host = ScriptedServer([Accounts.table], settings: settings)
        let first = host.session()
        #expect(first.openingError == nil)
        #expect(host.session().openingError == nil)
        #expect(
            host.session().openingError == .statement(.tooManyConnections, message: "sorry, too many clients already"))
        first.close()
        #expect(host.session().openingError == nil)
    }

    @Test("A closed connection rolls its transaction back")
    func closing() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.add(1, to: 1))
        second.run(Accounts.add(10, to: 1))
        first.close()
        #expect(second.answer()?.rows.first?.balance == 110)
    }

    @Test("A client that dies while its last batch waits for a lock: the batch goes on, and commits")
    func zombieBackend() {
        let host = Accounts.server(1)
        let (holder, client, reader) = (host.session(), host.session(), host.session())
        holder.begin()
        holder.run(Accounts.add(1, to: 1))
        client.begin()
        client.commit(Accounts.add(10, to: 1))
        client.close()
        holder.commit()
        #expect(reader.run(Accounts.select(1))?.rows.first?.balance == 111)
        #expect(client.isWaiting, "there is nobody to answer")
    }

    @Test("A client that dies while a batch without commit waits: the batch goes on, and is rolled back")
    func zombieWithoutCommit() {
        let host = Accounts.server(1)
        let (holder, client, reader) = (host.session(), host.session(), host.session())
        holder.begin()
        holder.run(Accounts.add(1, to: 1))
        client.begin()
        client.run(Accounts.add(10, to: 1))
        client.close()
        holder.commit()
        #expect(reader.run(Accounts.add(100, to: 1))?.rows.first?.balance == 201)
    }

    @Test("A terminated connection is closed with 57P01 and its transaction rolled back")
    func termination() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.add(1, to: 1))
        host.handle(.terminated(first.connection))
        #expect(host.closed[first.connection]?.sqlState == .adminShutdown)
        #expect(second.run(Accounts.add(0, to: 1))?.rows.first?.balance == 100)
    }
}
