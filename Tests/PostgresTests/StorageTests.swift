import Ports
import Testing

@testable import SimCore

@Suite("Storage")
struct StorageTests {
    @Test("An ordered index holds exactly what was inserted and not removed, in order", arguments: 1...8)
    func orderedIndex(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var index = OrderedIndex(columns: [0, 1], types: [.text, .int64])
        var model: [(values: [Value], row: UInt32)] = []
        func precedes(_ left: ([Value], UInt32), _ right: ([Value], UInt32)) -> Bool {
            for column in 0..<2 {
                let order = ValueOrdering.compare(left.0[column], right.0[column])
                if order != 0 { return order < 0 }
            }
            return left.1 < right.1
        }
        for step in 0..<6_000 {
            // Phases of growth and of shrinking, down to nothing.
            let isGrowing = step / 1_000 % 2 == 0
            if model.isEmpty || Int.random(in: 0..<10, using: &generator) < (isGrowing ? 8 : 2) {
                let texts: [Value] = [nil, "", "a", "aaaaaaaab", "aaaaaaaac", "b\0", "b"]
                let numbers: [Value] = [nil, .int64(.max), .int64(.min), .int64(Int64(step / 7))]
                let values = [texts.randomElement(using: &generator)!, numbers.randomElement(using: &generator)!]
                model.append((values, UInt32(step)))
                index.insert(index.entry(values, row: UInt32(step)))
            } else {
                let removed = model.remove(at: Int.random(in: model.indices, using: &generator))
                index.remove(index.entry(removed.values, row: removed.row))
            }
        }
        index.checkInvariants()
        model.sort(by: precedes)
        var position = index.lowerPosition(OrderedBound([]), isAfter: false)
        var rows: [UInt32] = []
        while !position.isEnd {
            rows.append(index[position].row)
            index.advance(&position)
        }
        #expect(rows == model.map(\.row))
        var backwards: [UInt32] = []
        position = index.position(before: position)
        while !position.isEnd {
            backwards.append(index[position].row)
            position = index.position(before: position)
        }
        #expect(backwards == rows.reversed())
        for removed in model { index.remove(index.entry(removed.values, row: removed.row)) }
        #expect(index.count == 0)
        index.checkInvariants()
    }

    @Test("A hash index finds every row that has a key, through growth and removals")
    func uniqueIndex() {
        var generator = SeededGenerator(seed: 7)
        var index = UniqueIndex()
        var model: [(hash: UInt64, row: UInt32)] = []
        for step in 0..<20_000 {
            if model.isEmpty || UInt64.random(in: 0..<3, using: &generator) > 0 {
                // Few different hashes with equal low bits, so that probes collide and wrap around.
                let hash = UInt64.random(in: 0..<400, using: &generator) << 3 | 0xFFF0_0000
                index.insert(hash: hash, row: UInt32(step))
                model.append((hash, UInt32(step)))
            } else {
                let removed = model.remove(at: Int.random(in: model.indices, using: &generator))
                index.remove(hash: removed.hash, row: removed.row)
            }
        }
        for hash in Set(model.map(\.hash)) {
            var found: [UInt32] = []
            var position = index.start(hash: hash)
            while let row = index.next(hash: hash, position: &position) { found.append(row) }
            #expect(found.sorted() == model.filter { $0.hash == hash }.map(\.row).sorted())
        }
        #expect(index.count == model.count)
    }

    @Test("Dead versions and rows are freed, so memory stays flat")
    func vacuum() {
        let host = Accounts.server(10)
        let session = host.session()
        for round in 0..<500 {
            let id = Int64(round % 10 + 1)
            session.commit(Accounts.add(1, to: id))
            session.commit(
                Accounts.set(Accounts.owner, .text("owner \(id) \(round)"), where: [Accounts.id == .int64(id)]))
            session.commit(Accounts.insert(1_000 + Int64(round)))
            session.commit(Accounts.delete(1_000 + Int64(round)))
        }
        #expect(host.server.storedVersionCount == 10)
        let store = host.server.tables[0]
        #expect(store.rowCount == 10)
        #expect(store.rowNumberBound < 20, "freed numbers are used again")
        #expect(store.uniqueIndexes.map(\.count) == [10, 10])
        #expect(store.orderedIndexes[0]?.count == 10)
        #expect(host.server.recentCommits.isEmpty)
    }

    @Test("Vacuum drops an index entry only when no version that is left has its key")
    func flipFlop() {
        let host = Accounts.server(1)
        let (reader, writer) = (host.session(), host.session())
        reader.begin(.repeatableRead)
        reader.run(Accounts.select(1))
        for owner in ["b", "c", "b", "owner 1", "b", "c", "b"] {
            writer.commit(Accounts.set(Accounts.owner, .text(owner), where: [Accounts.id == 1]))
        }
        func find(_ session: ScriptedSession, _ owner: String) -> Int? {
            session.run(.select(Select(from: Accounts.table, where: [Accounts.owner == .text(owner)])))?.rows.count
        }
        #expect(find(reader, "owner 1") == 1 && find(reader, "b") == 0)
        #expect(find(writer, "owner 1") == 0 && find(writer, "b") == 1)
        reader.commit()
        writer.commit(Accounts.add(1, to: 1))
        #expect(host.server.storedVersionCount == 1)
        #expect(host.server.tables[0].uniqueIndexes.map(\.count) == [1, 1])
        #expect(find(writer, "b") == 1)
        #expect(writer.commit(Accounts.insert(2, owner: "owner 1"))?.isSuccess == true)
    }
}
