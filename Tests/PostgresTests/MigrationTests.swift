import Ports
import SimCore
import Testing

@Suite("Migration and clients of another schema version")
struct MigrationTests {
    private let first = Table(
        "orders", columns: [.column("id", .int64), .column("status", .text)], primaryKey: ["id"])
    private let second = Table(
        "orders",
        columns: [.column("id", .int64), .column("status", .text), .column("priority", .int64, nullable: true)],
        primaryKey: ["id"], indexes: [["priority"]])

    @Test("A newer schema adds a nullable column and an index; clients of both versions go on")
    func addedColumn() {
        let host = ScriptedServer([first])
        let (old, new) = (host.session(), host.session())
        old.commit(.insert(Insert(into: first, rows: [[1, "new"]])))
        #expect(new.send(.migrate(Schema(name: "test", version: 2, tables: [second])))?.isSuccess == true)
        new.commit(.insert(Insert(into: second, rows: [[2, "new", 5]])))
        old.commit(.insert(Insert(into: first, rows: [[3, "new"]])))
        #expect(old.run(.select(Select(from: first, where: [first.column("id") == 2])))?.rows == [Row([2, "new"])])
        let sorted = Select(
            from: second, orderedBy: [.descending(second.column("priority")), .ascending(second.column("id"))])
        #expect(new.run(.select(sorted))?.rows == [Row([1, "new", nil]), Row([3, "new", nil]), Row([2, "new", 5])])
        let byPriority = Select(from: second, where: [second.column("priority") == 5])
        #expect(new.run(.select(byPriority))?.rows.count == 1)
    }

    @Test("A client ahead of the schema is told which column is missing: 42703")
    func columnMissing() {
        let host = ScriptedServer([first])
        let reply = host.session().run(.select(Select(from: second)))
        #expect(
            reply?.error
                == .statement(
                    SQLState(rawValue: "42703"), message: "column \"priority\" of relation \"orders\" does not exist"))
    }

    @Test("A schema older than the recorded one is refused")
    func older() {
        let host = ScriptedServer([first])
        let session = host.session()
        session.send(.migrate(Schema(name: "test", version: 3, tables: [first])))
        #expect(
            session.send(.migrate(Schema(name: "test", version: 2, tables: [first])))?.sqlState
                == .objectNotInPrerequisiteState)
        #expect(host.server.schemaVersion == 3)
    }

    @Test("A client may declare the columns in another order")
    func otherOrder() {
        let swapped = Table(
            "orders", columns: [.column("status", .text), .column("id", .int64)], primaryKey: ["id"])
        let host = ScriptedServer([first])
        let session = host.session()
        session.commit(
            .insert(
                Insert(
                    into: swapped, rows: [["new", 1], ["new", 1]],
                    onConflict: .doUpdate(
                        key: swapped.primaryKey, assignments: [], condition: [swapped.column("status") == "other"]))))
        let update = Update(
            swapped, set: [.set(swapped.column("status"), "paid")], where: [swapped.column("id") == 1], returning: true)
        session.commit(
            .insert(Insert(into: swapped, rows: [["new", 1]], onConflict: .doNothing(key: swapped.primaryKey))))
        #expect(session.run(.update(update))?.rows == [Row(["paid", 1])])
        #expect(session.run(.select(Select(from: first)))?.rows == [Row([1, "paid"])])
    }
}
