import Ports
import SimCore
import Testing

@Suite("Deadlocks and timeouts")
struct DeadlockAndTimeoutTests {
    @Test("Deadlocks are looked for after deadlock_timeout; one victim gets 40P01 and the other goes on")
    func deadlock() {
        let host = Accounts.server(2)
        let (first, second) = (host.session(), host.session())
        first.begin()
        second.begin()
        first.run(Accounts.add(1, to: 1))
        second.run(Accounts.add(2, to: 2))
        first.run(Accounts.add(1, to: 2))
        host.advance(by: .milliseconds(300))
        second.run(Accounts.add(2, to: 1))
        #expect(first.isWaiting && second.isWaiting)
        host.advance(by: .milliseconds(699))
        #expect(first.isWaiting && second.isWaiting, "nobody has waited for a second")
        host.advance(by: .milliseconds(1))
        #expect(first.answer()?.sqlState == .deadlockDetected, "the first to have waited long enough looks first")
        #expect(second.answer()?.rows.first?.balance == 102)
        #expect(second.commit()?.isSuccess == true)
    }

    @Test("A cycle of three is found, whichever closes it")
    func cycleOfThree() {
        let host = Accounts.server(3)
        let sessions = (0..<3).map { _ in host.session() }
        for (index, session) in sessions.enumerated() {
            session.begin()
            session.run(Accounts.add(1, to: Int64(index + 1)))
        }
        for (index, session) in sessions.enumerated() { session.run(Accounts.add(1, to: Int64((index + 1) % 3 + 1))) }
        host.advance(by: .seconds(1))
        let states = sessions.map { $0.answer()?.sqlState }
        #expect(states.filter { $0 == .deadlockDetected }.count == 1)
    }

    @Test("Inserts of two keys in opposite order deadlock too")
    func deadlockOfKeys() {
        let host = Accounts.server(0)
        let (first, second) = (host.session(), host.session())
        first.begin()
        second.begin()
        first.run(Accounts.insert(1))
        second.run(Accounts.insert(2))
        first.run(Accounts.insert(2, owner: "x"))
        second.run(Accounts.insert(1, owner: "y"))
        host.advance(by: .seconds(1))
        #expect(first.answer()?.sqlState == .deadlockDetected)
        #expect(second.answer()?.affected == 1)
    }

    @Test("A long wait without a cycle is no deadlock")
    func noDeadlock() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.add(1, to: 1))
        second.run(Accounts.add(1, to: 1))
        host.advance(by: .minutes(10))
        #expect(second.isWaiting)
        first.commit()
        #expect(second.answer()?.affected == 1)
    }

    @Test("lock_timeout ends one lock's wait with 55P03")
    func lockTimeout() {
        var settings = PostgresSettings()
        settings.lockTimeout = .milliseconds(200)
        let host = Accounts.server(1, settings: settings)
        let (first, second, third) = (host.session(), host.session(), host.session())
        first.begin()
        first.run(Accounts.add(1, to: 1))
        second.run(Accounts.add(1, to: 1))
        host.advance(by: .milliseconds(100))
        third.run(Accounts.add(1, to: 1))
        host.advance(by: .milliseconds(100))
        #expect(
            second.answer()?.error
                == .statement(.lockNotAvailable, message: "canceling statement due to lock timeout"))
        first.commit()
        #expect(third.answer()?.affected == 1, "the queue is whole after one has left it")
    }

    @Test("statement_timeout counts from the start of the batch and is 57014")
    func statementTimeout() {
        var settings = PostgresSettings()
        settings.statementTimeout = .milliseconds(500)
        let host = Accounts.server(2, settings: settings)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.add(1, to: 1))
        second.run(Accounts.add(1, to: 1))
        host.advance(by: .milliseconds(499))
        #expect(second.isWaiting)
        host.advance(by: .milliseconds(1))
        #expect(
            second.answer()?.error
                == .statement(.queryCanceled, message: "canceling statement due to statement timeout"))
        #expect(first.commit()?.isSuccess == true)
    }

    @Test("A cancel request ends a wait with 57014")
    func cancel() {
        let host = Accounts.server(1)
        let (first, second) = (host.session(), host.session())
        first.begin()
        first.run(Accounts.add(1, to: 1))
        second.run(Accounts.add(1, to: 1))
        host.handle(.cancelRequested(second.connection))
        #expect(second.answer()?.sqlState == .queryCanceled)
    }

    @Test("A timer of a wait that is over does nothing to a later one")
    func staleTimers() {
        var settings = PostgresSettings()
        settings.lockTimeout = .milliseconds(500)
        let host = Accounts.server(2, settings: settings)
        let (first, second) = (host.session(), host.session())
        for id in 1...2 {
            first.begin()
            first.run(Accounts.add(1, to: Int64(id)))
            second.run(Accounts.add(1, to: Int64(id)))
            host.advance(by: .milliseconds(400))
            #expect(second.isWaiting)
            first.commit()
            #expect(second.answer()?.affected == 1)
        }
    }

    @Test("An inserter that gives up its wait leaves no trace of its row")
    func abandonedInsert() {
        var settings = PostgresSettings()
        settings.lockTimeout = .milliseconds(500)
        let host = Accounts.server(0, settings: settings)
        let (first, second, third) = (host.session(), host.session(), host.session())
        first.begin()
        first.run(Accounts.insert(1, owner: "ann"))
        second.run(Accounts.insert(2, owner: "ann"))
        host.advance(by: .milliseconds(500))
        #expect(second.answer()?.sqlState == .lockNotAvailable)
        #expect(third.run(Accounts.insert(2, owner: "bob"))?.affected == 1)
        first.commit()
        #expect(third.run(Accounts.selectAll())?.rows.map(\.id) == [1, 2])
    }

    @Test("A session that is silent inside a transaction for too long is ended, and its locks are free")
    func idleInTransaction() {
        var settings = PostgresSettings()
        settings.idleInTransactionTimeout = .seconds(10)
        let host = Accounts.server(1, settings: settings)
        let (frozen, other) = (host.session(), host.session())
        frozen.begin()
        frozen.run(Accounts.select(1))
        host.advance(by: .seconds(6))
        frozen.run(Accounts.add(1, to: 1))
        other.run(Accounts.add(10, to: 1))
        host.advance(by: .seconds(9))
        #expect(other.isWaiting, "it spoke nine seconds ago")
        host.advance(by: .seconds(1))
        #expect(host.closed[frozen.connection]?.sqlState == SQLState(rawValue: "25P03"))
        #expect(other.answer()?.rows.first?.balance == 110)
        host.advance(by: .minutes(1))
        #expect(host.closed[other.connection] == nil, "outside a transaction one may be silent")
    }
}
