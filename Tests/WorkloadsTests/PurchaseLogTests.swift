import Testing
import Workloads

/// Purchase logs, right and wrong.
struct PurchaseLogTests {
    private func read(_ text: String) throws -> PurchaseLog { try PurchaseLog(Array(text.utf8)) }

    private func problem(_ text: String) -> String? {
        do {
            _ = try read(text)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("The bundled log has every one of its 69,659 purchases")
    func bundledLogIsWhole() throws {
        let log = try PurchaseLog.bundled()
        #expect(log.purchases.count == 69_659)
        #expect(Set(log.purchases.map(\.customer)).count == 23_570)
        #expect(log.purchases.reduce(0) { $0 + ($1.valueCents == 0 ? 1 : 0) } == 80)
        #expect(log.purchases[2].pieceCount == 5 && log.purchases[2].valueCents == 7_700)
    }

    @Test("Separators, line ends, header and byte order mark make no difference")
    func formsAreEqual() throws {
        let plain = try read("1 19970101 2 3.50\n2 19970102 1 7\n").purchases
        #expect(plain.map(\.valueCents) == [350, 700])
        #expect(try read(" customer_id date cds value\r\n 1 19970101 2 3.5\r\n 2 19970102 1 7.00").purchases == plain)
        #expect(try read("1 19970101 2 3.50\r2 19970102 1 7\r").purchases == plain)
        #expect(try read("1,19970101,2,3.50\n\n2,19970102,1,7\n").purchases == plain)
        #expect(try read("\u{FEFF}1\t19970101\t2\t3.50\n2\t19970102\t1\t7").purchases == plain)
    }

    @Test("A day number counts from the epoch, leap days included")
    func daysCount() throws {
        let days = try read("1 19700101 1 1\n1 20000229 1 1\n1 20000301 1 1").purchases.map(\.day)
        #expect(days == [0, 11_016, 11_017])
    }

    @Test("A line is counted once whatever it ends with", arguments: ["\n", "\r\n", "\r"])
    func linesAreCounted(end: String) {
        let text = ["1 19970101 2 3.50", "", "2 19970102 x 7", ""].joined(separator: end)
        #expect(problem(text) == "line 3: pieces is 'x'; expected a whole number")
    }

    @Test("A log of a million lines is read, and its last line is told apart when it is wrong")
    func millionLines() throws {
        var bytes: [UInt8] = []
        let line = Array("12345 19970101 2 3.50\n".utf8)
        bytes.reserveCapacity(line.count * 1_000_000 + 100)
        for _ in 0..<1_000_000 { bytes += line }
        #expect(try PurchaseLog(bytes).purchases.count == 1_000_000)
        bytes += Array("12345 19970101 2\n".utf8)
        let error = #expect(throws: PurchaseLogError.self) { try PurchaseLog(bytes) }
        #expect(error?.description.hasPrefix("line 1000001: 3 columns") == true)
    }

    @Test(
        "A wrong line is named with what was expected",
        arguments: [
            ("1 19970101 2\n", "line 1: 3 columns"), ("1 19970101 2 3.50 9\n", "line 1: 5 columns"),
            ("1 19970101 2 3.50\n1 19970230 2 3.50\n", "line 2: date 19970230 is no day"),
            ("1 19970101 0 3.50\n", "line 1: pieces is '0'; expected 1 to 9999"),
            ("1 19970101 -1 3.50\n", "line 1: pieces is '-1'; expected a whole number"),
            ("1 19970101 x 3.50\n", "line 1: pieces is 'x'"), ("1 19970101 1 3.505\n", "line 1: value is '3.505'"),
            ("1 19970101 99999999999999999999 3\n", "line 1: pieces is"), ("", "line 1: no purchase in the file"),
            ("customer date pieces value\n", "line 1: no purchase in the file"),
        ])
    func wrongLineIsNamed(text: String, expected: String) {
        #expect(problem(text)?.hasPrefix(expected) == true, "\(problem(text) ?? "read without complaint")")
    }
}
