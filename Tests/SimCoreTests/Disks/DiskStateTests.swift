import SimCore
import Testing

@Suite("Files and what a crash leaves of them")
struct DiskStateTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private func content(_ disk: DiskState, _ name: String = "log") -> String {
        let bytes = (try? disk.read(name, at: 0, count: disk.length(of: name))) ?? []
        return String(decoding: bytes.map { $0 == 0 ? UInt8(ascii: ".") : $0 }, as: UTF8.self)
    }

    /// A disk with synced and unsynced writes to one file, in order.
    private func disk(synced: [(Int, String)], unsynced: [(Int, String)]) throws -> DiskState {
        var disk = DiskState()
        for (offset, text) in synced { try disk.write("log", at: offset, bytes(text)) }
        disk.sync("log")
        for (offset, text) in unsynced { try disk.write("log", at: offset, bytes(text)) }
        return disk
    }

    private func crash(_ disk: DiskState, _ model: CrashModel, draws: [UInt64] = []) -> (content: String, lost: Int) {
        var disk = disk
        let rest = Box(draws[...])
        let lost = disk.crash(model) { bound in
            let drawn = rest.value.popFirst() ?? 0
            precondition(drawn < bound, "the test draws \(drawn) where there are \(bound)")
            return drawn
        }
        return (content(disk), lost)
    }

    // MARK: Without a crash

    @Test("What was written is read back, synced or not, and a gap is filled with zeros")
    func readBack() throws {
        var disk = DiskState()
        try disk.write("log", at: 0, bytes("hello"))
        try disk.write("log", at: 8, bytes("you"))
        try disk.write("log", at: 1, bytes("u"))
        #expect(content(disk) == "hullo...you")
        #expect(disk.length(of: "log") == 11)
        #expect(disk.usedBytes == 11)
    }

    @Test("A read ends with the file; a file that does not exist is an error that names it")
    func readEnds() throws {
        var disk = DiskState()
        try disk.write("log", at: 0, bytes("hello"))
        #expect(try disk.read("log", at: 3, count: 10) == bytes("lo"))
        #expect(try disk.read("log", at: 5, count: 10) == [])
        #expect(throws: DiskError.notFound(file: "other")) { try disk.read("other", at: 0, count: 1) }
        #expect(disk.exists("log") && !disk.exists("other"))
    }

    @Test("A write that does not fit is refused as a whole; one over bytes that are there always fits")
    func full() throws {
        var disk = DiskState(capacityBytes: 8)
        try disk.write("a", at: 0, bytes("12345"))
        #expect(throws: DiskError.full(file: "b", wanted: 4, free: 3)) { try disk.write("b", at: 0, bytes("6789")) }
        #expect(!disk.exists("b"))
        try disk.write("a", at: 0, bytes("54321"))
        try disk.write("b", at: 0, bytes("678"))
        #expect(disk.usedBytes == 8)
        disk.remove("a")
        #expect(disk.usedBytes == 3)
        try disk.write("b", at: 3, bytes("90123"))
    }

    @Test("Files are listed in order of creation, without those that were removed")
    func fileNames() throws {
        var disk = DiskState()
        for name in ["c", "a", "b"] { try disk.write(name, at: 0, [1]) }
        disk.remove("a")
        #expect(disk.fileNames == ["c", "b"])
    }

    // MARK: Crash models

    @Test("A crash that drops what was not synced leaves exactly what was synced")
    func dropUnsynced() throws {
        let disk = try disk(synced: [(0, "synced")], unsynced: [(2, "XX"), (6, "more"), (8, "Y")])
        #expect(crash(disk, .dropUnsynced) == ("synced", 3))
    }

    @Test("A crash that keeps what was not synced leaves everything")
    func keepUnsynced() throws {
        let disk = try disk(synced: [(0, "synced")], unsynced: [(2, "XX"), (6, "more")])
        #expect(crash(disk, .keepUnsynced) == ("syXXedmore", 0))
    }

    @Test("A crash that keeps some decides on each write by itself, and a write after a lost one leaves a hole")
    func keepSome() throws {
        let disk = try disk(synced: [(0, "ab")], unsynced: [(2, "cd"), (4, "ef"), (0, "A")])
        #expect(crash(disk, .keepSome, draws: [0, 0, 0]) == ("Abcdef", 0))
        #expect(crash(disk, .keepSome, draws: [0, 1, 0]) == ("Abcd", 1))
        #expect(crash(disk, .keepSome, draws: [1, 0, 1]) == ("ab..ef", 2))
        #expect(crash(disk, .keepSome, draws: [1, 1, 1]) == ("ab", 3))
    }

    @Test("A torn write keeps the writes before it, some of its bytes, and nothing after it")
    func tear() throws {
        let disk = try disk(synced: [(0, "ab")], unsynced: [(2, "cdef"), (6, "ghij"), (10, "klmn")])
        #expect(crash(disk, .tear, draws: [1, 3]) == ("abcdefghi", 2))
        #expect(crash(disk, .tear, draws: [0, 0]) == ("ab", 3))
        #expect(crash(disk, .tear, draws: [2, 1]) == ("abcdefghijk", 1))
    }

    @Test("A torn write over old bytes leaves old bytes where the new ones did not get to")
    func tearOverOldBytes() throws {
        let disk = try disk(synced: [(0, "oldold")], unsynced: [(0, "NEWNEW")])
        #expect(crash(disk, .tear, draws: [0, 2]) == ("NEdold", 1))
    }

    @Test("Without unsynced writes, no crash changes anything, and none draws", arguments: CrashModel.allCases)
    func crashOfSynced(model: CrashModel) throws {
        var disk = try disk(synced: [(0, "all safe")], unsynced: [])
        let lost = disk.crash(model) { _ in
            Issue.record("a decision was drawn")
            return 0
        }
        #expect(lost == 0)
        #expect(content(disk) == "all safe")
    }

    @Test("A second crash finds nothing more to lose", arguments: CrashModel.allCases)
    func crashTwice(model: CrashModel) throws {
        var disk = try disk(synced: [(0, "abc")], unsynced: [(3, "defghi"), (1, "XYZ")])
        _ = disk.crash(model) { $0 / 2 }
        let after = content(disk)
        #expect(disk.crash(.dropUnsynced) { _ in 0 } == 0)
        #expect(content(disk) == after)
        #expect(disk.usedBytes == disk.length(of: "log"))
    }

    @Test("Syncing one file does not make another durable")
    func syncOfOneFile() throws {
        var disk = DiskState()
        try disk.write("a", at: 0, bytes("aaa"))
        try disk.write("b", at: 0, bytes("bbb"))
        disk.sync("a")
        #expect(disk.crash(.dropUnsynced) { _ in 0 } == 1)
        #expect(content(disk, "a") == "aaa")
        #expect(content(disk, "b") == "")
    }

    @Test(
        "Whatever is written and synced in between, a crash that drops leaves the bytes of the last sync",
        arguments: 1...20 as ClosedRange<UInt64>)
    func randomHistory(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var disk = DiskState()
        var atLastSync = ""
        for step in 0..<200 {
            switch random.next(below: 10) {
            case 0, 1:
                disk.sync("log")
                atLastSync = content(disk)
            case 2:
                _ = disk.crash(.dropUnsynced) { _ in 0 }
                #expect(content(disk) == atLastSync, "step \(step)")
            default:
                let letter = UInt8(ascii: "a") + UInt8(random.next(below: 26))
                let count = Int(random.next(below: 12))
                try disk.write(
                    "log", at: Int(random.next(below: 60)), [UInt8](repeating: letter, count: count))
            }
            #expect(disk.usedBytes == disk.length(of: "log"))
        }
    }

    // MARK: Truncation

    @Test(
        "A file is cut off at once and for good, whatever was unsynced beyond the cut", arguments: CrashModel.allCases)
    func truncation(model: CrashModel) throws {
        var disk = try disk(synced: [(0, "0123456789")], unsynced: [(0, "ABCDEFGHIJ"), (10, "KLM")])
        disk.truncate("log", to: 5)
        #expect(content(disk) == "ABCDE")
        #expect(disk.usedBytes == 5)
        _ = disk.crash(model) { $0 - 1 }
        #expect(disk.length(of: "log") == 5)
        if model == .dropUnsynced { #expect(content(disk) == "01234") }
        if model == .keepUnsynced { #expect(content(disk) == "ABCDE") }
    }

    @Test("What is written after a cut does not bring back what was cut")
    func writeAfterTruncation() throws {
        var disk = try disk(synced: [(0, "0123456789")], unsynced: [])
        disk.truncate("log", to: 2)
        try disk.write("log", at: 4, bytes("X"))
        #expect(content(disk) == "01..X")
        disk.sync("log")
        _ = disk.crash(.dropUnsynced) { _ in 0 }
        #expect(content(disk) == "01..X")
    }

    // MARK: Failed syncs and bit rot

    @Test(
        "What a failed sync left behind is readable until a crash, and no later sync makes it durable",
        arguments: CrashModel.allCases)
    func failedSync(model: CrashModel) throws {
        var disk = try disk(synced: [(0, "safe")], unsynced: [(4, "doomed")])
        #expect(disk.failSync("log") == 1)
        #expect(content(disk) == "safedoomed")
        disk.sync("log")
        let lost = disk.crash(model) { _ in 0 }
        #expect(content(disk) == "safe")
        #expect(lost == 1)
    }

    @Test("What is written after a failed sync and synced then is durable, although what the failed sync left is not")
    func writesAfterFailedSync() throws {
        var disk = try disk(synced: [(0, "safe")], unsynced: [(4, "doomed")])
        _ = disk.failSync("log")
        try disk.write("log", at: 10, bytes("again"))
        try disk.write("log", at: 0, bytes("S"))
        disk.sync("log")
        #expect(disk.crash(.dropUnsynced) { _ in 0 } == 1)
        #expect(content(disk) == "Safe......again")
    }

    @Test("A failed sync of a file that does not exist dooms nothing")
    func failedSyncOfNothing() {
        var disk = DiskState()
        #expect(disk.failSync("log") == 0)
    }

    @Test("Bit rot flips one bit where the file has bytes, and a crash does not heal it")
    func bitRot() throws {
        var disk = try disk(synced: [(0, "aaaa")], unsynced: [])
        let draws = Box<[UInt64]>([5, 2])
        #expect(disk.flipBit("log") { _ in draws.value.popLast()! })
        #expect(content(disk) == "aaAa")
        _ = disk.crash(.dropUnsynced) { _ in 0 }
        #expect(content(disk) == "aaAa")
        #expect(!disk.flipBit("nothing") { _ in 0 })
    }

    @Test("Bit rot of synced bytes survives a crash that drops a write over them")
    func bitRotUnderWrite() throws {
        var disk = try disk(synced: [(0, "aaaa")], unsynced: [])
        let draws = Box<[UInt64]>([5, 0])
        _ = disk.flipBit("log") { _ in draws.value.popLast()! }
        try disk.write("log", at: 0, bytes("bbbb"))
        _ = disk.crash(.dropUnsynced) { _ in 0 }
        #expect(content(disk) == "Aaaa")
    }

    @Test("Bit rot of bytes that are not synced yet goes to the disk with them, and no crash heals it")
    func bitRotBeforeSync() throws {
        var disk = try disk(synced: [(0, "aaaa")], unsynced: [(0, "xxbb"), (2, "bb")])
        let draws = Box<[UInt64]>([5, 2])
        _ = disk.flipBit("log") { _ in draws.value.popLast()! }
        #expect(content(disk) == "xxBb")
        #expect(crash(disk, .keepUnsynced).content == "xxBb")
        // With the write it is lost, and what is under it has not rotted.
        #expect(crash(disk, .dropUnsynced).content == "aaaa")
        disk.sync("log")
        #expect(crash(disk, .dropUnsynced).content == "xxBb")
    }

    @Test("Errors say what was asked and what there is")
    func errorTexts() {
        #expect("\(DiskError.full(file: "f", wanted: 4, free: -1))".contains("needs 4 more bytes and 0 are free"))
        #expect("\(DiskError.notFound(file: "f"))" == "no file f")
        #expect("\(DiskError.syncFailed(file: "f"))".contains("sync of f failed"))
    }
}
