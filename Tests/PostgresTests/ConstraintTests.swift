import Ports
import SimCore
import Testing

@Suite("Constraints and types")
struct ConstraintTests {
    @Test("A check that is violated is 23514, named by its constraint")
    func check() {
        let session = Accounts.server(1).session()
        let expected = DatabaseError.statement(
            .checkViolation,
            message: "new row for relation \"accounts\" violates check constraint \"accounts_balance_check\"",
            constraint: "accounts_balance_check")
        #expect(session.run(Accounts.add(-101, to: 1))?.error == expected)
        #expect(session.run(Accounts.insert(2, balance: -1))?.error == expected)
        #expect(session.run(Accounts.add(-100, to: 1))?.rows.first?.balance == 0)
    }

    @Test("A check with null is unknown, and passes")
    func checkWithNull() {
        let table = Table(
            "stock", columns: [.column("id", .int64), .column("level", .int64, nullable: true)], primaryKey: ["id"],
            checks: [(name: "level", condition: { [$0[1] > 0] })])
        let session = ScriptedServer([table]).session()
        #expect(session.run(.insert(Insert(into: table, rows: [[1, nil]])))?.isSuccess == true)
        #expect(session.run(.insert(Insert(into: table, rows: [[2, 0]])))?.sqlState == .checkViolation)
    }

    @Test("Null in a column that may not be null is 23502")
    func notNull() {
        let session = Accounts.server(1).session()
        let text = "null value in column \"balance\" of relation \"accounts\" violates not-null constraint"
        let update = Accounts.set(Accounts.balance, nil, where: [Accounts.id == 1])
        #expect(session.run(update)?.error == .statement(.notNullViolation, message: text))
        let insert = Statement.insert(Insert(into: Accounts.table, rows: [[2, "b", nil, nil, nil]]))
        #expect(session.run(insert)?.error == .statement(.notNullViolation, message: text))
        #expect(
            session.run(Accounts.set(Accounts.balance, nil, where: [Accounts.id == 9]))?.affected == 0,
            "a statement that touches no row violates nothing")
    }

    @Test("An increment beyond 64 bits is 22003")
    func overflow() {
        let session = Accounts.server(1).session()
        #expect(session.run(Accounts.add(.max, to: 1))?.sqlState == .numericValueOutOfRange)
        #expect(session.run(Accounts.select(1))?.rows.first?.balance == 100)
    }

    @Test("A value of another type is 42804, in a row, an assignment or a condition")
    func types() {
        let session = Accounts.server(1).session()
        let row: [Value] = ["1", "a", 1, nil, nil]
        #expect(session.run(.insert(Insert(into: Accounts.table, rows: [row])))?.sqlState == .datatypeMismatch)
        let update = Accounts.set(Accounts.balance, "1", where: [])
        #expect(session.run(update)?.sqlState == .datatypeMismatch)
        #expect(session.run(Accounts.selectAll(where: [Accounts.owner == 1]))?.sqlState == .datatypeMismatch)
    }

    @Test("An unknown table is 42P01")
    func unknownTable() {
        let other = Table("others", columns: [.column("id", .int64)], primaryKey: ["id"])
        let session = Accounts.server(0).session()
        let reply = session.run(.select(Select(from: other)))
        #expect(reply?.error == .statement(.undefinedTable, message: "relation \"others\" does not exist"))
    }

    @Test("Checks come before unique keys")
    func order() {
        let session = Accounts.server(1).session()
        #expect(session.run(Accounts.insert(1, balance: -1))?.sqlState == .checkViolation)
    }

    @Test("A timestamp is kept to the microsecond, rounded to the even one at a tie")
    func timestamps() {
        let session = Accounts.server(1).session()
        for (given, kept) in [(1_499, 1_000), (1_500, 2_000), (2_500, 2_000), (-1_501, -2_000), (-500, 0)] {
            let value = Value.timestamp(Instant(nanosecondsSinceEpoch: Int64(given)))
            let reply = session.run(Accounts.set(Accounts.due, value, where: [Accounts.id == 1]))
            #expect(reply?.rows.first?.timestamp(Accounts.due).nanosecondsSinceEpoch == Int64(kept))
            #expect(session.run(Accounts.selectAll(where: [Accounts.due == value]))?.rows.count == 1)
        }
    }

    @Test("Comparisons with null are never true")
    func nullComparisons() {
        let host = Accounts.server(1)
        let session = host.session()
        session.commit(Accounts.insert(2, state: nil))
        func ids(_ condition: Comparison) -> [Int64]? {
            session.run(Accounts.selectAll(where: [condition]))?.rows.map(\.id)
        }
        #expect(ids(Accounts.state == nil) == [])
        #expect(ids(Accounts.state != "open") == [])
        #expect(ids(Accounts.state.isIn(["open", nil])) == [1])
        #expect(ids(Accounts.state.isNull) == [2])
        #expect(ids(Accounts.state.isNotNull) == [1])
        #expect(ids(Accounts.state.isIn([])) == [])
    }

    @Test("Text is the same only byte by byte")
    func textBytes() {
        let session = Accounts.server(0).session()
        #expect(session.commit(Accounts.insert(1, owner: "\u{e9}"))?.isSuccess == true)
        #expect(session.commit(Accounts.insert(2, owner: "e\u{301}"))?.isSuccess == true)
        let reply = session.run(Accounts.selectAll(where: [Accounts.owner == "\u{e9}"]))
        #expect(reply?.rows.map(\.id) == [1])
    }
}
