import Ports
import Testing

@testable import SimCore

@Suite("Random histories")
struct SerializableHistoryTests {
    /// Runs a few sessions with random statements, interleaved, and returns what was committed.
    private func history(_ isolation: IsolationLevel, seed: UInt64) -> (graph: HistoryGraph, failures: Int) {
        var run = HistoryRun(isolation, seed: seed)
        run.start()
        for _ in 0..<400 { run.step() }
        run.finish()
        return (run.graph, run.failureCount)
    }

    @Test("At SERIALIZABLE no history has a cycle of dependencies", arguments: 1...48)
    func serializable(seed: Int) {
        let (graph, failures) = history(.serializable, seed: UInt64(seed))
        #expect(graph.isSerializable, "\(graph.describeCycle())")
        #expect(graph.count > 20 && failures < graph.count * 3, "\(graph.count) committed, \(failures) failed")
    }

    @Test("At REPEATABLE READ some histories have one, so the check can see them")
    func repeatableRead() {
        let cyclic = (1...40).filter { !history(.repeatableRead, seed: UInt64($0)).graph.isSerializable }
        #expect(cyclic.count > 20)
    }
}

/// One random history under way.
private struct HistoryRun {
    private struct Client {
        var session: ScriptedSession
        var transaction: HistoryGraph.Transaction?
        var isCommitting = false
        var stepsLeft = 0
        /// Rows that it inserted where none had been.
        var fresh: Set<Int64> = []
        /// What the statement that waits will have done.
        var pending: [Pending] = []
    }

    /// What a statement does, for the books.
    private enum Pending {
        case search((Row) -> Bool)
        /// The result's rows are what was written.
        case writes(condition: (Row) -> Bool)
        case deletes
        /// What DO NOTHING found: the row is there in the snapshot, or its key is free now, whatever the snapshot.
        case insertsOrFinds(condition: (Row) -> Bool)
    }

    private let isolation: IsolationLevel
    private var generator: SeededGenerator
    private let host = Accounts.server(0)
    private var clients: [Client] = []
    private var commitCount = 0
    private(set) var graph = HistoryGraph()
    private(set) var failureCount = 0

    private let checksInvariants: Bool

    init(_ isolation: IsolationLevel, seed: UInt64) {
        checksInvariants = seed % 8 == 0
        self.isolation = isolation
        generator = SeededGenerator(seed: seed)
    }

    mutating func start() {
        host.checksInvariants = checksInvariants
        let session = host.session()
        session.begin()
        commitCount = 1
        var setUp = HistoryGraph.Transaction(snapshot: 0, commit: 1)
        for id in 1...4 {
            setUp.writes[Int64(id)] = session.run(returning(Accounts.values(Int64(id), balance: Int64(id))))?.rows[0]
        }
        session.commit()
        graph.add(setUp)
        clients = (0..<4).map { _ in Client(session: host.session()) }
    }

    private func returning(_ values: [Value], _ action: ConflictAction = .error) -> Statement {
        .insert(Insert(into: Accounts.table, rows: [values], onConflict: action, returning: true))
    }

    mutating func step() {
        let index = Int.random(in: clients.indices, using: &generator)
        if !clients[index].pending.isEmpty || clients[index].isCommitting {
            guard !clients[index].session.isWaiting else {
                host.advance(by: .milliseconds(100))
                return collectAll()
            }
        }
        if clients[index].transaction == nil {
            clients[index].session.begin(isolation)
            clients[index].transaction = HistoryGraph.Transaction(snapshot: -1, commit: 0)
            clients[index].fresh = []
            clients[index].stepsLeft = Int.random(in: 1...4, using: &generator)
        }
        if clients[index].stepsLeft == 0 {
            if clients[index].transaction!.snapshot < 0 { clients[index].transaction!.snapshot = commitCount }
            clients[index].isCommitting = true
            note(index, clients[index].session.commit())
        } else {
            clients[index].stepsLeft -= 1
            let (statement, pending) = randomStatement()
            clients[index].transaction!.log.append(describe(statement))
            if clients[index].transaction!.snapshot < 0 { clients[index].transaction!.snapshot = commitCount }
            clients[index].pending = pending
            note(index, clients[index].session.run(statement))
        }
        collectAll()
    }

    /// Takes the answers of those whose wait is over.
    private mutating func collectAll() {
        for index in clients.indices where !clients[index].pending.isEmpty || clients[index].isCommitting {
            if !clients[index].session.isWaiting { note(index, clients[index].session.answer()) }
        }
    }

    private mutating func note(_ index: Int, _ reply: PostgresReply?) {
        guard let reply else { return }
        if reply.error != nil {
            if !clients[index].isCommitting { clients[index].session.rollback() }
            failureCount += 1
            clients[index].transaction = nil
            clients[index].isCommitting = false
            clients[index].pending = []
            return
        }
        if !reply.results.isEmpty {
            let rows = reply.rows.map { "\($0.id) \($0.balance) \($0[Accounts.state])" }
            clients[index].transaction!.log.append("-> \(rows) at \(commitCount)")
        }
        for pending in clients[index].pending {
            switch pending {
            case .search(let condition): clients[index].transaction!.searches.append(condition)
            case .writes(let condition):
                clients[index].transaction!.searches.append(condition)
                for row in reply.rows { clients[index].transaction!.writes[row.id] = .some(row) }
            case .insertsOrFinds(let condition):
                // A row of its own says nothing of what others did.
                let isOwn = clients[index].transaction!.writes.values.contains { $0.map(condition) == true }
                if reply.rows.isEmpty && !isOwn { clients[index].transaction!.searches.append(condition) }
                for row in reply.rows {
                    if clients[index].transaction!.writes[row.id] == nil { clients[index].fresh.insert(row.id) }
                    clients[index].transaction!.writes[row.id] = .some(row)
                }
            case .deletes:
                for row in reply.rows {
                    // What it inserted and deleted again never was.
                    let wasFresh = clients[index].fresh.remove(row.id) != nil
                    clients[index].transaction!.writes[row.id] = wasFresh ? nil : .some(nil)
                }
            }
        }
        clients[index].pending = []
        if clients[index].isCommitting {
            clients[index].isCommitting = false
            commitCount += 1
            clients[index].transaction!.commit = commitCount
            graph.add(clients[index].transaction!)
            clients[index].transaction = nil
        }
    }

    private func describe(_ statement: Statement) -> String {
        func words(_ condition: [Comparison]) -> String {
            condition.map { "\($0.column.name) \($0.comparisonOperator) \($0.operands)" }.joined(separator: ", ")
        }
        return switch statement {
        case .select(let select): "select \(words(select.condition))"
        case .update(let update): "update \(update.assignments.map(\.column.name)) \(words(update.condition))"
        case .delete(let delete): "delete \(words(delete.condition))"
        case .insert(let insert): "insert \(insert.rows[0])"
        }
    }

    mutating func finish() {
        for client in clients { client.session.close() }
    }

    private mutating func randomStatement() -> (Statement, [Pending]) {
        let id = Int64.random(in: 1...7, using: &generator)
        let states = ["open", "closed", "lost"]
        let state = states.randomElement(using: &generator)!
        let other = Value.text(states.randomElement(using: &generator)!)
        func isThis(_ row: Row) -> Bool { row.id == id }
        func hasState(_ row: Row) -> Bool { row[Accounts.state] == .text(state) }
        func isAbove(_ row: Row) -> Bool { row.id >= id }
        switch Int.random(in: 0..<13, using: &generator) {
        case 0: return (Accounts.select(id), [.search(isThis)])
        case 1: return (Accounts.selectAll(where: [Accounts.state == .text(state)]), [.search(hasState)])
        case 2: return (Accounts.selectAll(where: [Accounts.id >= .int64(id)]), [.search(isAbove)])
        case 3:
            let owner = "owner \(id)"
            return (
                Accounts.selectAll(where: [Accounts.owner == .text(owner)]),
                [.search { $0[Accounts.owner] == .text(owner) }]
            )
        case 4: return (Accounts.selectAll(where: [Accounts.balance == 2]), [.search { $0.balance == 2 }])
        case 5: return (Accounts.add(1, to: id), [.writes(condition: isThis)])
        case 6:
            return (
                Accounts.set(Accounts.state, other, where: [Accounts.id == .int64(id)]), [.writes(condition: isThis)]
            )
        case 7:
            return (
                Accounts.set(Accounts.state, other, where: [Accounts.state == .text(state)]),
                [.writes(condition: hasState)]
            )
        case 8: return (Accounts.delete(id), [.search(isThis), .deletes])
        case 9:
            let delete = Delete(from: Accounts.table, where: [Accounts.state == .text(state)], returning: true)
            return (.delete(delete), [.search(hasState), .deletes])
        default:
            let values = Accounts.values(id, balance: Int64.random(in: 0...3, using: &generator), state: state)
            return (returning(values, .doNothing(key: Accounts.table.primaryKey)), [.insertsOrFinds(condition: isThis)])
        }
    }
}
